"""A small study of NIfTI files in which two readers annotated every patient."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import nibabel as nib
import numpy as np
from helpers.command_line import run_cta
from helpers.new_study import new_study
from helpers.readers_card import CARD

from cta_data.study.study import Study

SHAPE = (32, 32, 32)
CORNERS = [(4, 4, 4), (12, 12, 12), (20, 20, 20), (4, 20, 12), (20, 4, 24)]
"""Of lesions whose edges are 2 to 6 voxels of 1 mm long."""
PLANTED = {"naq": (0, 1, 2), "haq_R1": (0, 1, 2, 3, 4), "haq_R2": (0, 1, 3)}
"""Lesions that each reader delineates; R2 draws lesion 1 a voxel too large, NAQ shifts lesion 2."""
PATIENTS = 3


def cubes(
    numbers: Iterable[int], *, larger: int | None = None, shifted: int | None = None
) -> np.ndarray:
    """Return a mask of some lesions, of which one is a voxel larger and one is a voxel shifted."""
    mask = np.zeros(SHAPE, np.uint8)
    for number in numbers:
        x, y, z = CORNERS[number]
        edge, shift = 2 + number + (number == larger), int(number == shifted)
        mask[x + shift : x + shift + edge, y : y + edge, z : z + edge] = 1
    return mask


def write_images(folder: Path, random: np.random.Generator) -> None:
    """Write a patient's image on both techniques into a new folder."""
    folder.mkdir(parents=True)
    image = np.zeros(SHAPE, np.int16)
    image[2:30, 2:30, 2:30] = random.integers(100, 200, (28, 28, 28))
    for factor, name in enumerate(("t1", "space"), start=1):
        write_nifti(image * factor, folder / f"{name}.nii.gz")


def write_nifti(voxels: np.ndarray, path: Path) -> None:
    """Write voxels of 1 mm."""
    nib.save(nib.Nifti1Image(voxels, np.eye(4)), path)


def make_readers_study(work: Path, *, patients: int = PATIENTS) -> Study:
    """Make the study and bring it to the transfer of its annotations."""
    random = np.random.default_rng(1)
    marks = {"haq_R2": {"larger": 1}, "naq": {"shifted": 2}}
    for patient in range(1, patients + 1):
        folder = work / "raw" / f"p{patient}" / "1"
        write_images(folder, random)
        for name, numbers in PLANTED.items():
            write_nifti(cubes(numbers, **marks.get(name, {})), folder / f"{name}.nii.gz")
    (work / "own.toml").write_text(CARD, "utf-8")
    new_study(work / "study", own="own")
    place = ("--study", str(work / "study"))
    source = (str(work / "raw"), "--card", str(work / "own.toml"))
    assert run_cta("add", "own", *source, *place).code == 0
    for step in ("convert", "register", "transfer"):
        assert run_cta(step, *place).code == 0
    return Study(work / "study")
