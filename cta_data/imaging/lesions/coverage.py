"""How much of every voxel of a target grid a lesion covers, sampled in physical space."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray
from scipy import ndimage

from cta_data.errors import DataRefused
from cta_data.imaging.geometry.grid import Grid
from cta_data.imaging.lesions.lesion_stack import LesionStack

_SAMPLE_DISTANCE_MM = 0.25
_SAMPLES_PER_AXIS = (3, 8)
_POINTS_AT_ONCE = 2_000_000
_LARGE_BOX_VOXELS = 4_000
_SEARCH_STEP_MM = 5.0
_SEARCH_MARGIN_MM = 30.0
_ON_A_VOXEL = 1e-2


@dataclass(frozen=True, eq=False)
class Coverage:
    """Share of every voxel that is covered, in a box that may reach beyond the image.

    ``values`` is float, (z, y, x), from 0 to 1; ``start`` is the box's first voxel (x, y, z).
    """

    values: NDArray[np.float64]
    start: NDArray[np.int64]


class PointMap:
    """A transform from target points to source points (LPS, mm), for whole grids at once."""

    def __init__(self, transform: sitk.Transform, target: Grid) -> None:
        """Prepare ``transform`` (ITK's resampling direction) for the grid ``target``.

        Raises
        ------
        DataRefused
            If the transform is linear and mirrors or flattens space.
        """
        self.transform = transform
        self.target = target
        self.linear: tuple[NDArray[np.float64], NDArray[np.float64]] | None = None
        if transform.IsLinear():
            self.linear = _matrix_and_offset(transform)
            determinant = float(np.linalg.det(self.linear[0]))
            if not determinant > 1e-6:
                raise DataRefused("transform_not_invertible", determinant=determinant)
        else:
            self._search_index, self._search_points, self._stretch = self._search_grid()

    def to_target(self, point_lps_mm: NDArray[np.float64]) -> NDArray[np.float64] | None:
        """The target point that maps to a source point; None where no formula gives it."""
        if self.linear is None:
            return None
        matrix, offset = self.linear
        return np.asarray(np.linalg.solve(matrix, point_lps_mm - offset))

    def box_around(self, stack: LesionStack) -> tuple[NDArray[np.int64], NDArray[np.int64]] | None:
        """First voxel and end (x, y, z) of the target box that can see the stack, or None."""
        if self.linear is None:
            return self._searched_box(stack)
        matrix, offset = self.linear
        corners = np.linalg.solve(matrix, (stack.corners_lps_mm - offset).T).T
        return _voxels_around(self.target.to_index(corners), 0.0)

    def _searched_box(
        self, stack: LesionStack
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]] | None:
        """Search coarsely around the whole image, then voxel by voxel where it was found."""
        corners = stack.corners_lps_mm
        near = self._search_index[_in_box(self._search_points, corners, self._stretch)]
        if len(near) == 0:
            return None
        margin = float((_SEARCH_STEP_MM / self.target.spacing).max())
        low, end = _voxels_around(near, margin)
        moved = self._displaced(low.astype(np.float64), np.ones(3), (end - low).tolist())
        reach = self._stretch * float(self.target.spacing.max()) / _SEARCH_STEP_MM
        found = np.argwhere(_in_box(moved, corners, 1.5 * reach))[:, ::-1] + low
        return _voxels_around(found, 0.0) if len(found) else None

    def local_points(
        self,
        low: NDArray[np.int64],
        end: NDArray[np.int64],
        samples: NDArray[np.int64],
        stack: LesionStack,
    ) -> list[NDArray[np.float64]]:
        """All sample points of the voxels from ``low`` to ``end``, in the stack's coordinates.

        ``samples`` is their number per axis (x, y, z). Three arrays of shape (z, y, x).
        """
        at = [
            (np.arange((e - a) * n) + 0.5) / n - 0.5 + a
            for a, e, n in zip(low, end, samples, strict=True)
        ]
        x, y, z = at[0][None, None, :], at[1][None, :, None], at[2][:, None, None]
        if self.linear is not None:
            steps, origin = self.local_steps(stack)
            return [
                (s[0] * x + o) + s[1] * y + s[2] * z for s, o in zip(steps, origin, strict=True)
            ]
        first = np.array([axis[0] for axis in at])
        moved = self._displaced(first, 1 / samples, [len(axis) for axis in at])
        local = (moved - stack.origin) @ stack.to_local.T
        return [local[..., axis] for axis in range(3)]

    def local_steps(self, stack: LesionStack) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Matrix and offset from target indices (x, y, z) to the stack's coordinates; linear."""
        if self.linear is None:
            raise ValueError("a deformation has no one matrix")
        matrix, offset = self.linear
        linear = stack.to_local @ matrix
        start = linear @ self.target.origin + stack.to_local @ (offset - stack.origin)
        return linear @ self.target.index_to_point, start

    def meets_voxels(self, stack: LesionStack) -> bool:
        """Whether every target voxel lies on one voxel of a stack of voxels, and covers it."""
        if self.linear is None:
            return False
        steps, origin = self.local_steps(stack)
        whole = np.round(steps)
        one_on_one = (np.abs(whole).sum(axis=0) == 1).all() and (
            np.abs(whole).sum(axis=1) == 1
        ).all()
        ends = np.array(self.target.size) * np.abs(steps - whole).max()
        return bool(
            one_on_one
            and ends.max() < _ON_A_VOXEL
            and np.abs(origin - np.round(origin)).max() < _ON_A_VOXEL
        )

    def _displaced(
        self, first: NDArray[np.float64], step: NDArray[np.float64], size: list[int]
    ) -> NDArray[np.float64]:
        """Mapped points of a regular grid (in target voxels), shape (z, y, x, 3)."""
        origin = self.target.to_point(first[None])[0]
        spacing = self.target.spacing * step
        field = sitk.TransformToDisplacementField(
            self.transform,
            sitk.sitkVectorFloat64,
            size,
            origin.tolist(),
            spacing.tolist(),
            self.target.direction.ravel().tolist(),
        )
        moved = sitk.GetArrayFromImage(field)
        matrix = self.target.direction * spacing
        x, y, z = (np.arange(n, dtype=np.float64) for n in size)
        for axis in range(3):
            a, b, c = matrix[axis]
            moved[..., axis] += a * x + b * y[:, None] + c * z[:, None, None] + origin[axis]
        return np.asarray(moved)

    def _search_grid(self) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
        """A coarse grid over the image and its surroundings: indices, source points, stretch."""
        step = _SEARCH_STEP_MM / self.target.spacing
        margin = _SEARCH_MARGIN_MM / self.target.spacing
        size = [
            int(np.ceil((n + 2 * m) / s)) + 1
            for n, m, s in zip(self.target.size, margin, step, strict=True)
        ]
        moved = self._displaced(-margin, step, size)
        apart = [np.linalg.norm(np.diff(moved, axis=axis), axis=-1) for axis in range(3)]
        largest = max(float(np.nanmax(distance)) for distance in apart if distance.size)
        z, y, x = np.meshgrid(*[np.arange(n) for n in size[::-1]], indexing="ij")
        index = np.stack([x, y, z], axis=-1).reshape(-1, 3) * step - margin
        return index, moved.reshape(-1, 3), largest


def _in_box(
    points: NDArray[np.float64], corners: NDArray[np.float64], margin: float
) -> NDArray[np.bool_]:
    """Which points (last axis x, y, z) are in the box around ``corners`` or near it."""
    low, high = corners.min(axis=0) - margin, corners.max(axis=0) + margin
    return np.asarray(np.all((points >= low) & (points <= high), axis=-1))


def _voxels_around(
    index: NDArray[np.number], margin: float
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """First voxel and end of the box around continuous indices (n, 3)."""
    low = np.floor(index.min(axis=0) - margin + 0.5).astype(np.int64)
    return low, np.floor(index.max(axis=0) + margin + 0.5).astype(np.int64) + 1


def coverage_of(stack: LesionStack, point_map: PointMap) -> Coverage | None:
    """Sample how much of each target voxel the stack covers; None where nothing can see it.

    Every voxel gets 3 to 8 points per axis, at most 0.25 mm apart where that allows. A stack that
    lies between all points covers the voxel nearest to its centre. The box is not cut to the
    image, so what lies outside of it can be counted.
    """
    box = point_map.box_around(stack)
    if box is None:
        return None
    low, end = box
    wanted = np.ceil(point_map.target.spacing / _SAMPLE_DISTANCE_MM)
    samples = np.clip(wanted, *_SAMPLES_PER_AXIS).astype(np.int64)
    large = point_map.linear is not None and np.prod(end - low) >= _LARGE_BOX_VOXELS
    values = _sampled(stack, point_map, low, end, np.array([2, 2, 2]) if large else samples)
    if large:
        # Of a large lesion only the voxels at its surface need all samples.
        mixed = ndimage.maximum_filter(values, 3) != ndimage.minimum_filter(values, 3)
        at = np.argwhere(mixed)
        values[mixed] = _sampled_voxels(stack, point_map, at[:, ::-1] + low, samples)
    if not values.any():
        values[_nearest_voxel(stack, point_map, low, end)] = 1 / float(samples.prod())
    return Coverage(values, low)


def _nearest_voxel(
    stack: LesionStack, point_map: PointMap, low: NDArray[np.int64], end: NDArray[np.int64]
) -> tuple[np.int64, ...]:
    """Index (z, y, x) in a box of the voxel whose centre maps nearest to the stack's centre."""
    local = point_map.local_points(low, end, np.ones(3, np.int64), stack)
    to_lps = np.linalg.inv(stack.to_local)
    points = np.stack([np.broadcast_to(one, (end - low)[::-1]) for one in local], axis=-1)
    apart = points @ to_lps.T + stack.origin - stack.centroid_lps_mm
    distance = np.nan_to_num(np.linalg.norm(apart, axis=-1), nan=np.inf)
    return np.unravel_index(int(distance.argmin()), distance.shape)


def _sampled(
    stack: LesionStack,
    point_map: PointMap,
    low: NDArray[np.int64],
    end: NDArray[np.int64],
    samples: NDArray[np.int64],
) -> NDArray[np.float64]:
    """Covered share of every voxel of a box, (z, y, x), a few slices at a time."""
    layer_points = int(np.prod((end - low)[:2] * samples[:2]) * samples[2])
    thickness = max(1, _POINTS_AT_ONCE // layer_points)
    parts: list[NDArray[np.float64]] = []
    for first in range(int(low[2]), int(end[2]), thickness):
        part_low = np.array([low[0], low[1], first])
        part_end = np.array([end[0], end[1], min(first + thickness, int(end[2]))])
        points = point_map.local_points(part_low, part_end, samples, stack)
        nx, ny, nz = part_end - part_low
        grouped = stack.contains(*points).reshape(nz, samples[2], ny, samples[1], nx, samples[0])
        parts.append(grouped.mean(axis=(1, 3, 5)))
    return np.concatenate(parts)


def _sampled_voxels(
    stack: LesionStack,
    point_map: PointMap,
    index: NDArray[np.int64],
    samples: NDArray[np.int64],
) -> NDArray[np.float64]:
    """Covered share of single voxels, (n, 3), x, y, z, under a linear map."""
    steps, origin = point_map.local_steps(stack)
    within = [(np.arange(n) + 0.5) / n - 0.5 for n in samples]
    offsets = np.stack(np.meshgrid(*within, indexing="ij"), axis=-1).reshape(-1, 3) @ steps.T
    centres = index @ steps.T + origin
    shares = np.empty(len(index))
    at_once = max(1, _POINTS_AT_ONCE // len(offsets))
    for first in range(0, len(index), at_once):
        part = centres[first : first + at_once]
        points = [part[:, None, axis] + offsets[None, :, axis] for axis in range(3)]
        shares[first : first + at_once] = stack.contains(*points).mean(axis=1)
    return shares


def _matrix_and_offset(
    transform: sitk.Transform,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The 3 × 3 matrix and offset (mm) of a linear transform, whatever its class."""
    offset = np.array(transform.TransformPoint((0.0, 0.0, 0.0)))
    ends = [transform.TransformPoint(tuple(axis)) for axis in np.eye(3).tolist()]
    return np.array(ends).T - offset[:, None], offset
