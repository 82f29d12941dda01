"""The planes of a series' images, for objects that are drawn on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pydicom
from numpy.typing import NDArray

from cta_data.errors import DataRefused
from cta_data.formats.dicom.frames import Frame, read_frames
from cta_data.formats.dicom.geometry import measure_frames
from cta_data.imaging.geometry.grid import Grid

NEEDED = ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID")
"""Attributes without which nothing can refer to an image; `FRAME` is needed of all together."""
FRAME = "FrameOfReferenceUID"
SHARED = ("PatientID", "StudyInstanceUID", "SeriesInstanceUID", FRAME)
"""Attributes that are the same in all images of one series."""


@dataclass(frozen=True, eq=False)
class ImagePlane:
    """One slice of a series.

    Attributes
    ----------
    dataset
        Its image's number in the series.
    frame
        Its frame in the image, from 1; 0 of an image that has one frame.
    position
        Centre of the first pixel, LPS mm.
    steps
        3 × 2, mm: from a pixel to the next along a row, and along a column.
    """

    sop_class_uid: str
    sop_instance_uid: str
    dataset: int
    frame: int
    position: NDArray[np.float64]
    steps: NDArray[np.float64]

    def points_lps_mm(self, pixels: Sequence[tuple[float, float]]) -> NDArray[np.float64]:
        """Places of pixels (column, row): (n, 3), LPS mm."""
        return np.asarray(np.array(pixels) @ self.steps.T + self.position)


@dataclass(frozen=True, eq=False)
class PlacedSeries:
    """A series, its planes in the order of their positions along the normal, and their grid.

    The axes of `grid` are columns, rows and slices, as the images have them.
    """

    datasets: tuple[pydicom.Dataset, ...]
    planes: tuple[ImagePlane, ...]
    grid: Grid


def place_series(datasets: Sequence[pydicom.Dataset], grid: Grid) -> PlacedSeries:
    """Return the planes of a series whose grid is known, in whatever order of its axes.

    Raises
    ------
    DataRefused
        An attribute is missing by which an object refers to its images, or the images are not of
        one patient, study and frame of reference.
    """
    _require_one_series(datasets)
    frames = read_frames(datasets)
    geometry = measure_frames(frames)
    planes = [_plane(datasets, frames[number]) for number in geometry.order]
    own = grid.arranged(grid.along(geometry.cosines.T))
    return PlacedSeries(tuple(datasets), tuple(planes), own)


def _plane(datasets: Sequence[pydicom.Dataset], frame: Frame) -> ImagePlane:
    image = datasets[frame.dataset]
    row, column = np.array(frame.orientation).reshape(2, 3)
    return ImagePlane(
        sop_class_uid=str(image.SOPClassUID),
        sop_instance_uid=str(image.SOPInstanceUID),
        dataset=frame.dataset,
        frame=frame.index + 1 if "NumberOfFrames" in image else 0,
        position=np.array(frame.position),
        steps=np.column_stack([row * frame.spacing[1], column * frame.spacing[0]]),
    )


def _require_one_series(datasets: Sequence[pydicom.Dataset]) -> None:
    for keyword in (*NEEDED, FRAME):
        missing = sum(not image.get(keyword) for image in datasets)
        if missing:
            raise DataRefused(
                "series_attribute_missing", keyword=keyword, missing=missing, n=len(datasets)
            )
    for keyword in SHARED:
        values = {str(image.get(keyword) or "") for image in datasets}
        if len(values) > 1:
            raise DataRefused("series_attribute_differs", keyword=keyword, n=len(values))
    repeated = len(datasets) - len({str(image.SOPInstanceUID) for image in datasets})
    if repeated:
        raise DataRefused("series_instances_repeated", repeated=repeated)
