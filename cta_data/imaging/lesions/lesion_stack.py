"""One delineated lesion, with a test of which points it contains.

A stack is a pile of slabs. Each slab is one plane on which the lesion was drawn, as a fine raster
of its contours (or as the mask's own voxels), and reaches half way to its neighbours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from cta_data.imaging.rasterization.contour_orientation import LEAST_AREA_MM2
from cta_data.imaging.rasterization.contour_planes import DrawnPlanes, slab_limits
from cta_data.imaging.rasterization.polygon_fill import Outline, fill_outlines, outlines_area

_FINEST_PIXEL_MM = 0.02
_COARSEST_PIXEL_MM = 0.1
_PIXELS_ACROSS = 60  # a small lesion's raster: its area then errs by about 0.1 %
_MOST_PIXELS = 3e7
_ON_A_FACE = 1e-4
"""Points that near to a face are on it: a header's rounding must not choose their side."""


@dataclass(frozen=True, eq=False)
class LesionStack:
    """Slabs of a lesion.

    Parameters
    ----------
    layers
        bool, shape (slabs, rows, columns): the raster of every slab.
    bottom, top
        Where each slab starts and ends, along the third local axis; ascending, without overlap.
    to_local, origin
        Local coordinates of a point p (LPS, mm) are ``to_local @ (p - origin)``: column and row
        in pixels (pixel centres at whole numbers), and height.
    """

    layers: NDArray[np.bool_]
    bottom: NDArray[np.float64]
    top: NDArray[np.float64]
    to_local: NDArray[np.float64]
    origin: NDArray[np.float64]

    def contains(
        self, column: NDArray[np.float64], row: NDArray[np.float64], height: NDArray[np.float64]
    ) -> NDArray[np.bool_]:
        """Whether points in local coordinates are inside; the arrays have one shape.

        Points that are not finite (outside of a deformation field) are not inside.
        """
        _, rows, columns = self.layers.shape
        first, last = -0.5 - _ON_A_FACE, 0.5 + _ON_A_FACE
        near = (column >= first) & (column < columns - last)
        near &= (row >= first) & (row < rows - last)
        near &= (height >= self.bottom[0] - _ON_A_FACE) & (height < self.top[-1] - _ON_A_FACE)
        level = height[near] + _ON_A_FACE
        slab = np.searchsorted(self.bottom, level, side="right") - 1
        inside = np.zeros(height.shape, bool)
        # Adding a half and cutting off rounds to the nearest pixel: nothing here is below -0.5.
        at_row, at_column = (
            (row[near] + last).astype(np.int32),
            (column[near] + last).astype(np.int32),
        )
        inside[near] = self.layers[slab, at_row, at_column] & (level < self.top[slab])
        return inside

    @property
    def volume_mm3(self) -> float:
        """Volume of the raster, mm³."""
        pixels = self.layers.sum(axis=(1, 2))
        return float(np.sum(pixels * (self.top - self.bottom)) / abs(np.linalg.det(self.to_local)))

    @property
    def centroid_lps_mm(self) -> NDArray[np.float64]:
        """Centre of mass, LPS, mm."""
        slab, row, column = np.nonzero(self.layers)
        weight = (self.top - self.bottom)[slab]
        height = ((self.top + self.bottom) / 2)[slab]
        local = np.stack([column, row, height])
        mean = (local * weight).sum(axis=1) / weight.sum()
        return np.asarray(np.linalg.solve(self.to_local, mean) + self.origin)

    @property
    def corners_lps_mm(self) -> NDArray[np.float64]:
        """The eight corners of the box around all slabs, shape (8, 3), LPS, mm."""
        _, rows, columns = self.layers.shape
        ends = [(-0.5, columns - 0.5), (-0.5, rows - 0.5), (self.bottom[0], self.top[-1])]
        local = np.array(np.meshgrid(*ends)).reshape(3, -1)
        return np.asarray(np.linalg.solve(self.to_local, local).T + self.origin)

    def restricted_to(self, layers: NDArray[np.bool_]) -> LesionStack:
        """The part of this stack where ``layers`` is true, cut to its box."""
        slabs = np.flatnonzero(layers.any(axis=(1, 2)))
        rows = np.flatnonzero(layers.any(axis=(0, 2)))
        columns = np.flatnonzero(layers.any(axis=(0, 1)))
        box = np.ix_(
            slabs, np.arange(rows[0], rows[-1] + 1), np.arange(columns[0], columns[-1] + 1)
        )
        shift = np.linalg.solve(self.to_local, [float(columns[0]), float(rows[0]), 0.0])
        return replace(
            self,
            layers=layers[box],
            bottom=self.bottom[slabs],
            top=self.top[slabs],
            origin=self.origin + shift,
        )


def stack_of_planes(drawn: DrawnPlanes) -> LesionStack:
    """The stack of an ROI's planes.

    An outline that is too fine for the raster keeps one pixel.
    """
    polygons = [plane.polygons(drawn.axes) for plane in drawn.planes]
    vertices = np.concatenate([p for plane in polygons for outline in plane for p in outline])
    low = vertices.min(axis=0)
    extent = np.maximum(vertices.max(axis=0) - low, _FINEST_PIXEL_MM)
    pixel = _pixel_size(extent, len(drawn.planes))
    # The first pixel starts at the lowest vertex, so that a box along the axes is exact.
    shape = (int(extent[1] / pixel) + 2, int(extent[0] / pixel) + 2)
    layers = []
    for plane in polygons:
        outlines = [[(p - low) / pixel - 0.5 for p in outline] for outline in plane]
        layers.append(_layer(outlines, shape, LEAST_AREA_MM2 / pixel**2))
    bottom, top = slab_limits(drawn.positions_mm, drawn.spacing_mm, drawn.joined)
    to_local = drawn.axes / np.array([pixel, pixel, 1.0])[:, None]
    origin = drawn.axes[:2].T @ (low + pixel / 2)
    return LesionStack(np.stack(layers), bottom, top, to_local, origin)


def _layer(
    outlines: Sequence[Outline], shape: tuple[int, int], least_area: float
) -> NDArray[np.bool_]:
    """The raster of one plane; areas are in pixels."""
    layer = fill_outlines(outlines, shape)
    for outline in outlines:
        vertices = np.concatenate(list(outline))
        if np.ptp(vertices, axis=0).min() > 2 or outlines_area([outline]) <= least_area:
            continue
        if not fill_outlines([outline], shape).any():
            at = np.round(vertices.mean(axis=0)).astype(int)
            column, row = np.clip(at, 0, np.array(shape[::-1]) - 1)
            layer[row, column] = True
    return layer


def _pixel_size(extent: NDArray[np.float64], planes: int) -> float:
    """Pixel of the raster, mm: fine for small lesions, bounded in memory for large ones."""
    wanted = float(np.clip(extent.max() / _PIXELS_ACROSS, _FINEST_PIXEL_MM, _COARSEST_PIXEL_MM))
    return max(wanted, float(np.sqrt(extent.prod() * planes / _MOST_PIXELS)))
