"""Fill and area of outlines in a plane, by vectorised scan lines.

A point is inside a polygon when a ray from it crosses the polygon an odd number of times, so the
two banks of a keyhole's channel cancel. It is inside an outline when it is inside one of the
outline's polygons, and inside the region when it is inside an odd number of outlines, so nested
outlines are holes and islands.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Polygon = NDArray[np.float64]
Outline = Sequence[Polygon]
"""Polygons whose union counts."""

# Vertices on a pixel's centre up to rounding are taken to be on it, so that the fill does not
# depend on the last bits of a coordinate transform.
_SNAP_DECIMALS = 6


class Lines(NamedTuple):
    """Scan lines at rows ``start + i·step``."""

    start: float
    step: float
    number: int


def fill_outlines(outlines: Sequence[Outline], shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Pixels of a grid whose centre lies inside an odd number of outlines.

    Parameters
    ----------
    outlines
        Each is the union of its polygons; each polygon of shape (n, 2): column, row; in pixels,
        with pixel centres at whole numbers. They are closed here, the first vertex need not be
        repeated.
    shape
        Rows, columns.

    Returns
    -------
    bool array of shape ``shape``. A centre on an outline is inside on the side of the lower
    column or row and outside on the other, so that polygons side by side never share a pixel.
    """
    rows, columns = shape
    row, crossing = _outline_crossings(outlines, Lines(0.0, 1.0, rows))
    first_inside = np.clip(np.ceil(crossing), 0, columns).astype(np.int64)
    flips = np.bincount(row * (columns + 1) + first_inside, minlength=rows * (columns + 1))
    parity = np.cumsum(flips.reshape(rows, columns + 1)[:, :columns], axis=1) & 1
    return parity.astype(bool)


def fill_even_odd(polygons: Sequence[Polygon], shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Pixels whose centre lies inside an odd number of polygons; see :func:`fill_outlines`."""
    return fill_outlines([(polygon,) for polygon in polygons], shape)


def outlines_area(
    outlines: Sequence[Outline],
    scan_lines: int = 1024,
    between: tuple[float, float] | None = None,
) -> float:
    """Area inside an odd number of outlines, in squared units of the vertices.

    Each outline is the union of its polygons. Integrated over ``scan_lines`` lines, as no formula
    holds for outlines that cross. ``between`` limits it to a strip of rows.
    """
    heights = [polygon[:, 1] for outline in outlines for polygon in outline]
    if not heights:
        return 0.0
    together = np.concatenate(heights)
    low, high = between or (float(together.min()), float(together.max()))
    if high <= low:
        return 0.0
    step = (high - low) / scan_lines
    lines = Lines(low + step / 2, step, scan_lines)
    row, crossing = _outline_crossings(outlines, lines, snap=False)
    order = np.lexsort((crossing, row))
    # Every line is crossed an even number of times: entering counts -x, leaving +x.
    sign = np.where(np.arange(len(order)) % 2 == 0, -1.0, 1.0)
    return float(np.sum(sign * crossing[order]) * step)


def _outline_crossings(
    outlines: Sequence[Outline], lines: Lines, snap: bool = True
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Where scan lines enter or leave outlines: line numbers and abscissae."""
    alone = [outline[0] for outline in outlines if len(outline) == 1]
    parts = [_crossings(alone, lines, snap)]
    parts += [_union_crossings(outline, lines, snap) for outline in outlines if len(outline) > 1]
    row, crossing = zip(*parts, strict=True)
    return np.concatenate(row), np.concatenate(crossing)


def _union_crossings(
    polygons: Sequence[Polygon], lines: Lines, snap: bool
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Where scan lines enter or leave the union of polygons."""
    rows, crossings, changes = [], [], []
    for polygon in polygons:
        row, crossing = _crossings([polygon], lines, snap)
        order = np.lexsort((crossing, row))
        rows.append(row[order])
        crossings.append(crossing[order])
        # Of one polygon, a line enters and leaves by turns.
        changes.append(np.where(np.arange(len(order)) % 2 == 0, 1, -1))
    row, crossing = np.concatenate(rows), np.concatenate(crossings)
    change = np.concatenate(changes)
    order = np.lexsort((-change, crossing, row))
    inside = np.cumsum(change[order])
    border = (inside == 0) | (inside - change[order] == 0)
    return row[order][border], crossing[order][border]


def _crossings(
    polygons: Sequence[Polygon], lines: Lines, snap: bool
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Where the edges of polygons cross scan lines: line numbers and abscissae."""
    if not polygons:
        return np.empty(0, np.int64), np.empty(0)
    begins = np.concatenate(polygons)
    ends = np.concatenate([np.roll(polygon, -1, axis=0) for polygon in polygons])
    if snap:
        begins, ends = np.round(begins, _SNAP_DECIMALS), np.round(ends, _SNAP_DECIMALS)
    # Always from the lower to the upper end: both directions give the same bits.
    swap = begins[:, 1] > ends[:, 1]
    lower, upper = np.where(swap[:, None], ends, begins), np.where(swap[:, None], begins, ends)
    first = np.clip(np.ceil((lower[:, 1] - lines.start) / lines.step), 0, lines.number).astype(
        np.int64
    )
    stop = np.clip(np.ceil((upper[:, 1] - lines.start) / lines.step), 0, lines.number).astype(
        np.int64
    )
    count = stop - first
    edge = np.repeat(np.arange(len(count)), count)
    line = np.arange(len(edge)) - np.repeat(np.cumsum(count) - count, count) + first[edge]
    run = upper[edge] - lower[edge]
    # Half-open edges [lower, upper) have a positive rise wherever a line crosses them.
    crossing = lower[edge, 0] + run[:, 0] * (
        (lines.start + lines.step * line - lower[edge, 1]) / run[:, 1]
    )
    return line, np.round(crossing, _SNAP_DECIMALS) if snap else crossing
