"""Rigid poses of the digital patients, and the voxels and points of their grids.

All points are LPS millimetres in the order (x, y, z). The patient's anatomy lives in its own frame,
the *anatomy frame*; a scanner's frame of reference is reached from it by a rigid pose.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import SimpleITK as sitk

from cta_data.imaging.geometry.grid import Grid

Array = npt.NDArray[np.float64]
Box = tuple[slice, slice, slice]


@dataclass(frozen=True)
class Rigid:
    """A rigid mapping of points, `y = rotation @ x + translation` (LPS mm)."""

    rotation: Array
    translation: Array

    def apply(self, points: npt.ArrayLike) -> Array:
        """Map points of shape (..., 3)."""
        return np.asarray(points, dtype=np.float64) @ self.rotation.T + self.translation

    def inverse(self) -> Rigid:
        """The mapping back."""
        return Rigid(self.rotation.T, -self.rotation.T @ self.translation)

    def after(self, first: Rigid) -> Rigid:
        """The mapping that applies `first`, then this one."""
        return Rigid(
            self.rotation @ first.rotation,
            self.rotation @ first.translation + self.translation,
        )

    def matrix(self) -> Array:
        """The homogeneous 4 × 4 matrix."""
        matrix = np.eye(4)
        matrix[:3, :3] = self.rotation
        matrix[:3, 3] = self.translation
        return matrix

    def to_sitk(self) -> sitk.Transform:
        """The same point mapping as an ITK Euler transform."""
        transform = sitk.Euler3DTransform()
        transform.SetMatrix(self.rotation.ravel().tolist(), 1e-6)
        transform.SetTranslation(self.translation.tolist())
        return transform


def identity() -> Rigid:
    """The pose that moves nothing."""
    return Rigid(np.eye(3), np.zeros(3))


def random_rigid(
    rng: np.random.Generator, *, degrees: float, millimetres: float, about: Array
) -> Rigid:
    """Draw a pose: rotation of at most `degrees` about each axis through `about`, and a shift.

    Each angle is uniform in ± `degrees`, each component of the shift in ± `millimetres`.
    """
    x, y, z = np.deg2rad(rng.uniform(-degrees, degrees, 3))
    cx, cy, cz, sx, sy, sz = np.cos(x), np.cos(y), np.cos(z), np.sin(x), np.sin(y), np.sin(z)
    around_x = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    around_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    around_z = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
    rotation = around_z @ around_y @ around_x
    shift = rng.uniform(-millimetres, millimetres, 3)
    return Rigid(rotation, about + shift - rotation @ about)


def index_of(grid: Grid, points: npt.ArrayLike) -> Array:
    """Continuous indices (x, y, z) of points of shape (..., 3)."""
    local = (np.asarray(points, dtype=np.float64) - grid.origin) @ grid.direction
    return local / grid.spacing


def box_around(grid: Grid, centre: Array, radius: float) -> Box | None:
    """Slices (z, y, x) of the voxels within `radius` mm of a point; None if none."""
    index = index_of(grid, centre)
    reach = radius / grid.spacing
    low = np.maximum(np.floor(index - reach).astype(int), 0)
    high = np.minimum(np.ceil(index + reach).astype(int) + 1, grid.size)
    if np.any(high <= low):
        return None
    x, y, z = (slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
    return z, y, x


def points_in(grid: Grid, box: Box) -> Array:
    """Points of the voxel centres in a box, of shape (nz, ny, nx, 3)."""
    z, y, x = (np.arange(s.start, s.stop, dtype=np.float64) for s in box)
    matrix = grid.index_to_point
    return (
        x[None, None, :, None] * matrix[:, 0]
        + y[None, :, None, None] * matrix[:, 1]
        + z[:, None, None, None] * matrix[:, 2]
        + grid.origin
    )


SAGITTAL = np.array([[0.0, 0.0, -1.0], [1.0, 0.0, 0.0], [0.0, -1.0, 0.0]])
"""Columns: along a row to the back, down a column to the feet, from slice to slice to the right."""


def oriented_grid(
    axes: Array,
    spacing: tuple[float, float, float],
    extent: Array,
    centre: Array,
    pose: Rigid,
    lattice: tuple[Array, float] | None = None,
) -> Grid:
    """A grid of about `extent` mm around `centre`, with its `axes` carried along by `pose`.

    `spacing` and `extent` (mm) follow the axes of the grid; `centre` is a point before `pose`. A
    `lattice` (origin, spacing) before `pose` moves the grid so that its first voxel is a node.
    """
    size = np.maximum(np.round(extent / np.asarray(spacing)).astype(int), 1)
    first = centre - axes @ ((size - 1) / 2 * np.asarray(spacing))
    if lattice is not None:
        origin, step = lattice
        first = origin + np.round((first - origin) / step) * step
    nx, ny, nz = (int(n) for n in size)
    return Grid((nx, ny, nz), np.array(spacing), pose.apply(first), pose.rotation @ axes)
