"""RT Dose: every voxel at its place and in its unit, whatever the order of planes."""

from __future__ import annotations

import numpy as np
import pytest
from helpers.refusals import has_reason
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

from cta_data.errors import DataRefused
from cta_data.formats.dicom.rtdose import read_dose

PLANES = np.arange(2 * 3 * 4, dtype=np.uint16).reshape(2, 3, 4)


def dose(offsets: list[float], planes: np.ndarray = PLANES, **changes: object) -> Dataset:
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.NumberOfFrames, dataset.Rows, dataset.Columns = planes.shape
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.BitsAllocated = dataset.BitsStored = 16
    dataset.HighBit = 15
    dataset.PixelRepresentation = 0
    dataset.PixelData = planes.tobytes()
    dataset.PixelSpacing = [2.0, 1.5]
    dataset.ImagePositionPatient = [-10.0, 20.0, 30.0]
    dataset.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    dataset.GridFrameOffsetVector = offsets
    dataset.DoseGridScaling = 0.5
    for keyword, value in changes.items():
        setattr(dataset, keyword, value)
    return dataset


def at(image: object, point: tuple[float, float, float]) -> float:
    index = image.TransformPhysicalPointToIndex(point)  # type: ignore[attr-defined]
    return float(image[index])  # type: ignore[index]


@pytest.mark.parametrize("offsets", [[0.0, 2.5], [30.0, 32.5]])
def test_each_voxel_is_where_the_header_places_it(offsets: list[float]) -> None:
    """Column 3, row 2 of the second plane, with offsets relative and absolute (PS3.3 C.8.8.3.2)."""
    image = read_dose(dose(offsets))
    assert image.GetSpacing() == (1.5, 2.0, 2.5)
    assert at(image, (-10.0 + 3 * 1.5, 20.0 + 2 * 2.0, 32.5)) == 0.5 * PLANES[1, 2, 3]
    assert at(image, (-10.0, 20.0, 30.0)) == 0.5 * PLANES[0, 0, 0]


def test_planes_that_descend_are_put_in_order() -> None:
    """Offsets below zero: the first plane is the highest, and stays at its own place."""
    image = read_dose(dose([0.0, -2.5]))
    assert at(image, (-10.0, 20.0, 30.0)) == 0.5 * PLANES[0, 0, 0]
    assert at(image, (-10.0, 20.0, 27.5)) == 0.5 * PLANES[1, 0, 0]


def test_a_tilted_grid_keeps_its_normal() -> None:
    """Planes are stacked along the normal of the orientation, not along z."""
    tilted = dose([0.0, 2.0], ImageOrientationPatient=[1, 0, 0, 0, 0, -1])
    image = read_dose(tilted)
    assert at(image, (-10.0, 22.0, 30.0)) == 0.5 * PLANES[1, 0, 0]
    assert at(image, (-10.0, 20.0, 28.0)) == 0.5 * PLANES[0, 1, 0]


def test_one_plane_is_a_volume_of_one_slice() -> None:
    """pydicom drops the axis of a single frame."""
    image = read_dose(dose([0.0], PLANES[:1]))
    assert image.GetSize() == (4, 3, 1)


@pytest.mark.parametrize(
    ("made", "code"),
    [
        (dose([0.0, 2.0], DoseGridScaling=None), "dose_geometry_missing"),
        (dose([0.0, 2.0, 4.0]), "dose_planes_inconsistent"),
        (dose([0.0, 2.0, 5.0], np.zeros((3, 3, 4), np.uint16)), "dose_planes_uneven"),
        (dose([0.0, 0.0]), "dose_planes_uneven"),
        (dose([0.0, 2.0], PixelData=b"\0" * 8), "dose_pixels_unreadable"),
    ],
)
def test_a_grid_that_cannot_be_placed_is_refused(made: Dataset, code: str) -> None:
    """Nothing is guessed about where dose lies."""
    with pytest.raises(DataRefused, check=has_reason(code)):
        read_dose(made)
