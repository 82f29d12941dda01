"""One type of image for Python: nothing moves on the way in and out."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk
from helpers.refusals import has_reason
from hypothesis import given
from hypothesis import strategies as st
from nibabel.orientations import axcodes2ornt, inv_ornt_aff, ornt_transform
from numpy.typing import NDArray

import cta_data
from cta_data import ConfigurationError, DataRefused, Volume

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
        (np.zeros((2, 2, 2)), np.array([[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [9, 9, 9, 1]])),
        (np.zeros((2, 2, 2)), "RAS"),
        (np.zeros((2, 0, 2)), np.eye(4)),
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


def test_an_image_of_two_axes_is_refused() -> None:
    """SimpleITK has images of two and four axes as well."""
    with pytest.raises(DataRefused):
        Volume.from_sitk(sitk.Image(3, 3, sitk.sitkUInt8))


@pytest.mark.parametrize("dtype", ["float16", "longdouble", "bool", ">f4"])
def test_types_that_files_do_not_hold_are_stored_as_others(dtype: str, tmp_path: Path) -> None:
    """Probabilities in half precision, for example, keep their values; a new folder is made."""
    volume = Volume(np.linspace(0, 1, 120).reshape(SHAPE).astype(dtype), np.eye(4))
    volume.save(tmp_path / "new" / "volume.nii")
    assert np.array_equal(cta_data.read_image(tmp_path / "new" / "volume.nii").array, volume.array)
    assert np.array_equal(Volume.from_sitk(volume.to_sitk()).array, volume.array)


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    """As by the commands: a file stands where a folder would have to be."""
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, check=has_reason("output_not_a_folder")):
        Volume(np.zeros(SHAPE), np.eye(4)).save(tmp_path / "file" / "volume.nii.gz")


def test_the_unit_of_a_nifti_header_is_applied() -> None:
    """Metres of a nibabel image become mm, as they do when the file is read."""
    image = nib.Nifti1Image(np.zeros(SHAPE, np.float32), np.diag([0.001, 0.001, 0.002, 1.0]))
    image.header.set_xyzt_units("meter")
    assert Volume.from_nibabel(image).spacing == pytest.approx((1.0, 1.0, 2.0))


@pytest.mark.parametrize("ending", [".nii", ".nii.gz", ".nrrd"])
def test_upper_case_endings_are_read(ending: str, tmp_path: Path) -> None:
    """The case of an ending does not decide what a file is."""
    volume = Volume(np.arange(np.prod(SHAPE), dtype=np.int16).reshape(SHAPE), np.eye(4))
    usual = tmp_path / f"image{ending}"
    if ending == ".nrrd":
        sitk.WriteImage(volume.to_sitk(), str(usual))
    else:
        volume.save(usual)
    found = cta_data.read_image(usual.rename(tmp_path / f"IMAGE{ending.upper()}"))
    np.testing.assert_array_equal(found.array, volume.array)
