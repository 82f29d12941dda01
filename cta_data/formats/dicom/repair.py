"""Bring slices that are tilted, shifted or unevenly spaced onto a regular orthogonal grid."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from cta_data.formats.dicom.geometry import SeriesGeometry
from cta_data.size_limit import require_allowed

NEGLIGIBLE_MM = 1e-3


def resample_slices(
    volume: NDArray[np.generic], geometry: SeriesGeometry
) -> tuple[NDArray[np.generic], NDArray[np.float64], float]:
    """Resample a stack of parallel slices linearly onto a regular orthogonal grid.

    Each slice is first shifted within its plane onto a common frame, large enough that nothing is
    cut; then neighbours are interpolated along the normal at the median step. Voxels that no slice
    covers get the smallest value of the volume. Integer types are rounded.

    Parameters
    ----------
    volume
        Axes slice, row, column; slices sorted as in `geometry`.
    geometry
        The measured places of the slices.

    Returns
    -------
    volume, first, step
        The resampled volume (same axes and type), the LPS position (mm) of its first voxel, and
        the distance between its slices (mm).
    """
    shifted, corner = _align_within_planes(volume.astype(np.float32), geometry)
    resampled, step = _even_out(shifted, geometry)
    first = geometry.positions[0] + corner @ geometry.cosines[:2]
    if np.issubdtype(volume.dtype, np.integer):
        resampled = np.rint(resampled)
    return resampled.astype(volume.dtype), first, step


def _align_within_planes(
    volume: NDArray[np.float32], geometry: SeriesGeometry
) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Slices on one frame, and the frame's corner (along row, along column) in mm."""
    offsets = geometry.offsets
    if np.abs(offsets).max() < NEGLIGIBLE_MM:
        return volume, np.zeros(2)
    pixel = np.array([geometry.spacing[1], geometry.spacing[0]])
    lowest = np.floor(offsets.min(axis=0) / pixel)
    highest = np.ceil(offsets.max(axis=0) / pixel)
    grown = (highest - lowest).astype(int)
    slices, rows, columns = volume.shape
    require_allowed(4 * slices * int(rows + grown[1]) * int(columns + grown[0]), where="series")
    background = float(volume.min())
    result = np.empty((slices, rows + grown[1], columns + grown[0]), np.float32)
    for number, offset in enumerate(offsets):
        along_row, along_column = offset / pixel - lowest
        # The frame's pixel (r, c) shows the slice's pixel (r - along_column, c - along_row).
        ndimage.affine_transform(
            volume[number],
            np.ones(2),
            offset=(-along_column, -along_row),
            output_shape=result.shape[1:],
            output=result[number],
            order=1,
            mode="constant",
            cval=background,
        )
    return result, lowest * pixel


def _even_out(
    volume: NDArray[np.float32], geometry: SeriesGeometry
) -> tuple[NDArray[np.float32], float]:
    """Volume at regular distances along the normal, and their step in mm."""
    distances = geometry.distances
    count = max(int(np.rint(distances[-1] / geometry.step)), 1) + 1
    step = float(distances[-1]) / (count - 1)
    require_allowed(4 * count * volume[0].size, where="series")
    wanted = np.linspace(0.0, distances[-1], count)
    if count == len(distances) and np.abs(wanted - distances).max() < NEGLIGIBLE_MM:
        return volume, step
    below = np.clip(np.searchsorted(distances, wanted, side="right") - 1, 0, len(distances) - 2)
    share = (wanted - distances[below]) / (distances[below + 1] - distances[below])
    result = np.empty((count, *volume.shape[1:]), np.float32)
    for number, (start, weight) in enumerate(zip(below, share, strict=True)):
        result[number] = (1 - weight) * volume[start] + weight * volume[start + 1]
    return result, step
