"""Values of images: what is no number, no scale or no image is refused with what was found."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk
from helpers.refusals import has_reason
from helpers.segmentation_objects import make_series
from pydicom.dataset import Dataset

from cta_data.errors import DataRefused
from cta_data.formats.dicom.series import convert_series
from cta_data.formats.nifti.copy import place_nifti
from cta_data.formats.nifti.image import read_image
from cta_data.formats.voxel_values import NotFinite, usable_values

SHAPE = (6, 5, 4)
GREY = np.arange(120, dtype=np.float32).reshape(SHAPE)


def with_some(value: float) -> np.ndarray:
    voxels = GREY.copy()
    voxels[0, :3, 0] = value
    return voxels


@pytest.mark.parametrize(
    ("voxels", "found"),
    [
        (with_some(np.nan), "3 of 120"),
        (with_some(np.inf), "3 of 120"),
        (with_some(-np.inf), "3 of 120"),
        (np.full(SHAPE, np.nan, np.float32), "120 of 120"),
        (np.full(SHAPE, 7, np.int16), "7"),
        (np.zeros(SHAPE, np.float64), "0"),
    ],
)
def test_what_is_no_image_is_refused(tmp_path: Path, voxels: np.ndarray, found: str) -> None:
    """NaN, infinite and constant images, in memory and as a file that would be copied."""
    with pytest.raises(DataRefused) as refused:
        usable_values(voxels)
    assert refused.value.why.startswith(found)
    nib.save(nib.Nifti1Image(voxels, np.eye(4)), tmp_path / "x.nii.gz")
    with pytest.raises(DataRefused) as refused:
        place_nifti(tmp_path / "x.nii.gz", tmp_path / "placed.nii.gz")
    assert refused.value.why.startswith(found)
    assert not (tmp_path / "placed.nii.gz").exists()


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_replacement_takes_their_place_and_is_noted(tmp_path: Path, value: float) -> None:
    """Only the voxels that are not finite change; how many they are is told."""
    nib.save(nib.Nifti1Image(with_some(value), np.eye(4)), tmp_path / "x.nii.gz")
    placed = place_nifti(
        tmp_path / "x.nii.gz", tmp_path / "placed.nii.gz", not_finite=NotFinite(0.0)
    )
    assert placed.notes[0] == "3 of 120 voxels are NaN or infinite: replaced by 0"
    read = np.asanyarray(nib.load(tmp_path / "placed.nii.gz").dataobj)
    assert np.array_equal(read, with_some(0))


@pytest.mark.parametrize("value", [np.nan, 3.0])
def test_a_replacement_makes_no_image_of_none(value: float) -> None:
    """All NaN, or all one value, stays refused."""
    with pytest.raises(DataRefused):
        usable_values(np.full(SHAPE, value), NotFinite(0.0))


def test_finite_values_are_returned_as_they_are() -> None:
    """Nothing is copied and nothing noted."""
    voxels, note = usable_values(GREY, NotFinite(0.0))
    assert voxels is GREY and note == ""


@pytest.mark.parametrize(("slope", "intercept"), [(np.inf, 0), (1e30, 0), (2, np.nan), (2, 1e30)])
def test_a_nifti_scale_that_cannot_be_is_refused(
    tmp_path: Path, slope: float, intercept: float
) -> None:
    """The numbers that were found are named."""
    nib.save(nib.Nifti1Image(GREY.astype(np.int16), np.eye(4)), tmp_path / "x.nii")
    content = bytearray((tmp_path / "x.nii").read_bytes())
    content[112:120] = np.array([slope, intercept], "<f4").tobytes()
    (tmp_path / "x.nii").write_bytes(content)
    for read in (read_image, lambda path: place_nifti(path, tmp_path / "placed.nii.gz")):
        with pytest.raises(
            DataRefused, check=has_reason("intensity_scaling_implausible")
        ) as refused:
            read(tmp_path / "x.nii")
        assert f"slope {slope:g}, intercept {intercept:g}" in refused.value.why


def rescaled(slope: str, intercept: str) -> Callable[[Dataset], None]:
    def change(dataset: Dataset) -> None:
        dataset.RescaleSlope, dataset.RescaleIntercept = slope, intercept

    return change


def bits(stored: int, high: int) -> Callable[[Dataset], None]:
    def change(dataset: Dataset) -> None:
        dataset.BitsStored, dataset.HighBit = stored, high

    return change


def spaced(dataset: Dataset) -> None:
    dataset.PixelSpacing = ["1e30", "1e30"]


def far_away(dataset: Dataset) -> None:
    dataset.ImagePositionPatient = ["1e30", *dataset.ImagePositionPatient[1:]]


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (rescaled("NaN", "0"), "slope nan"),
        (rescaled("inf", "0"), "slope inf"),
        (rescaled("0", "0"), "slope 0"),
        (rescaled("1e30", "0"), "slope 1e+30"),
        (rescaled("1", "NaN"), "intercept nan"),
        (rescaled("1", "-inf"), "intercept -inf"),
        (rescaled("1", "1e30"), "intercept 1e+30"),
        (bits(12, 15), "BitsStored 12, HighBit 15"),
        (bits(17, 16), "BitsAllocated 16, BitsStored 17"),
        (bits(0, 0), "BitsStored 0"),
        (spaced, "1e+30"),
        (far_away, "1e+30"),
    ],
)
def test_a_dicom_header_that_cannot_be_is_refused(
    change: Callable[[Dataset], None], found: str
) -> None:
    """The series is refused with the numbers that were found."""
    series = make_series(slices=4, rows=6, columns=5)
    for dataset in series:
        change(dataset)
    with pytest.raises(DataRefused) as refused:
        convert_series(series)
    assert found in refused.value.why


@pytest.mark.parametrize(("slope", "intercept"), [("2", "-1024"), ("-1", "0"), ("0.00024", "0")])
def test_scales_that_scanners_write_are_applied(slope: str, intercept: str) -> None:
    """Whole, negative and small slopes give the values that they stand for."""
    plain = sitk.GetArrayFromImage(convert_series(make_series(slices=4, rows=6, columns=5)).image)
    series = make_series(slices=4, rows=6, columns=5)
    for dataset in series:
        dataset.RescaleSlope, dataset.RescaleIntercept = slope, intercept
    values = sitk.GetArrayFromImage(convert_series(series).image)
    assert np.allclose(values, plain * float(slope) + float(intercept))
