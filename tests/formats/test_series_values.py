"""Values of series: declared padding, inverted grey levels, and slices acquired in two ways."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk
from helpers.refusals import has_reason
from helpers.segmentation_objects import make_series
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from cta_data.errors import DataRefused
from cta_data.formats.dicom.pixel_padding import PADDING
from cta_data.formats.dicom.series import convert_series
from cta_data.formats.dicom.series_parameters import MIXED


def padded(stored: NDArray[np.generic], **elements: object) -> list[Dataset]:
    """A series whose first pixel of every slice is this one."""
    series = make_series(slices=4, rows=5, columns=6)
    for dataset in series:
        pixels = np.frombuffer(dataset.PixelData, np.uint16).copy().astype(stored.dtype) + 1
        pixels[: len(stored)] = stored
        dataset.PixelRepresentation = int(stored.dtype.kind == "i")
        dataset.PixelData = pixels.tobytes()
        for keyword, value in elements.items():
            vr = "US" if keyword.startswith("PixelPadding") and int(str(value)) >= 0 else "SS"
            if keyword.startswith("PixelPadding"):
                tag = 0x00280120 if keyword == "PixelPaddingValue" else 0x00280121
                dataset.add_new(tag, vr, value)
            else:
                setattr(dataset, keyword, value)
    return series


def values_of(series: list[Dataset]) -> tuple[NDArray[np.generic], list[str]]:
    converted = convert_series(series)
    kinds = [d.kind for d in converted.deviations]
    return sitk.GetArrayFromImage(converted.image), kinds


CASES: dict[str, tuple[NDArray[np.generic], dict[str, object], float]] = {
    "highest": (np.array([65535], np.uint16), {"PixelPaddingValue": 65535}, 2.0),
    "negative": (np.array([-2000], np.int16), {"PixelPaddingValue": -2000}, 2.0),
    "wrong sign": (np.array([-2000], np.int16), {"PixelPaddingValue": 63536}, 2.0),
    "range": (
        np.array([5000, 5003], np.uint16),
        {"PixelPaddingValue": 5005, "PixelPaddingRangeLimit": 5000},
        3.0,
    ),
    "scaled": (
        np.array([4000], np.uint16),
        {"PixelPaddingValue": 4000, "RescaleSlope": "0.5", "RescaleIntercept": "-10"},
        -9.0,
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_padding_becomes_background(case: str) -> None:
    """The lowest of the other values, and a deviation that says so; all else is as it was."""
    stored, elements, lowest = CASES[case]
    voxels, kinds = values_of(padded(stored, **elements))
    assert kinds == [PADDING] and voxels.min() == lowest
    unpadded = {k: v for k, v in elements.items() if not k.startswith("PixelPadding")}
    before, _ = values_of(padded(stored, **unpadded))
    changed = voxels != before
    assert changed.sum() == 4 * len(stored) and (voxels[changed] == lowest).all()


def test_padding_that_is_background_stays() -> None:
    """Zero below all else, declared as padding, is no deviation; nor is what is not there."""
    for value in (0, 999):
        stored = np.array([0], np.uint16)
        voxels, kinds = values_of(padded(stored, PixelPaddingValue=value))
        assert kinds == [] and voxels.min() == 0


def test_inverted_grey_levels_are_refused() -> None:
    """MONOCHROME1 has its lowest value white: its voxels are not those of the other patients."""
    series = make_series(slices=4, rows=5, columns=6)
    for dataset in series:
        dataset.PhotometricInterpretation = "MONOCHROME1"
    with pytest.raises(DataRefused, check=has_reason("image_inverted")):
        convert_series(series)


@pytest.mark.parametrize(
    ("times", "mixed"),
    [((2.4, 2.4), False), ((2.40, 2.41), False), ((2.4, 80.0), True), ((2.4, None), True)],
)
def test_slices_that_were_acquired_in_two_ways(
    times: tuple[float, float | None], mixed: bool
) -> None:
    """Two echo times in one series are a deviation with both values; a measured digit is none."""
    series = make_series(slices=4, rows=5, columns=6)
    for number, dataset in enumerate(series):
        time = times[number % 2]
        if time is not None:
            dataset.EchoTime = str(time)
    found = [d for d in convert_series(series).deviations if d.kind == MIXED]
    assert bool(found) is mixed
    assert not mixed or "EchoTime 2.4" in found[0].measured
