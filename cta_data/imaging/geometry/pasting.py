"""A volume that is a part of another grid, put back in its place."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cta_data.imaging.geometry.grid import Grid

_VOXEL_TOLERANCE = 1e-3


def pasted(voxels: NDArray[np.generic], own: Grid, onto: Grid) -> NDArray[np.generic] | None:
    """Return a volume (z, y, x) on a grid that it is a part of, zero around it.

    Returns
    -------
    numpy.ndarray or None
        None where its voxels are no voxels of the grid, or one that is not zero lies outside.
    """
    last_voxel = np.array(own.size) - 1
    corners = np.array(np.meshgrid(*[(0, end) for end in last_voxel])).reshape(3, -1).T
    found = onto.to_index(own.to_point(corners))
    first = np.round(found[0]).astype(int)
    last = first + last_voxel
    if np.abs(found - first - corners).max() > _VOXEL_TOLERANCE:
        return None
    made = np.zeros(onto.size[::-1], voxels.dtype)
    low = np.maximum(first, 0)
    high = np.minimum(last + 1, onto.size)
    if (high <= low).any():
        return made if not voxels.any() else None
    target = tuple(slice(low[axis], high[axis]) for axis in (2, 1, 0))
    source = tuple(slice(low[a] - first[a], high[a] - first[a]) for a in (2, 1, 0))
    made[target] = voxels[source]
    return made if np.count_nonzero(made) == np.count_nonzero(voxels) else None
