"""Even-odd fill and area of polygons in a plane, by vectorised scan lines.

A point is inside when a ray from it crosses the outlines an odd number of times, all polygons
taken together; so nested contours are holes, and the two banks of a keyhole's channel cancel.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Polygon = NDArray[np.float64]

# Vertices on a pixel's centre up to rounding are taken to be on it, so that the fill does not
# depend on the last bits of a coordinate transform.
_SNAP_DECIMALS = 6


def fill_even_odd(polygons: Sequence[Polygon], shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Pixels of a grid whose centre lies inside the polygons.

    Parameters
    ----------
    polygons
        Each of shape (n, 2): column, row; in pixels, with pixel centres at whole numbers.
        They are closed here, the first vertex need not be repeated.
    shape
        Rows, columns.

    Returns
    -------
    bool array of shape ``shape``. A centre on an outline is inside on the side of the lower
    column or row and outside on the other, so that polygons side by side never share a pixel.
    """
    rows, columns = shape
    row, crossing = _crossings(polygons, 0.0, 1.0, rows)
    first_inside = np.clip(np.ceil(crossing), 0, columns).astype(np.int64)
    flips = np.bincount(row * (columns + 1) + first_inside, minlength=rows * (columns + 1))
    parity = np.cumsum(flips.reshape(rows, columns + 1)[:, :columns], axis=1) & 1
    return parity.astype(bool)


def even_odd_area(polygons: Sequence[Polygon], scan_lines: int = 1024) -> float:
    """Area inside the polygons under the even-odd rule, in the square of their unit.

    The exact length inside is summed over scan lines, which handles holes, keyholes and
    outlines that cross themselves; the error falls with the square of the lines' number
    (below 1e-4 of the area of a smooth outline).
    """
    if not polygons:
        return 0.0
    heights = np.concatenate([polygon[:, 1] for polygon in polygons])
    low, high = float(heights.min()), float(heights.max())
    if high <= low:
        return 0.0
    step = (high - low) / scan_lines
    row, crossing = _crossings(polygons, low + step / 2, step, scan_lines, snap=False)
    order = np.lexsort((crossing, row))
    # Every line is crossed an even number of times: entering counts -x, leaving +x.
    sign = np.where(np.arange(len(order)) % 2 == 0, -1.0, 1.0)
    return float(np.sum(sign * crossing[order]) * step)


def _crossings(
    polygons: Sequence[Polygon], start: float, step: float, lines: int, snap: bool = True
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Where the outlines cross the scan lines ``start + i·step``: line numbers and abscissae."""
    if not polygons:
        return np.empty(0, np.int64), np.empty(0)
    begins = np.concatenate(polygons)
    ends = np.concatenate([np.roll(polygon, -1, axis=0) for polygon in polygons])
    if snap:
        begins, ends = np.round(begins, _SNAP_DECIMALS), np.round(ends, _SNAP_DECIMALS)
    # Always from the lower to the upper end: both directions give the same bits.
    swap = begins[:, 1] > ends[:, 1]
    lower, upper = np.where(swap[:, None], ends, begins), np.where(swap[:, None], begins, ends)
    first = np.clip(np.ceil((lower[:, 1] - start) / step), 0, lines).astype(np.int64)
    stop = np.clip(np.ceil((upper[:, 1] - start) / step), 0, lines).astype(np.int64)
    count = stop - first
    edge = np.repeat(np.arange(len(count)), count)
    line = np.arange(len(edge)) - np.repeat(np.cumsum(count) - count, count) + first[edge]
    run = upper[edge] - lower[edge]
    # Half-open edges [lower, upper) have a positive rise wherever a line crosses them.
    crossing = lower[edge, 0] + run[:, 0] * ((start + step * line - lower[edge, 1]) / run[:, 1])
    return line, np.round(crossing, _SNAP_DECIMALS) if snap else crossing
