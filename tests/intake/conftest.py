"""DICOM files made for these tests."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

MR = "1.2.840.10008.5.1.4.1.1.4"
RAW = "1.2.840.10008.5.1.4.1.1.66"
PRESENTATION = "1.2.840.10008.5.1.4.1.1.11.1"
DOSE_REPORT = "1.2.840.10008.5.1.4.1.1.88.67"

MakeDicom = Callable[..., bytes]
MakeSeries = Callable[..., list[Path]]


def dicom_bytes(number: int = 1, series: str = "1.2.3.1.1", **changes: Any) -> bytes:
    """Bytes of a 4 × 4 MR slice; ``changes`` are elements by keyword.

    Another patient number is another person, unless the name is given as well.
    """
    dataset = Dataset()
    dataset.SOPClassUID = MR
    dataset.SOPInstanceUID = f"{series}.{number}"
    dataset.StudyInstanceUID = series.rsplit(".", 1)[0]
    dataset.SeriesInstanceUID = series
    dataset.FrameOfReferenceUID = "1.2.3.9"
    dataset.PatientID = "HOSPITAL-4711"
    number_of_patient = changes.get("PatientID", "")
    dataset.PatientName = "Doe^Jane" + "".join(filter(str.isalnum, number_of_patient or ""))
    dataset.PatientBirthDate = "19600203"
    dataset.PatientSex = "F"
    dataset.Modality = "MR"
    dataset.StudyDate = "20200102"
    dataset.AcquisitionDate = "20200102"
    dataset.AcquisitionTime = f"1010{number:02d}.500000"
    dataset.SeriesDescription = "t1_mprage"
    dataset.ScanningSequence = ["GR", "IR"]
    dataset.RepetitionTime = "2000"
    dataset.InstanceNumber = number
    dataset.Rows = dataset.Columns = 4
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.BitsAllocated = dataset.BitsStored = 16
    dataset.HighBit = 15
    dataset.PixelRepresentation = 0
    dataset.PixelData = bytes([number]) * 32
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    for keyword, value in changes.items():
        if value is None:
            delattr(dataset, keyword)
        elif keyword == "TransferSyntaxUID":
            dataset.file_meta.TransferSyntaxUID = value
        else:
            setattr(dataset, keyword, value)
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    stream = io.BytesIO()
    dataset.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


@pytest.fixture
def make_dicom() -> MakeDicom:
    """Function that makes the bytes of one slice."""
    return dicom_bytes


@pytest.fixture
def make_series() -> MakeSeries:
    """Function that writes a series of slices into a folder, without extension."""

    def make(
        folder: Path, slices: int = 3, series: str = "1.2.3.1.1", **changes: Any
    ) -> list[Path]:
        folder.mkdir(parents=True, exist_ok=True)
        paths = []
        for number in range(1, slices + 1):
            path = folder / f"{series}-{number}"
            path.write_bytes(dicom_bytes(number, series, **changes))
            paths.append(path)
        return paths

    return make
