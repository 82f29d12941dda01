"""Stacks of lesions given as voxels: the voxels themselves, and the smooth shape behind them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from cta_data.imaging.geometry.grid import Grid
from cta_data.imaging.lesions.lesion_stack import LesionStack

SMOOTHING_VOXELS = 0.5
"""Standard deviation of the Gaussian, in voxels along each axis."""
_FINE_MM = 0.25
_SAMPLES = (2, 8)
_MOST_SAMPLES = 8_000_000
_PAD = 2


def stack_of_voxels(
    voxels: NDArray[np.bool_], start: tuple[int, int, int], grid: Grid
) -> LesionStack:
    """The stack whose slabs are slices and whose pixels are voxels.

    Parameters
    ----------
    voxels
        bool, (z, y, x): the lesion in its box.
    start
        First voxel of the box (x, y, z).
    """
    slices = np.arange(len(voxels), dtype=np.float64)
    origin = grid.to_point(np.array(start, dtype=np.float64)[None])[0]
    to_local = np.asarray(np.linalg.inv(grid.index_to_point), dtype=np.float64)
    return LesionStack(voxels, slices - 0.5, slices + 0.5, to_local, origin)


def shape_of_voxels(
    voxels: NDArray[np.bool_], start: tuple[int, int, int], grid: Grid
) -> LesionStack:
    """The stack of the smooth shape that a mask most likely stands for, with the mask's volume.

    A voxel of a mask says that its centre is inside, not that all of it is. So the mask is
    smoothed by half a voxel, interpolated linearly to a raster of about a quarter of a millimetre,
    and cut at the level that keeps its volume. Between thick slices this is what interpolates the
    outline.

    Parameters
    ----------
    voxels, start
        As for `stack_of_voxels`.
    """
    samples = _samples_per_voxel(grid.spacing, voxels.shape)
    padded = np.pad(voxels, _PAD).astype(np.float64)
    level = ndimage.gaussian_filter(padded, SMOOTHING_VOXELS, truncate=4.0)
    for axis, n in enumerate(samples[::-1]):
        level = _interpolated(level, axis, n)
    wanted = int(voxels.sum()) * int(np.prod(samples))
    # Rounding makes levels equal that differ by the order of sums alone.
    level = np.round(level, 9)
    layers = _largest(level, wanted)
    at = np.arange(len(layers), dtype=np.float64)
    to_local = np.asarray(samples[:, None] * np.linalg.inv(grid.index_to_point))
    first = np.array(start, dtype=np.float64) - _PAD - (samples - 1) / (2 * samples)
    stack = LesionStack(layers, at - 0.5, at + 0.5, to_local, grid.to_point(first[None])[0])
    return stack.restricted_to(layers)


def _largest(level: NDArray[np.float64], wanted: int) -> NDArray[np.bool_]:
    """The samples of the highest levels, as near to `wanted` as levels that are alike allow."""
    cut = np.partition(level.ravel(), -wanted)[-wanted]
    above, with_cut = level > cut, level >= cut
    short, over = wanted - int(above.sum()), int(with_cut.sum()) - wanted
    return above if short < over and short < wanted else with_cut


def _samples_per_voxel(spacing: NDArray[np.float64], shape: tuple[int, ...]) -> NDArray[np.int64]:
    """Samples along x, y and z: fine, and few enough for the size of the lesion."""
    wanted = np.clip(np.ceil(spacing / _FINE_MM), *_SAMPLES)
    extent = np.array(shape[::-1]) + 2 * _PAD
    share = (_MOST_SAMPLES / float(np.prod(extent * wanted))) ** (1 / 3)
    return np.maximum(_SAMPLES[0], np.floor(wanted * min(1.0, share))).astype(np.int64)


def _interpolated(level: NDArray[np.float64], axis: int, n: int) -> NDArray[np.float64]:
    """`level` at n evenly spread places in every voxel along one axis, linearly."""
    at = (np.arange(level.shape[axis] * n) + 0.5) / n - 0.5
    low = np.clip(np.floor(at).astype(np.int64), 0, level.shape[axis] - 2)
    weight = np.clip(at - low, 0.0, 1.0)
    shape = [1, 1, 1]
    shape[axis] = -1
    share = weight.reshape(shape)
    first, second = np.take(level, low, axis), np.take(level, low + 1, axis)
    return np.asarray(first * (1 - share) + second * share)
