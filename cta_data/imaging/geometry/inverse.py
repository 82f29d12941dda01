"""Inverses of transforms: exact where there is a formula, by iteration for deformations."""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray
from scipy import ndimage

from cta_data.errors import DataRefused
from cta_data.imaging.geometry.grid import Grid

# Between its points a field is straight. An inverse on a grid as coarse as the field's own misses
# by a quarter of a millimetre where the field bends.
_SPACING_MM = 2.0
_MOST_POINTS = 2_000_000
_MOST_ITERATIONS = 50
_SETTLED_MM = 1e-3
_MOST_ERROR_MM = 0.1


def inverse_of(transform: sitk.Transform) -> sitk.Transform:
    """Return the transform that takes every point back.

    A displacement field is inverted on a grid around the points that it leads to, by iterating
    v(y) = -u(y + v(y)) (Chen et al. 2008); beyond the field's own grid its edge goes on. Of a
    composite, each part is inverted.

    Raises
    ------
    DataRefused
        A deformation folds or tears space, so that it has no inverse.
    """
    if transform.IsLinear():
        return transform.GetInverse()
    if transform.GetName() == "CompositeTransform":
        composite = sitk.CompositeTransform(transform)
        parts = [composite.GetNthTransform(n) for n in range(composite.GetNumberOfTransforms())]
        # A composite applies its last transform first.
        return sitk.CompositeTransform([inverse_of(part) for part in reversed(parts)])
    return _inverted_field(sitk.DisplacementFieldTransform(transform).GetDisplacementField())


def _inverted_field(field: sitk.Image) -> sitk.Transform:
    grid = Grid.of(field)
    vectors = sitk.GetArrayFromImage(field)
    undefined = ~np.isfinite(vectors).all(axis=-1)
    vectors[undefined] = 0.0
    target = _reached(grid, vectors)
    points = target.to_point(_indices(target.size))
    moved = np.tile(-vectors.reshape(-1, 3).mean(axis=0), (len(points), 1))
    smallest = np.inf
    for _ in range(_MOST_ITERATIONS):
        next_step = -_sampled(vectors, grid, points + moved)
        change = float(np.abs(next_step - moved).max())
        moved = next_step
        smallest = min(smallest, change)
        # Steps that grow again lead nowhere: the field folds, and the check below says so.
        if change < _SETTLED_MM or change > 1.2 * smallest:
            break
    _require_inverse(grid, vectors, points, moved)
    if undefined.any():
        gone = _sampled(undefined[..., None].astype(np.float64), grid, points + moved)[:, 0] > 0
        moved[gone] = np.nan
    image = sitk.GetImageFromArray(moved.reshape(*target.size[::-1], 3), isVector=True)
    image.SetSpacing(target.spacing.tolist())
    image.SetOrigin(target.origin.tolist())
    image.SetDirection(target.direction.ravel().tolist())
    return sitk.DisplacementFieldTransform(sitk.Cast(image, sitk.sitkVectorFloat64))


def _reached(grid: Grid, vectors: NDArray[np.float64]) -> Grid:
    """A grid along the axes of the field, around all points that its grid is moved to."""
    index = _indices(grid.size) + np.linalg.solve(grid.index_to_point, vectors.reshape(-1, 3).T).T
    low, high = np.floor(index.min(axis=0)), np.ceil(index.max(axis=0))
    spacing = np.minimum(grid.spacing, _SPACING_MM)
    extent = (high - low) * grid.spacing
    spacing *= max(1.0, (float(np.prod(extent / spacing + 1)) / _MOST_POINTS) ** (1 / 3))
    x, y, z = (np.ceil(extent / spacing) + 1).astype(int).tolist()
    return Grid((x, y, z), spacing, grid.to_point(low[None])[0], grid.direction)


def _indices(size: tuple[int, int, int]) -> NDArray[np.float64]:
    """Indices (x, y, z) of all voxels in the order of an array (z, y, x)."""
    z, y, x = np.indices(size[::-1], dtype=np.float64).reshape(3, -1)
    return np.stack([x, y, z], axis=1)


def _sampled(
    values: NDArray[np.float64], grid: Grid, points: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Values (z, y, x, n) at points (LPS, mm), linearly; beyond the grid those at its edge."""
    at = grid.to_index(points)[:, ::-1].T
    return np.stack(
        [
            ndimage.map_coordinates(values[..., n], at, order=1, mode="nearest")
            for n in range(values.shape[-1])
        ],
        axis=1,
    )


def _require_inverse(
    grid: Grid,
    vectors: NDArray[np.float64],
    points: NDArray[np.float64],
    moved: NDArray[np.float64],
) -> None:
    index = grid.to_index(points + moved)
    inside = ((index >= 0) & (index <= np.array(grid.size) - 1)).all(axis=1)
    apart = np.linalg.norm(moved + _sampled(vectors, grid, points + moved), axis=1)[inside]
    if apart.size and float(apart.max()) > _MOST_ERROR_MM:
        raise DataRefused("deformation_not_invertible", apart_mm=apart.max())
