"""Put a mask of another order and extent onto the voxels of its image: no value is interpolated."""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from cta_data.errors import DataRefused
from cta_data.imaging.geometry.grid import Grid, Placed, same_grid

OFF_GRID_VOXELS = 0.1
"""How far a mask's voxel may lie from its image's: positions and spacings are written rounded."""
Box = tuple[slice, slice, slice]


def onto_voxels(mask: sitk.Image, image: Placed) -> NDArray[np.generic]:
    """Return the values of a mask at the voxels of an image (z, y, x), 0 where it does not reach.

    Only what the mask holds has to lie on the image: its axes may come in another order and
    direction, and its slices may be fewer.

    Raises
    ------
    DataRefused
        A filled voxel lies between the voxels of the image by more than `OFF_GRID_VOXELS` of
        their size, or outside of the image. The offset is named.
    """
    grid, own = Grid.of(image), Grid.of(mask)
    voxels = sitk.GetArrayFromImage(mask)
    placed = np.zeros(tuple(image.GetSize())[::-1], voxels.dtype)
    filled = np.argwhere(voxels != 0)
    if not len(filled):
        return placed
    low, high = filled.min(axis=0), filled.max(axis=0)
    ends = np.array(np.meshgrid(*zip(low[::-1], high[::-1], strict=True))).reshape(3, -1).T
    there = grid.to_index(own.to_point(ends))
    nearest = np.round(there)
    offset = np.abs(there - nearest).max(axis=0)
    axes, same_spacing = _matching_axes(own, grid)
    if offset.max() > OFF_GRID_VOXELS or not same_spacing:
        raise DataRefused("mask_voxels_between_image_voxels", offset=_offset(offset, grid))
    first, last = nearest.min(axis=0).astype(int), nearest.max(axis=0).astype(int)
    if (first < 0).any() or (last >= grid.size).any():
        raise DataRefused(
            "mask_outside_image",
            first=str(first.tolist()),
            last=str(last.tolist()),
            size=str(list(grid.size)),
        )
    box: Box = tuple(slice(a, b + 1) for a, b in zip(low, high, strict=True))  # type: ignore[assignment]
    target: Box = tuple(slice(a, b + 1) for a, b in zip(first[::-1], last[::-1], strict=True))  # type: ignore[assignment]
    placed[target] = _turned(voxels[box], axes)
    return placed


def reordered(
    voxels: NDArray[np.generic], placed: Placed, image: Placed
) -> NDArray[np.generic] | None:
    """Return a mask's voxels (z, y, x) in the storage order of its image; None where they differ.

    Both have to have the same voxels in the world, as `same_grid` has it: nothing is resampled.
    """
    own, grid = Grid.of(placed), Grid.of(image)
    to_ras, of_image = own.towards_ras(), grid.towards_ras()
    if not same_grid(own.arranged(to_ras), grid.arranged(of_image)):
        return None
    turned, _ = of_image.undo(to_ras.apply(voxels), (0, 0, 0), grid.size)
    return turned


def _matching_axes(own: Grid, grid: Grid) -> tuple[NDArray[np.int64], bool]:
    """Steps of the mask's axes in the image's (rows: image x, y, z), and whether voxels fit.

    Where they do, each column holds a single 1 or -1.
    """
    steps = np.linalg.solve(grid.index_to_point, own.index_to_point)
    axes = np.round(steps).astype(np.int64)
    one_each = all((np.abs(axes).sum(axis=way) == 1).all() for way in (0, 1))
    return axes, one_each and bool(np.abs(steps - axes).max() <= OFF_GRID_VOXELS)


def _turned(box: NDArray[np.generic], axes: NDArray[np.int64]) -> NDArray[np.generic]:
    """Voxels (z, y, x of the mask) with the image's order and direction of axes."""
    order = [int(np.flatnonzero(axes[axis])[0]) for axis in range(3)]
    turned = np.transpose(box, [2 - order[axis] for axis in (2, 1, 0)])
    flipped = tuple(2 - axis for axis in range(3) if axes[axis, order[axis]] < 0)
    return np.flip(turned, flipped)


def _offset(offset: NDArray[np.float64], grid: Grid) -> str:
    voxels = ", ".join(f"{value:.2f}" for value in offset)
    lengths = ", ".join(f"{value:.2f}" for value in offset * grid.spacing)
    return f"off by {voxels} voxels ({lengths} mm) along the image's axes"
