"""Arrays that nnU-Net's readers turned come back to the grid of the file."""

from __future__ import annotations

from itertools import permutations, product
from pathlib import Path

import nibabel
import numpy as np
import pytest

from cta_data.training.nnunet.orientation import as_in_the_file

ALL_48 = [
    (order, signs) for order in permutations(range(3)) for signs in product((1.0, -1.0), repeat=3)
]


def affine_of(order: tuple[int, ...], signs: tuple[float, ...]) -> np.ndarray:
    affine = np.eye(4)
    affine[:3, :3] = np.diag([1.5, 0.8, 2.0])[:, order] * signs
    affine[:3, 3] = (-10.0, 4.0, 30.0)
    return affine


@pytest.mark.parametrize(("order", "signs"), ALL_48)
def test_what_the_reader_turned_is_turned_back(
    tmp_path: Path, order: tuple[int, ...], signs: tuple[float, ...]
) -> None:
    """Of all 48 orientations: the array as it lies in the file, also with channels before it."""
    reader = pytest.importorskip(
        "nnunetv2.imageio.nibabel_reader_writer", reason="needs the extra `train`"
    ).NibabelIOWithReorient()
    values = np.arange(3 * 4 * 5, dtype=np.float32).reshape(3, 4, 5)
    nibabel.save(nibabel.Nifti1Image(values, affine_of(order, signs)), tmp_path / "x.nii.gz")
    read, properties = reader.read_images((str(tmp_path / "x.nii.gz"),))
    assert np.array_equal(as_in_the_file(read[0], properties), values.T)
    both = as_in_the_file(np.stack([read[0], -read[0]]), properties)
    assert np.array_equal(both, np.stack([values.T, -values.T]))


def test_other_readers_turn_nothing() -> None:
    """SimpleITK's and nibabel's plain reader keep the order of the file."""
    array = np.arange(24).reshape(2, 3, 4)
    for properties in ({}, {"nibabel_stuff": {"original_affine": np.diag([-1.0, 1, 1, 1])}}):
        assert as_in_the_file(array, properties) is array
