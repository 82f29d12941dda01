"""Outlines of the voxels of a mask, slice by slice, along the edges of the voxels.

No voxel centre lies on such an outline, so that any rule of filling gives the same voxels back. A
lesion of one voxel is a square of its size; through voxel centres it would be a point.

Outlines are traced so that voxels that meet at a corner alone are separate, and so are holes: each
outline is a simple polygon, which may touch another at a corner.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Ring = list[tuple[float, float]]
"""Vertices (column, row) in voxels; voxel centres are whole numbers. The first is not repeated."""
_BRIDGE = 0.25
"""Bridges of keyholes run this far below the upper edge of a row of voxels: not through centres."""


@dataclass(frozen=True)
class VoxelOutline:
    """The outline of one part of a slice, and those of the holes in it.

    The outline leads from +column to +row (clockwise where rows go down), its holes the other way.
    """

    outer: Ring
    holes: tuple[Ring, ...] = ()

    @property
    def rings(self) -> list[Ring]:
        """The outline and its holes, for rules that combine contours by exclusive or."""
        return [self.outer, *self.holes]

    def moved(self, columns: int, rows: int) -> VoxelOutline:
        """Return the outline at another place, some columns and rows on."""
        outer, *holes = [[(x + columns, y + rows) for x, y in ring] for ring in self.rings]
        return VoxelOutline(outer, tuple(holes))

    def keyhole(self) -> Ring:
        """Outline and holes as one polygon; channels of no width lead to the holes.

        DICOM PS3.3 C.8.8.6.3 describes the keyhole technique.
        """
        ring = self.outer
        for hole in sorted(self.holes, key=lambda one: min(one)[0]):
            ring = _joined(ring, hole)
        return ring


def outlines_of_slices(mask: NDArray[np.bool_]) -> dict[int, list[VoxelOutline]]:
    """Return the outlines of every slice of a mask that is not empty.

    Parameters
    ----------
    mask
        bool (slice, row, column).

    Returns
    -------
    Outlines by slice, in an order that follows from the voxels alone.
    """
    rings: dict[int, tuple[list[Ring], list[Ring]]] = {}
    padded = np.pad(mask, ((0, 0), (1, 1), (1, 1)))
    for number, ring in _rings(padded):
        column, row = min(ring, key=lambda point: (point[1], point[0]))
        # Of the highest corner, and there of the leftmost, the ring's inside is right and below.
        is_hole = not padded[number, int(row + 1.5), int(column + 1.5)]
        outer, holes = rings.setdefault(number, ([], []))
        (holes if is_hole else outer).append(_turned(ring, reverse=is_hole))
    return {number: _with_holes(*found) for number, found in sorted(rings.items())}


def _rings(padded: NDArray[np.bool_]) -> Iterator[tuple[int, Ring]]:
    """Yield slice and vertices of every simple ring along voxel edges.

    Corners on one line of the lattice are, in turn, the begin and the end of an edge.
    """
    above, below = padded[:, :-1].astype(np.int8), padded[:, 1:].astype(np.int8)
    quarters = (above[..., :-1], above[..., 1:], below[..., :-1], below[..., 1:])
    count = sum(quarters, np.zeros_like(quarters[0]))
    falling = (count == 2) & (quarters[0] + quarters[3] == 2)  # voxels that meet at a corner alone
    rising = (count == 2) & (quarters[1] + quarters[2] == 2)
    single = np.argwhere(count % 2 == 1)
    double = np.argwhere(falling | rising)
    # Of a double corner, number 0 is the one with the edge to the left.
    corners = np.concatenate([single, double, double])
    number = np.repeat([0, 0, 1], [len(single), len(double), len(double)])
    goes_up = number.copy()
    turned = rising[tuple(double.T)]
    goes_up[len(single) :] ^= np.concatenate([turned, turned])
    z, row, column = corners.T
    across = _partners(np.lexsort((number, column, row, z)))
    along = _partners(np.lexsort((goes_up, row, column, z)))
    places = [(x - 0.5, y - 0.5) for x, y in zip(column.tolist(), row.tolist(), strict=True)]
    slices = z.tolist()
    left = np.ones(len(corners), bool)
    for start in np.lexsort((number, column, row, z)).tolist():
        if left[start]:
            cycle = _cycle(start, across, along, left)
            for ring in _simple([places[corner] for corner in cycle]):
                yield slices[start], ring


def _partners(order: NDArray[np.int64]) -> list[int]:
    """Return the other end of the edge of every corner, from the order of corners on lines."""
    partner = np.empty(len(order), np.int64)
    partner[order[0::2]], partner[order[1::2]] = order[1::2], order[0::2]
    return list(partner.tolist())


def _cycle(start: int, across: list[int], along: list[int], left: NDArray[np.bool_]) -> list[int]:
    cycle = []
    corner = start
    while True:
        other = across[corner]
        cycle += [corner, other]
        corner = along[other]
        if corner == start:
            left[cycle] = False
            return cycle


def _simple(cycle: Ring) -> Iterator[Ring]:
    """Yield the parts of a ring that meets itself in corners, each without meeting itself."""
    if len(set(cycle)) == len(cycle):
        yield cycle
        return
    path: Ring = []
    place: dict[tuple[float, float], int] = {}
    for corner in cycle:
        if corner in place:
            first = place[corner]
            yield path[first:]
            for passed in path[first + 1 :]:
                del place[passed]
            del path[first + 1 :]
        else:
            place[corner] = len(path)
            path.append(corner)
    yield path


def _turned(ring: Ring, *, reverse: bool) -> Ring:
    """Return a ring from its highest corner on, in the direction that its kind has."""
    start = min(range(len(ring)), key=lambda index: (ring[index][1], ring[index][0]))
    ring = ring[start:] + ring[:start]
    goes_right = ring[1][1] == ring[0][1]
    return ring if goes_right != reverse else [ring[0], *ring[:0:-1]]


def _with_holes(outer: list[Ring], holes: list[Ring]) -> list[VoxelOutline]:
    """Give every hole to the outline of the voxels around it."""
    if not holes:
        return [VoxelOutline(ring) for ring in outer]
    rings = [*outer, *holes]
    owner = {index: index for index in range(len(outer))}
    parts = [_upright(ring) for ring in rings]
    edges = np.concatenate(parts)
    ring_of = np.repeat(np.arange(len(rings)), [len(own) for own in parts])
    for index in sorted(range(len(outer), len(rings)), key=lambda one: min(rings[one])):
        left = np.flatnonzero(_left_of(edges, *_leftmost(rings[index])))
        owner[index] = owner[int(ring_of[left[edges[left, 0].argmax()]])]
    return [
        VoxelOutline(
            ring, tuple(rings[one] for one in range(len(outer), len(rings)) if owner[one] == index)
        )
        for index, ring in enumerate(outer)
    ]


def _leftmost(ring: Ring) -> tuple[float, float]:
    """Return where a bridge to the left starts: on the leftmost edge of a ring."""
    column, row = min(ring)
    return column, row + _BRIDGE


def _upright(ring: Ring) -> NDArray[np.float64]:
    """Return the edges along rows of a ring: column, lower and upper row; (n, 3)."""
    points = np.array(ring)
    following = np.roll(points, -1, axis=0)
    both = np.column_stack([points, following])[points[:, 0] == following[:, 0]]
    rows = np.sort(both[:, [1, 3]], axis=1)
    return np.column_stack([both[:, 0], rows])


def _left_of(edges: NDArray[np.float64], column: float, row: float) -> NDArray[np.bool_]:
    """Tell which edges lie left of a place, on its row."""
    return (edges[:, 0] < column) & (edges[:, 1] < row) & (row < edges[:, 2])


def _joined(ring: Ring, hole: Ring) -> Ring:
    """Lead a ring through a channel to the left into a hole, around it and back."""
    column, row = _leftmost(hole)
    upright = _upright(ring)
    target = float(upright[_left_of(upright, column, row), 0].max())
    at, entered = _edge_at(ring, target, row), _edge_at(hole, column, row)
    around = [*hole[entered + 1 :], *hole[: entered + 1]]
    gate, door = (target, row), (column, row)
    return [*ring[: at + 1], gate, door, *around, door, gate, *ring[at + 1 :]]


def _edge_at(ring: Ring, column: float, row: float) -> int:
    """Return the number of the edge along rows that passes a place."""
    points = np.array(ring)
    following = np.roll(points, -1, axis=0)
    lower, upper = np.sort([points[:, 1], following[:, 1]], axis=0)
    passes = (points[:, 0] == column) & (following[:, 0] == column) & (lower < row) & (row < upper)
    return int(np.argmax(passes))
