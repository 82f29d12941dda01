"""Small MR series and structure sets of a test's own, as files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence as Items
from pydicom.tag import Tag
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

from cta_data.formats.dicom.rtstruct import RT_STRUCTURE_SET_STORAGE

MR = "1.2.840.10008.5.1.4.1.1.4"
CLOSED = "CLOSED_PLANAR"
CARD = """
[cohort]
name = "own"
title = "A cohort of a user's own"
licence = "CC0-1.0"
access = "public"
how_to_get = "It is on this disk."
partition = "external"

[[series]]
technique = "MPRAGE"
where = { Modality = "^MR$" }

[annotations]
drawn_on_default = "MPRAGE"
[[annotations.rois]]
pattern = "^GTV"
lesion = true
[[annotations.rois]]
pattern = "."
lesion = false

[groups.NAQ]
drawn_on = "MPRAGE"
"""


@dataclass(frozen=True)
class DrawnContour:
    """One contour as it stands in a file: points (n, 3), and what may be wrong with it."""

    points: NDArray[np.float64]
    kind: str = CLOSED
    announced: int | None = None
    text: str = ""
    """Contour Data as written, where it is not that of the points."""


@dataclass(frozen=True)
class DrawnRoi:
    """A region of a structure set."""

    name: str
    contours: Sequence[DrawnContour]


def circle(
    centre: tuple[float, float], radius: float, z: float, tilt_degrees: float = 0.0
) -> NDArray[np.float64]:
    """A circle of 48 points; a tilt turns the plane about the x axis through the origin."""
    turn = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    x, y = centre[0] + radius * np.cos(turn), centre[1] + radius * np.sin(turn)
    angle = np.radians(tilt_degrees)
    across = np.cos(angle) * y - np.sin(angle) * z
    along = np.sin(angle) * y + np.cos(angle) * z
    return np.stack([x, across, along], axis=1)


def drawn_sphere(
    name: str,
    centre: tuple[float, float, float],
    radius: float,
    heights: Sequence[float],
    tilt_degrees: float = 0.0,
) -> DrawnRoi:
    """A sphere as circles on planes at ``heights``."""
    contours = []
    for z in heights:
        squared = radius**2 - (z - centre[2]) ** 2
        if squared > 0:
            points = circle(centre[:2], float(np.sqrt(squared)), z, tilt_degrees)
            contours.append(DrawnContour(points))
    return DrawnRoi(name, contours)


def write_series(
    folder: Path, heights: Sequence[float], *, size: int = 64, pixel_mm: float = 1.0
) -> None:
    """An axial MR series with its middle at x = y = 0 and slices at ``heights`` (mm)."""
    folder.mkdir(parents=True)
    random = np.random.default_rng(3)
    for number, z in enumerate(heights, start=1):
        dataset = _object(MR, f"slice {z}")
        dataset.SeriesInstanceUID = generate_uid(entropy_srcs=["series"])
        dataset.FrameOfReferenceUID = generate_uid(entropy_srcs=["frame"])
        dataset.Modality, dataset.SeriesDescription = "MR", "t1_mprage"
        dataset.SeriesNumber, dataset.InstanceNumber = 1, number
        dataset.Rows = dataset.Columns = size
        dataset.PixelSpacing = [pixel_mm, pixel_mm]
        dataset.SliceThickness = 1.0
        dataset.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
        corner = -pixel_mm * (size - 1) / 2
        dataset.ImagePositionPatient = [corner, corner, z]
        dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
        dataset.BitsAllocated = dataset.BitsStored = 16
        dataset.HighBit, dataset.PixelRepresentation = 15, 0
        dataset.PixelData = random.integers(0, 900, (size, size), dtype=np.uint16).tobytes()
        dataset.save_as(folder / f"IM{number:03d}.dcm", enforce_file_format=True)


def write_structure_set(path: Path, rois: Sequence[DrawnRoi]) -> Path:
    """A structure set that refers to the series of `write_series`."""
    dataset = _object(RT_STRUCTURE_SET_STORAGE, "structure set")
    dataset.SeriesInstanceUID = generate_uid(entropy_srcs=["contours"])
    dataset.Modality, dataset.StructureSetLabel = "RTSTRUCT", "PLAN"
    series = Dataset()
    series.SeriesInstanceUID = generate_uid(entropy_srcs=["series"])
    study = Dataset()
    study.RTReferencedSeriesSequence = Items([series])
    frame = Dataset()
    frame.FrameOfReferenceUID = generate_uid(entropy_srcs=["frame"])
    frame.RTReferencedStudySequence = Items([study])
    dataset.ReferencedFrameOfReferenceSequence = Items([frame])
    described, drawn = [], []
    for number, roi in enumerate(rois, start=1):
        about, contours = Dataset(), Dataset()
        about.ROINumber, about.ROIName = number, roi.name
        about.ReferencedFrameOfReferenceUID = frame.FrameOfReferenceUID
        contours.ReferencedROINumber = number
        contours.ContourSequence = Items([_contour(one) for one in roi.contours])
        described.append(about)
        drawn.append(contours)
    dataset.StructureSetROISequence = Items(described)
    dataset.ROIContourSequence = Items(drawn)
    path.parent.mkdir(parents=True, exist_ok=True)
    dataset.save_as(path, enforce_file_format=True)
    return path


def _object(sop_class: str, name: str) -> Dataset:
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = sop_class
    instance = generate_uid(entropy_srcs=[name])
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = instance
    dataset.StudyInstanceUID = generate_uid(entropy_srcs=["study"])
    dataset.PatientID, dataset.PatientName = "P1", "Test^One"
    dataset.PatientBirthDate, dataset.PatientSex = "19500101", "F"
    dataset.StudyDate, dataset.StudyTime = "20200102", "101010"
    dataset.Manufacturer = "Test"
    return dataset


def _contour(drawn: DrawnContour) -> Dataset:
    item = Dataset()
    item.ContourGeometricType = drawn.kind
    item.NumberOfContourPoints = len(drawn.points) if drawn.announced is None else drawn.announced
    text = drawn.text or "\\".join(f"{value:.6g}" for value in drawn.points.ravel())
    raw = (text + " " * (len(text) % 2)).encode()
    tag = Tag("ContourData")
    item[tag] = RawDataElement(tag, "DS", len(raw), raw, 0, False, True)
    return item
