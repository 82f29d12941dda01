"""Smooth random fields, and the warp that makes every patient's anatomy its own."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Volume = npt.NDArray[np.float32]
Points = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Canvas:
    """The grid of the anatomy frame on which tissues are laid out.

    `origin` is the first voxel (LPS mm), axes are those of LPS. The coarse grid has twice the
    spacing and `shape_coarse` (z, y, x) nodes; the fine one interleaves it: n_fine = 2 n_coarse - 1
    along every axis.
    """

    origin: Points
    spacing: float
    shape_coarse: tuple[int, int, int]

    @property
    def shape(self) -> tuple[int, int, int]:
        """Shape (z, y, x) of the fine grid."""
        z, y, x = (2 * n - 1 for n in self.shape_coarse)
        return z, y, x

    def coarse_axes(self) -> tuple[Volume, Volume, Volume]:
        """Coordinates (mm) of the coarse nodes along x, y and z, shaped for broadcasting."""
        z, y, x = (
            (self.origin[2 - a] + 2.0 * self.spacing * np.arange(n)).astype(np.float32)
            for a, n in enumerate(self.shape_coarse)
        )
        return x[None, None, :], y[None, :, None], z[:, None, None]

    def index(self, points: Points, *, coarse: bool = False) -> Points:
        """Continuous indices (z, y, x), of shape (3, n), of points (n, 3)."""
        step = 2.0 * self.spacing if coarse else self.spacing
        return ((points - self.origin) / step)[:, ::-1].T


CANVAS_LOW = np.array([-92.0, -110.0, -120.0])
CANVAS_EXTENT = np.array([184.0, 234.0, 228.0])


def make_canvas(spacing: float) -> Canvas:
    """The canvas that holds every head, with voxels of `spacing` mm."""
    nodes = np.ceil(CANVAS_EXTENT / (2.0 * spacing)).astype(int) + 1
    return Canvas(CANVAS_LOW, spacing, (int(nodes[2]), int(nodes[1]), int(nodes[0])))


def upsampled(coarse: Volume) -> Volume:
    """Interpolate linearly from n to 2 n - 1 nodes along every axis."""
    volume = coarse
    for axis in (2, 1, 0):
        moved = np.moveaxis(volume, axis, 0)
        shape = list(volume.shape)
        shape[axis] = 2 * shape[axis] - 1
        result = np.empty(shape, dtype=np.float32)
        target = np.moveaxis(result, axis, 0)
        target[::2] = moved
        np.add(moved[:-1], moved[1:], out=target[1::2])
        target[1::2] *= np.float32(0.5)
        volume = result
    return volume


def _spline_matrix(positions: Points, knots_mm: float, low: float, n_knots: int) -> Volume:
    """Cubic B-spline weights of every position (rows) on evenly spaced knots (columns)."""
    u = np.abs((positions - low)[:, None] / knots_mm - np.arange(n_knots)[None, :])
    near = 2.0 / 3.0 - u**2 + u**3 / 2.0
    far = np.clip(2.0 - u, 0.0, None) ** 3 / 6.0
    return np.where(u < 1.0, near, far).astype(np.float32)


@dataclass(frozen=True)
class SmoothField:
    """A random field of cubic B-splines: `coefficients` (z, y, x) on knots `knots_mm` apart."""

    coefficients: Points
    knots_mm: float
    low: Points

    def on_axes(self, x: Volume, y: Volume, z: Volume) -> Volume:
        """Values on the lattice of three axes, of shape (nz, ny, nx)."""
        wz, wy, wx = (
            _spline_matrix(np.ravel(axis), self.knots_mm, self.low[2 - a], n)
            for a, (axis, n) in enumerate(zip((z, y, x), self.coefficients.shape, strict=True))
        )
        step = np.tensordot(self.coefficients.astype(np.float32), wx, axes=(2, 1))
        step = np.tensordot(step, wy, axes=(1, 1))
        return np.ascontiguousarray(np.tensordot(wz, step, axes=(1, 0)).transpose(0, 2, 1))

    def at(self, points: Points) -> Points:
        """Values at scattered points (n, 3)."""
        wx, wy, wz = (
            _spline_matrix(points[:, a], self.knots_mm, self.low[a], n)
            for a, n in enumerate(self.coefficients.shape[::-1])
        )
        nz, ny, nx = self.coefficients.shape
        planes = (wz @ self.coefficients.reshape(nz, -1)).reshape(-1, ny, nx)
        rows = np.matmul(wy[:, None, :], planes)[:, 0, :]
        return np.asarray(np.sum(rows * wx, axis=1), dtype=np.float64)


def random_field(rng: np.random.Generator, knots_mm: float, amplitude: float) -> SmoothField:
    """A field over the canvas of about `amplitude` standard deviation."""
    n = np.ceil(CANVAS_EXTENT / knots_mm).astype(int) + 4
    # A cubic B-spline of white noise keeps 0.479 of its variance along each axis.
    coefficients = rng.standard_normal(tuple(int(k) for k in n[::-1])) * amplitude / 0.479**1.5
    return SmoothField(coefficients, knots_mm, CANVAS_LOW - 1.5 * knots_mm)


@dataclass(frozen=True)
class Warp:
    """From a patient's anatomy to the template: t = matrix @ (p - centre) + centre + field(p)."""

    matrix: Points
    centre: Points
    fields: tuple[tuple[SmoothField, SmoothField, SmoothField], ...]

    def on_coarse(self, canvas: Canvas) -> tuple[Volume, Volume, Volume]:
        """Template coordinates x, y, z of the canvas' coarse nodes."""
        axes = canvas.coarse_axes()
        result = []
        for a in range(3):
            total: Volume = np.full((1, 1, 1), self.centre[a], dtype=np.float32)
            for b in range(3):
                weight, centre = np.float32(self.matrix[a, b]), np.float32(self.centre[b])
                total = total + weight * (axes[b] - centre)
            for triple in self.fields:
                total = total + triple[a].on_axes(*axes)
            result.append(total)
        return result[0], result[1], result[2]

    def to_template(self, points: Points) -> Points:
        """Template coordinates of points (n, 3) of the patient."""
        moved = (points - self.centre) @ self.matrix.T + self.centre
        for triple in self.fields:
            moved = moved + np.stack([field.at(points) for field in triple], axis=1)
        return moved

    def from_template(self, points: Points) -> Points:
        """Patient coordinates of template points (n, 3), by fixed-point iteration."""
        back = np.linalg.inv(self.matrix)
        guess = points.copy()
        for _ in range(6):
            guess = guess - (self.to_template(guess) - points) @ back.T
        return guess


def random_warp(rng: np.random.Generator) -> Warp:
    """Draw one patient's warp: scaling of up to 5 %, a tilt of up to 3°, smooth displacements."""
    scale = np.diag(1.0 / rng.uniform(0.95, 1.04, 3))
    skew = rng.uniform(-0.04, 0.04, (3, 3))
    np.fill_diagonal(skew, 0.0)
    wide = tuple(random_field(rng, 45.0, 2.6) for _ in range(3))
    narrow = tuple(random_field(rng, 18.0, 0.9) for _ in range(3))
    fields = ((wide[0], wide[1], wide[2]), (narrow[0], narrow[1], narrow[2]))
    return Warp((np.eye(3) + skew) @ scale, np.array([0.0, 10.0, 0.0]), fields)
