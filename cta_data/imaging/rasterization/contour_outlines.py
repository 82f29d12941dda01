"""How the contours of one plane go together: doubles, overlaps, holes.

PS3.3 C.8.8.6.3 knows a keyhole within one contour, and CLOSEDPLANAR_XOR. Planning systems also
write holes as CLOSED_PLANAR contours inside others. Hence, by type:

* Contours that overlap in part are one outline: their union. Not so CLOSEDPLANAR_XOR: there each
  contour is an outline of its own.
* Outlines are combined by the even-odd rule: one that is wholly inside another is a hole, one
  inside that hole an island.
* A contour that repeats another one, up to rounding, counts once.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from cta_data.imaging.rasterization.polygon_fill import Polygon, outlines_area

ROUNDING_MM = 0.1
"""Coordinates with one decimal may differ by this much from what was delineated."""
# Of the smaller contour: less is a border that two contours share, not an overlap.
_OVERLAP_SHARE = 0.01
_SCAN_LINES = 256


def first_of_doubles(polygons: Sequence[Polygon]) -> list[int]:
    """Indices of the polygons (n, 2; mm) that repeat none before them."""
    kept: list[int] = []
    for index, polygon in enumerate(polygons):
        if not any(_same_outline(polygon, polygons[other]) for other in kept):
            kept.append(index)
    return kept


def group_into_outlines(
    polygons: Sequence[Polygon], exclusive: Sequence[bool]
) -> tuple[tuple[int, ...], ...]:
    """Indices of the polygons of each outline, in the order of their first.

    ``exclusive`` marks contours of type CLOSEDPLANAR_XOR, which are never united.
    """
    pairs = [
        (first, second)
        for first, second in combinations(range(len(polygons)), 2)
        if not (exclusive[first] or exclusive[second])
        and overlap_in_part(polygons[first], polygons[second])
    ]
    if not pairs:
        return tuple((index,) for index in range(len(polygons)))
    from scipy.sparse import coo_array  # few regions have contours that overlap
    from scipy.sparse.csgraph import connected_components

    row, column = np.array(pairs).T
    graph = coo_array((np.ones(len(pairs)), (row, column)), (len(polygons), len(polygons)))
    count, group = connected_components(graph, directed=False)
    return tuple(tuple(np.flatnonzero(group == number).tolist()) for number in range(count))


def overlap_in_part(first: Polygon, second: Polygon) -> bool:
    """Whether two polygons overlap, and neither is inside the other; the unit does not matter."""
    low = np.maximum(first.min(axis=0), second.min(axis=0))
    high = np.minimum(first.max(axis=0), second.max(axis=0))
    if np.any(high <= low):
        return False
    areas = [outlines_area([(polygon,)], _SCAN_LINES) for polygon in (first, second)]
    smaller, larger = (first, second) if areas[0] <= areas[1] else (second, first)
    # All three areas on the same scan lines, so that they can be subtracted.
    strip = (float(smaller[:, 1].min()), float(smaller[:, 1].max()))
    own, other, either = (
        outlines_area(outlines, _SCAN_LINES, strip)
        for outlines in ([(smaller,)], [(larger,)], [(smaller,), (larger,)])
    )
    shared = (own + other - either) / 2
    return _OVERLAP_SHARE * own < shared < (1 - _OVERLAP_SHARE) * own


def _same_outline(first: Polygon, second: Polygon) -> bool:
    """Whether no vertex of either polygon is farther than rounding from the other's outline."""
    ends = first.min(axis=0) - second.min(axis=0), first.max(axis=0) - second.max(axis=0)
    if np.abs(ends).max() > ROUNDING_MM + 1e-6:
        return False
    return all(
        _distance_to_outline(vertices, outline).max() <= ROUNDING_MM + 1e-6
        for vertices, outline in ((first, second), (second, first))
    )


def _distance_to_outline(points: Polygon, outline: Polygon) -> NDArray[np.float64]:
    """Distance of each point to the nearest edge of a polygon."""
    run = np.roll(outline, -1, axis=0) - outline
    length = np.maximum((run**2).sum(axis=1), 1e-12)
    from_start = points[:, None, :] - outline[None]
    share = np.clip((from_start * run).sum(axis=2) / length, 0.0, 1.0)
    apart = np.linalg.norm(from_start - share[..., None] * run, axis=2)
    return np.asarray(apart.min(axis=1))
