"""A whole study of images of a few voxels, made by the commands alone, in seconds.

One trial, annotated on MPRAGE, and two external cohorts. Everything is of the package but the
network, for which `helpers.stand_in_network` stands in.
"""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
from helpers.command_line import run_cta
from helpers.plain_study import plain_card

TRIAL = "trial"
EXTERNAL = ("north", "south")
PATIENTS = 4
NUMBER = "(?P<id>[a-z]+[0-9]+)"


def write_raw(folder: Path, cohort: str, patients: int, seed: int) -> None:
    """Write an image and a mask with two lesions for each patient, and the cohort's card."""
    random = np.random.default_rng(seed)
    for number in range(1, patients + 1):
        image = np.zeros((16, 16, 16), np.int16)
        image[2:14, 2:14, 2:14] = random.integers(80, 120, (12, 12, 12))
        mask = np.zeros(image.shape, np.uint8)
        mask[3:6, 3:6, 3:6] = mask[9:12, 9:12, 9:12] = 1
        place = folder / cohort / f"{cohort}{number}"
        place.mkdir(parents=True)
        nib.save(nib.Nifti1Image(image + 100 * mask, np.eye(4)), place / "t1.nii.gz")
        nib.save(nib.Nifti1Image(mask, np.eye(4)), place / "seg.nii.gz")
    partition = "trial" if cohort == TRIAL else "external"
    card = plain_card(cohort, partition=partition, pattern=NUMBER)
    (folder / f"{cohort}.toml").write_text(card, "utf-8")


def make_tiny_study(folder: Path, external: tuple[str, ...] = EXTERNAL) -> Path:
    """Make the study with all cohorts added, and two folds; return its root."""
    root, raw = folder / "study", folder / "raw"
    assert run_cta("init", root, "--empty").code == 0
    toml = root / "study.toml"
    toml.write_text(toml.read_text("utf-8").replace("folds = 5", "folds = 2"), "utf-8")
    for seed, cohort in enumerate((TRIAL, *external)):
        write_raw(raw, cohort, PATIENTS if cohort == TRIAL else 1, seed)
        done = run_cta("add", cohort, raw / cohort, "--card", raw / f"{cohort}.toml", study=root)
        assert done.code == 0, done.text
    return root
