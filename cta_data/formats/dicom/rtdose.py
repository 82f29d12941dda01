"""DICOM RT Dose: the dose grid as an image.

PS3.3 C.8.8.3 (RT Dose module) and C.7.6.2 (image plane): planes lie at the offsets of Grid Frame
Offset Vector from Image Position (Patient), along the normal of Image Orientation (Patient), or,
where the first offset is not 0, at those coordinates themselves (axial grids only).
"""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk
from pydicom.dataset import Dataset

from cta_data.errors import DataRefused, without_text
from cta_data.formats.dicom.header import damage_refused
from cta_data.formats.dicom.size import require_pixels_allowed
from cta_data.formats.lengths import require_plausible_lengths
from cta_data.formats.voxel_values import require_plausible_scale

UNEVEN_MM = 0.01
_NEEDED = (
    "PixelSpacing",
    "ImagePositionPatient",
    "ImageOrientationPatient",
    "GridFrameOffsetVector",
    "DoseGridScaling",
)


@damage_refused("the dose grid")
def read_dose(dataset: Dataset) -> sitk.Image:
    """Read a dose grid.

    Returns
    -------
    SimpleITK.Image
        float32, in the object's Dose Units (usually Gy), on its own grid (LPS, mm); axes column,
        row, plane, planes in ascending order along the normal.

    Raises
    ------
    DataRefused
        If an attribute that places or scales the grid is missing, planes are unevenly spaced, or
        the pixel data is damaged.
    """
    missing = [keyword for keyword in _NEEDED if dataset.get(keyword) in (None, "")]
    if missing:
        raise DataRefused("dose_geometry_missing", missing=tuple(missing))
    require_pixels_allowed([dataset], where="dose grid")
    try:
        stored = np.asarray(dataset.pixel_array)
    except (ValueError, AttributeError, NotImplementedError, RuntimeError) as error:
        raise DataRefused("dose_pixels_unreadable", error_type=without_text(error)) from error
    planes = stored if stored.ndim == 3 else stored[None]
    offsets = np.array([float(value) for value in np.atleast_1d(dataset.GridFrameOffsetVector)])
    if len(offsets) != len(planes):
        raise DataRefused("dose_planes_inconsistent", n_planes=len(planes), n_offsets=len(offsets))
    row, column = np.reshape([float(v) for v in dataset.ImageOrientationPatient], (2, 3))
    normal = np.cross(row, column)
    position = np.array([float(v) for v in dataset.ImagePositionPatient])
    along = offsets if offsets[0] == 0 else offsets - float(position @ normal)
    order = np.argsort(along)
    steps = np.diff(along[order])
    if len(steps) and (steps.min() <= 0 or np.ptp(steps) > UNEVEN_MM):
        raise DataRefused("dose_planes_uneven", shortest_mm=steps.min(), longest_mm=steps.max())
    require_plausible_scale(float(dataset.DoseGridScaling), 0.0, where="DoseGridScaling")
    dose = planes[order].astype(np.float32) * np.float32(dataset.DoseGridScaling)
    image = sitk.GetImageFromArray(dose)
    between_rows, between_columns = (float(v) for v in dataset.PixelSpacing)
    between_planes = float(steps.mean()) if len(steps) else 1.0
    require_plausible_lengths(
        (between_columns, between_rows, between_planes), position.tolist(), where="dose grid"
    )
    image.SetSpacing((between_columns, between_rows, between_planes))
    image.SetOrigin((position + along[order][0] * normal).tolist())
    image.SetDirection(np.stack([row, column, normal], axis=1).ravel().tolist())
    return image
