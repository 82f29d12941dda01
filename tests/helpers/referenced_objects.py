"""Changes to a digital patient's export: what its annotations and registrations refer to."""

from __future__ import annotations

from collections.abc import Sequence as Several
from pathlib import Path

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import generate_uid


def move_series(files: Several[Path], shift_mm: Several[float], seed: str) -> str:
    """Put a series into a frame of reference of its own, its coordinates shifted (LPS, mm)."""
    frame = generate_uid(entropy_srcs=[seed])
    for path in files:
        ds = pydicom.dcmread(path)
        ds.FrameOfReferenceUID = frame
        place = np.array(ds.ImagePositionPatient, float) + np.array(shift_mm)
        ds.ImagePositionPatient = [f"{value:.6f}" for value in place]
        ds.save_as(path)
    return frame


def refer_to(
    structure_set: Path, files: Several[Path], to_image: NDArray[np.float64] | None = None
) -> None:
    """Let a structure set refer to another series, slice by slice.

    `to_image` (4 × 4, LPS, mm) brings its contours from the planning CT to that series.
    """
    ds = pydicom.dcmread(structure_set)
    images = [pydicom.dcmread(path, stop_before_pixels=True) for path in files]
    frame, series = images[0].FrameOfReferenceUID, images[0].SeriesInstanceUID
    [reference] = ds.ReferencedFrameOfReferenceSequence
    reference.FrameOfReferenceUID = frame
    [study] = reference.RTReferencedStudySequence
    [listed] = study.RTReferencedSeriesSequence
    listed.SeriesInstanceUID = series
    listed.ContourImageSequence = Sequence([_instance(image) for image in images])
    for roi in ds.StructureSetROISequence:
        roi.ReferencedFrameOfReferenceUID = frame
    matrix = np.eye(4) if to_image is None else to_image
    for item in ds.ROIContourSequence:
        for contour in item.ContourSequence:
            points = np.array(contour.ContourData, float).reshape(-1, 3)
            moved = points @ matrix[:3, :3].T + matrix[:3, 3]
            contour.ContourData = [f"{value:.3f}" for value in moved.ravel()]
            nearest = min(images, key=lambda image: _distance(image, moved.mean(axis=0)))
            contour.ContourImageSequence = Sequence([_instance(nearest)])
    ds.save_as(structure_set)


def _instance(image: Dataset) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID = image.SOPClassUID
    item.ReferencedSOPInstanceUID = image.SOPInstanceUID
    return item


def _distance(image: Dataset, point: NDArray[np.float64]) -> float:
    """Distance of a point from a slice's plane (mm)."""
    axes = np.array(image.ImageOrientationPatient, float).reshape(2, 3)
    return abs(float(np.cross(*axes) @ (point - np.array(image.ImagePositionPatient, float))))
