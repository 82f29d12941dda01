"""Masks as runs: the lesions of a head are few voxels, and only these are worked on.

A run is a stretch of lesion voxels along the fastest axis. Runs lie on one line: position =
(padded row) × (padded width) + x, where padding keeps neighbours at an edge from wrapping around.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import product

import numpy as np
from numpy.typing import NDArray

Positions = NDArray[np.int64]
Offset = tuple[int, int, int]

_MOST_AT_ONCE = 512


@dataclass(frozen=True, eq=False)
class Runs:
    """Runs of a mask of shape (z, y, x), in raster order; they neither overlap nor touch.

    ``first`` and ``last`` are positions, both included. ``pad`` is the farthest neighbour, in
    voxels along any axis, that may be asked for.
    """

    shape: tuple[int, int, int]
    pad: int
    first: Positions
    last: Positions

    @property
    def lengths(self) -> Positions:
        """Voxels of each run."""
        return self.last - self.first + 1

    @cached_property
    def places(self) -> tuple[Positions, Positions, Positions]:
        """Index z, y and first x of each run."""
        row, x = np.divmod(self.first, self.width)
        z, y = np.divmod(row, self.shape[1] + self.pad)
        return z, y, x

    @property
    def width(self) -> int:
        """Length of a padded row."""
        return self.shape[2] + self.pad

    def step(self, slices: int, rows: int) -> int:
        """Distance along the line from a voxel to one so many slices and rows ahead."""
        return (slices * (self.shape[1] + self.pad) + rows) * self.width


def nonzero_voxels(flat: NDArray[np.generic]) -> tuple[Positions, NDArray[np.generic]]:
    """Indices and values of the elements that are not 0, ascending.

    Eight bytes are looked at at a time: nearly all of a mask is background.
    """
    size = flat.dtype.itemsize
    whole = flat.size * size // 8 * 8
    per_word = 8 // size
    words = flat.view(np.uint8)[:whole].view(np.uint64)
    # Comparing first is seven times faster than looking for what is not 0 among wide integers.
    hit = np.flatnonzero(words != 0)
    index = (hit[:, None] * per_word + np.arange(per_word)).ravel()
    index = np.concatenate([index, np.arange(whole // size, flat.size)])
    values = flat[index]
    kept = values != 0
    return index[kept], values[kept]


def runs_of(index: Positions, shape: tuple[int, int, int], pad: int = 1) -> Runs:
    """Join ascending flat indices of a mask (z, y, x) to runs."""
    if not len(index):
        return Runs(shape, pad, np.empty(0, np.int64), np.empty(0, np.int64))
    row = index // shape[2]
    breaks = np.flatnonzero((np.diff(index) != 1) | (np.diff(row) != 0))
    begin = np.concatenate([[0], breaks + 1])
    end = np.concatenate([breaks, [len(index) - 1]])
    z, y = np.divmod(row[begin], shape[1])
    line = (z * (shape[1] + pad) + y) * (shape[2] + pad)
    first = line + index[begin] - row[begin] * shape[2]
    return Runs(shape, pad, first, first + index[end] - index[begin])


@cache
def neighbour_rows(connectivity: int) -> tuple[tuple[int, int, int], ...]:
    """Rows ahead that hold neighbours of a voxel: (slices, rows, reach along x)."""
    return _rows_ahead(_neighbourhood(connectivity))


@cache
def dilated_rows(connectivity: int, radius: int) -> tuple[tuple[int, int, int], ...]:
    """Rows ahead that hold voxels whose balls touch the ball of a voxel, or are neighbours of it.

    The balls of two voxels meet, or lie beside each other, just where one voxel is in the sum of
    two balls and the neighbourhood around the other. What a ball loses at the border of the volume
    changes nothing: bringing its outer voxels back to the border keeps them in the ball.
    """
    ball = {s for s in _cube(radius) if sum(v * v for v in s) <= radius * radius}
    return _rows_ahead(_sum_of(_sum_of(ball, ball), _neighbourhood(connectivity)))


def _neighbourhood(connectivity: int) -> set[Offset]:
    steps = {6: 1, 18: 2, 26: 3}[connectivity]
    return {s for s in _cube(1) if sum(abs(v) for v in s) <= steps}


def _cube(radius: int) -> list[Offset]:
    side = range(-radius, radius + 1)
    return [(z, y, x) for z, y, x in product(side, side, side)]


def _sum_of(first: set[Offset], second: set[Offset]) -> set[Offset]:
    return {(a + d, b + e, c + f) for a, b, c in first for d, e, f in second}


def _rows_ahead(offsets: set[Offset]) -> tuple[tuple[int, int, int], ...]:
    """By row the farthest step along x; rows behind mirror these. The own row comes first."""
    reach: dict[tuple[int, int], int] = {}
    for slices, rows, x in offsets:
        if (slices, rows) >= (0, 0):
            reach[slices, rows] = max(x, reach.get((slices, rows), 0))
    return tuple((slices, rows, x) for (slices, rows), x in sorted(reach.items()))


def component_of_runs(runs: Runs, connectivity: int) -> Positions:
    """Number of the component of each run, from 0 in raster order."""
    pairs = _pairs(runs, neighbour_rows(connectivity))
    return connected(pairs, len(runs.first))


def joined_by_dilation(runs: Runs, of_run: Positions, connectivity: int, radius: int) -> Positions:
    """Join the components whose dilations by a ball are one component; number of each run.

    Most components have no other near them, and are left alone.
    """
    if not len(of_run):
        return of_run
    some = _runs_near_others(runs, of_run, 2 * radius + 1)
    part = Runs(runs.shape, runs.pad, runs.first[some], runs.last[some])
    a, b = _pairs(part, dilated_rows(connectivity, radius))
    joined = connected((of_run[some][a], of_run[some][b]), int(of_run.max()) + 1)
    return in_order_of_appearance(joined[of_run])


def _runs_near_others(runs: Runs, of_run: Positions, gap: int) -> Positions:
    """Runs that come within `gap` voxels of the box of another component, ascending."""
    order = np.argsort(of_run, kind="stable")
    begin = np.searchsorted(of_run[order], np.arange(int(of_run.max()) + 2))
    z, y, x = (place[order] for place in runs.places)
    low = np.stack([z, y, x])
    high = np.stack([z, y, x + runs.lengths[order] - 1])
    box_low = np.minimum.reduceat(low, begin[:-1], axis=1) - gap
    box_high = np.maximum.reduceat(high, begin[:-1], axis=1) + gap
    near = np.zeros(len(order), bool)
    for one, other in _meeting_boxes(box_low + gap, box_high - gap, box_low, box_high):
        own = slice(begin[one], begin[one + 1])
        inside = (low[:, own] <= box_high[:, other, None]) & (
            high[:, own] >= box_low[:, other, None]
        )
        near[own] |= inside.all(axis=0)
    return np.sort(order[near])


def _meeting_boxes(
    low: Positions, high: Positions, wide_low: Positions, wide_high: Positions
) -> Iterator[tuple[int, int]]:
    """Yield pairs of different boxes of which the first meets the widened second."""
    for start in range(0, low.shape[1], _MOST_AT_ONCE):
        some = slice(start, start + _MOST_AT_ONCE)
        meets = np.ones((low[0, some].size, low.shape[1]), bool)
        for axis in range(3):
            meets &= low[axis, some, None] <= wide_high[axis]
            meets &= wide_low[axis] <= high[axis, some, None]
        for one, other in zip(*(found.tolist() for found in np.nonzero(meets)), strict=True):
            if one + start != other:
                yield one + start, other


def _pairs(runs: Runs, rows: tuple[tuple[int, int, int], ...]) -> tuple[Positions, Positions]:
    found = [overlapping(runs, runs, runs.step(z, y), reach) for z, y, reach in rows]
    return np.concatenate([a for a, _ in found]), np.concatenate([b for _, b in found])


def connected(pairs: tuple[Positions, Positions], count: int) -> Positions:
    """Number of the component of each of `count` things that pairs join, from 0 as they appear.

    Each takes the least number among its partners, and then that of whoever it names, until nobody
    changes: a few passes, where a sparse matrix costs more to make than to search.
    """
    first, second = pairs
    least = np.arange(count)
    while True:
        joined = least.copy()
        smaller = np.minimum(least[first], least[second])
        np.minimum.at(joined, least[first], smaller)
        np.minimum.at(joined, least[second], smaller)
        while not np.array_equal(further := joined[joined], joined):
            joined = further
        if np.array_equal(joined, least):
            return in_order_of_appearance(least)
        least = joined


def in_order_of_appearance(numbers: NDArray[np.integer]) -> Positions:
    """Renumber from 0 in the order in which numbers first appear."""
    _, start, place = np.unique(numbers, return_index=True, return_inverse=True)
    rank = np.empty(len(start), np.int64)
    rank[np.argsort(start)] = np.arange(len(start))
    return rank[place]


def overlapping(
    first: Runs, second: Runs, step: int = 0, reach: int = 0
) -> tuple[Positions, Positions]:
    """Pairs of runs that meet when the first are moved by `step` and widened by `reach`.

    Returns the numbers of the runs in `first` and in `second`.
    """
    low = np.searchsorted(second.last, first.first + step - reach, side="left")
    high = np.searchsorted(second.first, first.last + step + reach, side="right")
    count = np.maximum(high - low, 0)
    a = np.repeat(np.arange(len(first.first)), count)
    before = np.repeat(np.cumsum(count) - count, count)
    b = np.repeat(low, count) + np.arange(len(a)) - before
    return a, b
