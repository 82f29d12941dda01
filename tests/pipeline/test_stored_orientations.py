"""One brain stored in all 48 orientations is one training case."""

from __future__ import annotations

import json
from itertools import permutations, product
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from helpers.command_line import run_cta
from helpers.new_study import new_study
from nibabel.orientations import axcodes2ornt, io_orientation, ornt_transform

from cta_data.study.study import Study

pytestmark = [pytest.mark.slow, pytest.mark.thorough]

ALL_48 = [
    "".join(axis[end] for axis, end in zip(axes, ends, strict=True))
    for axes in permutations(("LR", "PA", "IS"))
    for ends in product((0, 1), repeat=3)
]
CARD = """
[cohort]
name = "own"
title = "A hospital's own"
licence = "none"
access = "restricted"
how_to_get = "It is on this disk."

[geometry]
skull_stripped = true
coregistered = true
shows_head = false

[[files]]
path = '(?:^|/)(?P<subject>[^/]+)/t1\\.nii\\.gz$'
role = "image"
technique = "MPRAGE"
phase = "post"

[[files]]
path = '(?:^|/)(?P<subject>[^/]+)/space\\.nii\\.gz$'
role = "image"
technique = "SPACE"
phase = "post"

[[files]]
path = '(?:^|/)(?P<subject>[^/]+)/seg\\.nii\\.gz$'
role = "mask"

[masks]
drawn_on = "SPACE"
lesion_values = [1]

[groups.HAQ]
drawn_on = "SPACE"
"""
BUILD = """
[build]
equalise_groups = false
test_fraction = 0
shared_patients = "accept"
"""


def placed(voxels: np.ndarray, spacing: tuple[float, ...], tilt: float) -> nib.Nifti1Image:
    """Voxels (x, y, z) with axes towards RAS, turned by `tilt` radians about the first."""
    turn = np.eye(4)
    turn[1:3, 1:3] = [[np.cos(tilt), -np.sin(tilt)], [np.sin(tilt), np.cos(tilt)]]
    affine = turn @ np.diag([*spacing, 1.0])
    affine[:3, 3] = -affine[:3, :3] @ (np.array(voxels.shape) - 1) / 2
    return nib.Nifti1Image(voxels, affine)


def brain(random: np.random.Generator, shape: tuple[int, int, int]) -> np.ndarray:
    """Voxels of any value, and nothing around them, as a skull-stripped image has."""
    voxels = random.integers(50, 900, shape, np.int16)
    return np.pad(voxels[3:-3, 3:-3, 3:-3], 3)


def store(image: nib.Nifti1Image, orientation: str, path: Path) -> None:
    """Write the same image with its voxels in another order."""
    turn = ornt_transform(io_orientation(image.affine), axcodes2ornt(orientation))
    nib.save(image.as_reoriented(turn), path)


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """48 patients: one brain; no two have MPRAGE, and no two SPACE, stored in the same order."""
    work = tmp_path_factory.mktemp("orientations")
    random = np.random.default_rng(48)
    mprage = placed(brain(random, (24, 22, 20)), (1.0, 1.1, 1.2), 0.1)
    space = placed(brain(random, (26, 28, 30)), (0.9, 0.8, 0.8), 0.0)
    mask = np.zeros((26, 28, 30), np.uint8)
    for corner in ((4, 5, 6), (16, 5, 6), (4, 17, 6), (10, 10, 18)):
        mask[tuple(slice(start, start + 4) for start in corner)] = 1
    lesions = nib.Nifti1Image(mask, space.affine)
    for number, orientation in enumerate(ALL_48):
        folder = work / "raw" / f"P{number:02d}"
        folder.mkdir(parents=True)
        other = ALL_48[(7 * number + 3) % 48]
        store(mprage, orientation, folder / "t1.nii.gz")
        store(space, other, folder / "space.nii.gz")
        store(lesions, other, folder / "seg.nii.gz")
    (work / "own.toml").write_text(CARD, "utf-8")
    new_study(work / "study", own="own")
    settings = work / "study" / "study.toml"
    settings.write_text(settings.read_text("utf-8").split("[build]")[0] + BUILD, "utf-8")
    there = ("--study", str(work / "study"))
    added = run_cta("add", "own", str(work / "raw"), "--card", str(work / "own.toml"), *there)
    assert added.code == 0, added.text
    built = run_cta("build", "--setting", "B", "--setting", "C", *there)
    assert built.code == 0, built.text
    return Study(work / "study")


@pytest.mark.parametrize("name", ["Dataset502_CTAB", "Dataset503_CTAC"])
def test_a_network_reads_equal_voxels(study: Study, name: str) -> None:
    """Read as the build tells nnU-Net to: images and labels are equal, voxel by voxel."""
    reader = pytest.importorskip(
        "nnunetv2.imageio.nibabel_reader_writer", reason="needs the extra `train`"
    ).NibabelIOWithReorient()
    build = study.root / "builds" / name
    cases = json.loads((build / "dataset.json").read_text("utf-8"))["dataset"].values()
    stored = {nib.aff2axcodes(nib.load(build / case["images"][0]).affine) for case in cases}
    assert len(stored) == 48
    images = [reader.read_images([str(build / p) for p in case["images"]])[0] for case in cases]
    labels = [reader.read_seg(str(build / case["label"]))[0] for case in cases]
    assert labels[0].any()
    assert all(np.array_equal(images[0], image) for image in images)
    assert all(np.array_equal(labels[0], label) for label in labels)


def test_lesions_have_equal_numbers_and_volumes(study: Study) -> None:
    """The lesion of a number is the same lesion in every patient, on both grids."""
    lesions = study.lesions()
    assert len(lesions) == 48 * 2 * 4
    of_a_number = lesions.groupby(["grid", "lesion_id"])
    assert (of_a_number.n_voxels.nunique() == 1).all()
    volumes = of_a_number.volume_mm3
    assert volumes.max().to_numpy() == pytest.approx(volumes.min().to_numpy(), rel=1e-6)
