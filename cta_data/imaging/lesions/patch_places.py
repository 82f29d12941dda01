"""Where patches with and without a metastasis are cut, matched for place; and the cutting.

A patch is a cube of an isotropic grid. A positive one is centred on a lesion. Its negative is of
the same head, within 2 mm of the same depth below the surface of the brain, wholly inside the grid,
and none of its voxels is of a lesion.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

DEPTH_TOLERANCE_MM = 2.0
Index = tuple[int, int, int]


@dataclass(frozen=True)
class PatchPlace:
    """Centre of a patch.

    Attributes
    ----------
    lesion
        Lesion that the patch is centred on, or whose negative it is.
    has_metastasis
        Whether it is centred on a lesion.
    centre
        Voxel (z, y, x); the patch begins `edge // 2` voxels before it.
    depth_mm
        Depth of the centre below the surface of the brain; 0 outside of it.
    """

    lesion: int
    has_metastasis: bool
    centre: Index
    depth_mm: float


def place_patches(
    lesions: Mapping[int, Index],
    occupied: NDArray[np.bool_],
    depth_mm: NDArray[np.float64],
    edge: int,
    generator: np.random.Generator,
) -> list[PatchPlace]:
    """Return the places of all positive patches, each followed by its negative if there is one.

    A negative is drawn at random among all places that match, without those less than half an edge
    (along every axis) from a negative before it. Where none is left, the positive has no negative.

    Parameters
    ----------
    lesions
        Centre voxel (z, y, x) of each lesion by its number.
    occupied
        Voxels of any lesion.
    depth_mm
        Depth of every voxel below the surface of the brain, 0 outside of it.
    edge
        Voxels along an edge of a patch.
    """
    free = (depth_mm > 0) & ~boxes_with(occupied, edge) & _inside(occupied.shape, edge)
    places: list[PatchPlace] = []
    for number, centre in sorted(lesions.items()):
        inside = all(0 <= c < n for c, n in zip(centre, depth_mm.shape, strict=True))
        depth = float(depth_mm[centre]) if inside else 0.0
        places.append(PatchPlace(number, True, centre, depth))
        matching = np.flatnonzero(free & (np.abs(depth_mm - depth) <= DEPTH_TOLERANCE_MM))
        if not len(matching):
            continue
        drawn = np.unravel_index(int(generator.choice(matching)), depth_mm.shape)
        chosen = (int(drawn[0]), int(drawn[1]), int(drawn[2]))
        places.append(PatchPlace(number, False, chosen, float(depth_mm[chosen])))
        half = max(1, edge // 2)
        free[tuple(slice(max(0, c - half + 1), c + half) for c in chosen)] = False
    return places


def boxes_with(mask: NDArray[np.bool_], edge: int) -> NDArray[np.bool_]:
    """Return for every voxel whether the patch centred there holds a voxel of the mask."""
    found = mask
    for axis in range(mask.ndim):
        before, after = edge // 2, edge - edge // 2
        padding = [(0, 0)] * mask.ndim
        padding[axis] = (before + 1, after - 1)
        sums = np.cumsum(np.pad(found, padding), axis=axis, dtype=np.int32)
        count = mask.shape[axis]
        upper = np.take(sums, range(edge, edge + count), axis)
        found = upper > np.take(sums, range(count), axis)
    return found


def _inside(shape: tuple[int, ...], edge: int) -> NDArray[np.bool_]:
    """Return the voxels whose patch lies wholly inside the grid."""
    inside = np.zeros(shape, bool)
    inside[tuple(slice(edge // 2, max(0, n - (edge - edge // 2) + 1)) for n in shape)] = True
    return inside


def cut_patch(
    volume: NDArray[np.float32], centre: Index, edge: int, outside: float = 0.0
) -> NDArray[np.float32]:
    """Return the cube (edge, edge, edge) around a voxel; beyond the volume it holds `outside`."""
    patch = np.full((edge,) * 3, outside, np.float32)
    taken, put = [], []
    for c, n in zip(centre, volume.shape, strict=True):
        first = c - edge // 2
        low, high = max(0, first), min(n, first + edge)
        if low >= high:
            return patch
        taken.append(slice(low, high))
        put.append(slice(low - first, high - first))
    patch[tuple(put)] = volume[tuple(taken)]
    return patch
