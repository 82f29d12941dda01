"""Images whose headers are damaged: what an element swallowed is not repeated anywhere."""

from __future__ import annotations

import pytest
from helpers.segmentation_objects import make_series
from pydicom.datadict import dictionary_VR
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import Tag

from cta_data.errors import DataRefused
from cta_data.formats.dicom.series import convert_series

NAME = b"WURZELSEPPVRONI "
KEYWORDS = (
    *("PhotometricInterpretation", "ImageType", "InstanceNumber", "NumberOfFrames", "Modality"),
    *("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "SliceThickness"),
    *("RescaleSlope", "RescaleIntercept", "EchoTime", "SpecificCharacterSet", "SOPClassUID"),
    *("GantryDetectorTilt", "SeriesNumber", "PatientPosition", "ScanOptions", "BodyPartExamined"),
)


def damage(dataset: Dataset, keyword: str) -> None:
    """Let an element hold the bytes of another."""
    tag = Tag(keyword)
    dataset[tag] = RawDataElement(
        tag, dictionary_VR(tag), len(NAME), NAME, 0, is_implicit_VR=False, is_little_endian=True
    )


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("without_pixels", [False, True])
@pytest.mark.parametrize("keyword", KEYWORDS)
def test_what_an_element_of_an_image_swallowed_is_not_repeated(
    keyword: str, without_pixels: bool
) -> None:
    """The series is converted, or refused with a reason that tells no text of the header."""
    series = make_series(slices=4, rows=5, columns=6)
    for dataset in series:
        damage(dataset, keyword)
        if without_pixels:
            del dataset.PixelData
    try:
        converted = convert_series(series)
    except DataRefused as error:
        assert "WURZEL" not in str(error).upper()
    else:
        assert not without_pixels
        assert "WURZEL" not in str(converted.deviations).upper()


@pytest.mark.filterwarnings("ignore")
def test_a_colour_image_of_an_unknown_kind_tells_no_text() -> None:
    """Only kinds that the standard lists are told."""
    series = make_series(slices=4, rows=5, columns=6)
    for dataset in series:
        dataset.SamplesPerPixel = 3
        damage(dataset, "PhotometricInterpretation")
    with pytest.raises(DataRefused, match="an unknown PhotometricInterpretation, 3 samples"):
        convert_series(series)
