"""Distance of the surface of a lesion on a grid from the delineated surface."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cta_data.imaging.geometry.surfaces import surface_distances
from cta_data.imaging.lesions.coverage import PointMap
from cta_data.imaging.lesions.lesion_stack import LesionStack

_FINEST_MM = 0.25
_MOST_SAMPLES = 2_000_000


def largest_surface_distance_mm(
    stack: LesionStack,
    point_map: PointMap,
    voxels: NDArray[np.bool_],
    start: tuple[int, int, int],
) -> float | None:
    """Return the Hausdorff distance (mm) between a delineated lesion and its voxels.

    Both are sampled on one fine grid in the target's space, at most 0.25 mm apart where the lesion
    is small enough for that; a sample is at the surface where a face neighbour is outside.

    Parameters
    ----------
    stack
        The delineated lesion.
    point_map
        From target points to the points of the image that it was delineated on.
    voxels, start
        The lesion's voxels in a box (z, y, x) of the target grid, and the box's first voxel
        (x, y, z).

    Returns
    -------
    float or None
        None where the drawing reaches no sample at all.
    """
    own = np.array(start), np.array(start) + voxels.shape[::-1]
    seen = point_map.box_around(stack)
    ends = [own] if seen is None else [own, seen]
    low = np.min([low for low, _ in ends], axis=0) - 1
    end = np.max([end for _, end in ends], axis=0) + 1
    samples = _samples(point_map.target.spacing, end - low)
    points = point_map.local_points(low, end, samples, stack)
    drawn = stack.contains(*points)
    if not drawn.any():
        return None
    carried = np.zeros((end - low)[::-1], bool)
    at = (np.array(start) - low)[::-1]
    carried[tuple(slice(a, a + n) for a, n in zip(at, voxels.shape, strict=True))] = voxels
    for axis, n in enumerate(samples[::-1]):
        carried = np.repeat(carried, n, axis=axis)
    step = (point_map.target.spacing / samples)[::-1]
    there, back = surface_distances(drawn, carried, step)
    return float(max(there.max(), back.max()))


def _samples(spacing: NDArray[np.float64], extent: NDArray[np.int64]) -> NDArray[np.int64]:
    """Samples per voxel and axis (x, y, z): fine, and few enough for the box."""
    wanted = np.clip(np.ceil(spacing / _FINEST_MM), 1, 8)
    most = (_MOST_SAMPLES / float(np.prod(extent * wanted))) ** (1 / 3)
    return np.maximum(1, np.floor(wanted * min(1.0, most))).astype(np.int64)
