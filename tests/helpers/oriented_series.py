"""Small MR series acquired in any direction, and labels on them, for tests of exported objects."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from helpers.segmentation_objects import make_series
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from scipy.spatial.transform import Rotation

from cta_data.formats.dicom.image_planes import PlacedSeries, place_series
from cta_data.formats.nifti.image import write_image
from cta_data.formats.reference_image import grid_of

ORIENTATIONS = {
    "axial": (1, 0, 0, 0, 1, 0),
    "sagittal": (0, 1, 0, 0, 0, -1),
    "coronal": (1, 0, 0, 0, 0, -1),
    "oblique": tuple(
        np.round(Rotation.from_euler("xyz", (12, -9, 31), degrees=True).as_matrix()[:, :2], 6)
        .T.ravel()
        .tolist()
    ),
}


def oriented_series(
    shape: tuple[int, int, int], orientation: str = "axial", pixel_mm: float = 0.9
) -> list[Dataset]:
    """A series of slices, rows and columns; its pixels are as wide as slices are apart / 1.5."""
    slices, rows, columns = shape
    made = make_series(slices=slices, rows=rows, columns=columns)
    axes = ORIENTATIONS[orientation]
    normal = np.cross(axes[:3], axes[3:])
    for number, dataset in enumerate(made):
        dataset.PixelSpacing = [pixel_mm, pixel_mm]
        dataset.SliceThickness = dataset.SpacingBetweenSlices = 1.5 * pixel_mm
        dataset.ImageOrientationPatient = list(axes)
        place = np.array([-7.25, 3.5, -20.0]) + 1.5 * pixel_mm * number * normal
        dataset.ImagePositionPatient = np.round(place, 6).tolist()
    return made


def placed(series: list[Dataset]) -> PlacedSeries:
    """Where the images of a series lie."""
    return place_series(series, grid_of(series))


def write_files(series: list[Dataset], folder: Path) -> Path:
    """Write a series as files; returns the folder."""
    folder.mkdir(parents=True)
    for number, dataset in enumerate(series):
        dataset.save_as(folder / f"{number:03d}.dcm", enforce_file_format=True)
    return folder


def write_labels(series: list[Dataset], labels: NDArray[np.integer], path: Path) -> Path:
    """Write labels (slice, row, column) of a series as NIfTI."""
    write_image(placed(series).grid.image(labels), path)
    return path
