"""One type of image for Python: nothing moves on the way in and out."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given
from hypothesis import strategies as st
from nibabel.orientations import axcodes2ornt, inv_ornt_aff, ornt_transform
from numpy.typing import NDArray

import cta_data
from cta_data import DataRefused, Volume

SHAPE = (4, 5, 6)


def affine_of(codes: str, spacing: tuple[float, float, float]) -> NDArray[np.float64]:
    """Return the affine of a grid whose axes lead where the codes say."""
    turn = inv_ornt_aff(ornt_transform(axcodes2ornt("RAS"), axcodes2ornt(tuple(codes))), SHAPE)
    affine = np.diag([*spacing, 1.0])
    affine[:3, 3] = (-10.0, 20.0, 5.0)
    return np.asarray(affine @ turn)


@given(
    codes=st.sampled_from(["RAS", "LPS", "PIL", "ASR", "SLA", "IRP"]),
    spacing=st.tuples(*[st.floats(0.3, 5.0)] * 3),
    dtype=st.sampled_from(["uint8", "int16", "int32", "float32", "bool"]),
)
def test_voxels_and_places_survive_simpleitk_and_nibabel(
    codes: str, spacing: tuple[float, float, float], dtype: str
) -> None:
    """Whatever the order of the axes, a voxel keeps its value and its place."""
    values = np.arange(np.prod(SHAPE)).reshape(SHAPE) % 7
    volume = Volume(values.astype(dtype), affine_of(codes, spacing))
    for back in (
        Volume.from_sitk(volume.to_sitk()),
        Volume.from_nibabel(volume.to_nibabel()),
    ):
        assert back.same_grid(volume)
        assert np.array_equal(back.array, volume.array)


def test_a_file_is_what_nibabel_and_simpleitk_read(tmp_path: Path) -> None:
    """What is saved lies where both libraries put it."""
    volume = Volume(np.arange(120, dtype=np.int16).reshape(SHAPE), affine_of("PIL", (1, 2, 3)))
    path = tmp_path / "volume.nii.gz"
    volume.save(path)
    read = nib.load(path)
    assert np.allclose(read.affine, volume.affine)
    assert np.array_equal(np.asanyarray(read.dataobj), volume.array)
    again = Volume.from_sitk(sitk.ReadImage(str(path)))
    assert again.same_grid(volume) and np.array_equal(again.array, volume.array)
    assert np.array_equal(np.asarray(cta_data.read_image(path)), volume.array)


@pytest.mark.parametrize(
    ("array", "affine"),
    [
        (np.zeros((2, 2)), np.eye(4)),
        (np.zeros((2, 2, 2, 2)), np.eye(4)),
        (np.full((2, 2, 2), "a"), np.eye(4)),
        (np.zeros((2, 2, 2)), np.eye(3)),
        (np.zeros((2, 2, 2)), np.diag([1, np.nan, 1, 1])),
        (np.zeros((2, 2, 2)), np.array([[1, 1, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])),
    ],
)
def test_what_is_no_volume_is_refused(array: NDArray[np.generic], affine: NDArray) -> None:
    """Axes, types, and affines that are no grid."""
    with pytest.raises(DataRefused):
        Volume(array, affine)


def test_a_mask_of_another_shape_is_refused() -> None:
    """An array on the grid of a volume has its shape."""
    with pytest.raises(DataRefused):
        Volume(np.zeros(SHAPE), np.eye(4)).with_array(np.zeros((2, 2, 2)))
