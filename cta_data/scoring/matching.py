"""Reference and prediction matched one to one: the one best way, ties included, exactly.

Whole numbers of any size carry the objective, so that equal sums are equal and nothing is rounded.
Where many overlap, a solver in floating point first finds what no best pairing can differ in.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from heapq import heappop, heappush
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from cta_data.scoring.conventions import Convention
from cta_data.scoring.instances import Instances, Overlaps

FEW = 24
"""Up to so many overlaps are settled in whole numbers at once."""
_ALIKE = 1e-9
"""Sums of Dice that differ by less may be equal; far above what rounding does to them."""
_STEADY = 1e-13


class Edge(NamedTuple):
    """A pair that may be matched: its instances, voxels of both, sum of the voxels of each."""

    reference: int
    predicted: int
    shared: int
    voxels: int
    detected: bool


@dataclass(frozen=True)
class Match:
    """A pair of instances (numbers from 0), the voxels that they share, and whether it counts."""

    reference: int
    predicted: int
    intersection: int
    detected: bool


def match_instances(
    reference: Instances, predicted: Instances, overlaps: Overlaps, convention: Convention
) -> list[Match]:
    """Match one to one so that the sum of Dice over all pairs is largest.

    Only instances that overlap are paired, whatever their Dice: a threshold comes after. Of equal
    sums the one with the most detected pairs is taken, then the one with the lowest numbers; see
    `best_assignment`. The result is exact, and the same every time.
    """
    a, b, shared = overlaps
    if not len(a):
        return []
    sizes = reference.voxels[a], predicted.voxels[b]
    edges = [
        Edge(i, j, both, first + second, convention.detected(both, first, second))
        for i, j, both, first, second in zip(
            *(numbers.tolist() for numbers in (a, b, shared, *sizes)), strict=True
        )
    ]
    # Groups of instances that overlap each other are settled apart: most are single pairs.
    count = reference.count + predicted.count
    pairs = coo_array((np.ones(len(a)), (a, b + reference.count)), (count, count))
    _, group = connected_components(pairs, directed=False)
    of_pair = group[a]
    order = np.argsort(of_pair, kind="stable")
    parts = np.split(order, np.flatnonzero(np.diff(of_pair[order])) + 1)
    chosen: list[Edge] = []
    for part in parts:
        own = [edges[i] for i in part.tolist()]
        chosen += own if len(own) == 1 else [own[i] for i in best_assignment(own)]
    return [Match(e.reference, e.predicted, e.shared, e.detected) for e in sorted(chosen)]


def best_assignment(edges: Sequence[Edge], few: int = FEW) -> list[int]:
    """Return the places (in ``edges``) of the pairs of the best one-to-one assignment, ascending.

    The best has the largest sum of Dice; among equal sums the most detected pairs; among these the
    lowest numbers: the first pair, by reference and then by prediction, in which two assignments
    differ decides for the one that has it. So there is always one best.

    Parameters
    ----------
    few
        Most edges that are settled without looking first for those that are beyond doubt.
    """
    if len(edges) <= few:
        return sorted(_settled(edges))
    fixed, parts = _beyond_doubt(edges)
    for part in parts:
        fixed += [part[i] for i in _settled([edges[i] for i in part])]
    return sorted(fixed)


def _settled(edges: Sequence[Edge]) -> list[int]:
    """Return the best assignment, by whole numbers alone."""
    n = len(edges)
    common = math.lcm(*(edge.voxels for edge in edges))
    order = sorted(range(n), key=lambda i: edges[i][:2])
    rank = {i: place for place, i in enumerate(order)}
    # Three goals in one number, each in digits that the next cannot reach.
    weights = [
        ((2 * edge.shared * (common // edge.voxels) * (n + 1) + edge.detected) << n)
        + (1 << (n - 1 - rank[i]))
        for i, edge in enumerate(edges)
    ]
    options: dict[int, list[tuple[int, int, int]]] = defaultdict(list)
    for i, edge in enumerate(edges):
        options[edge.reference].append((edge.predicted, -weights[i], i))
    for reference, choices in options.items():
        choices.append((~reference, 0, -1))  # to stay alone
    return [i for i in _cheapest(options) if i >= 0]


def _cheapest(options: dict[int, list[tuple[int, int, int]]]) -> list[int]:
    """Give each row one column of its own at the least total cost; return what was chosen.

    Successive shortest paths with potentials (Jonker and Volgenant 1987), on the edges there are.

    Parameters
    ----------
    options
        Of each row: column, cost, and what is returned where this is chosen. Each row has one
        column that no other has.
    """
    row_price: dict[int, int] = {}
    price: dict[int, int] = defaultdict(int)
    owner: dict[int, int] = {}
    taken: dict[int, tuple[int, int]] = {}
    for root, choices in options.items():
        row_price[root] = min(cost - price[column] for column, cost, _ in choices)
        row, base = root, 0
        heap: list[tuple[int, int]] = []
        distance: dict[int, int] = {}
        via: dict[int, tuple[int, int]] = {}
        done: set[int] = set()
        while True:
            for column, cost, name in options[row]:
                far = base + cost - row_price[row] - price[column]
                if column not in done and (column not in distance or far < distance[column]):
                    distance[column], via[column] = far, (row, name)
                    heappush(heap, (far, column))
            base, column = heappop(heap)
            while column in done:
                base, column = heappop(heap)
            done.add(column)
            if column not in owner:
                break
            row = owner[column]
        row_price[root] += base
        for seen in done - {column}:
            row_price[owner[seen]] += base - distance[seen]
            price[seen] -= base - distance[seen]
        row = -1
        while row != root:
            row, name = via[column]
            before = taken.get(row)
            owner[column], taken[row] = row, (column, name)
            column = before[0] if before else column
    return [name for _, name in taken.values()]


def _beyond_doubt(edges: Sequence[Edge]) -> tuple[list[int], list[list[int]]]:
    """Return pairs that every best assignment has, and groups of edges that are to be settled.

    Two assignments with equal sums differ by closed walks of no gain in the residual graph of one
    of them (with one more node, which stands for staying alone). Such walks lie in the strongly
    connected components of the arcs that shortest paths may take.
    """
    _, row = np.unique([edge.reference for edge in edges], return_inverse=True)
    _, column = np.unique([edge.predicted for edge in edges], return_inverse=True)
    n_rows, n_columns = int(row.max()) + 1, int(column.max()) + 1
    dice = np.array([2 * edge.shared / edge.voxels for edge in edges])
    gain = np.zeros((n_rows, n_columns))
    gain[row, column] = dice
    mate = np.full(n_rows, -1)
    from scipy.optimize import linear_sum_assignment  # slow to load, and few cases are so crowded

    first, second = linear_sum_assignment(gain, maximize=True)
    mate[first] = second
    chosen = mate[row] == column
    part = _tied_parts(row, column + n_rows, dice, chosen)
    inside = part[row] == part[column + n_rows]
    groups: dict[int, list[int]] = defaultdict(list)
    for i in np.flatnonzero(inside).tolist():
        groups[int(part[row[i]])].append(i)
    return np.flatnonzero(chosen & ~inside).tolist(), list(groups.values())


def _tied_parts(
    row: NDArray[np.int64],
    column: NDArray[np.int64],
    dice: NDArray[np.float64],
    chosen: NDArray[np.bool_],
) -> NDArray[np.int64]:
    """Number of the part of each node; nodes of different parts are in no closed walk together."""
    alone = int(column.max()) + 1
    is_matched = np.zeros(alone, bool)
    is_matched[row[chosen]] = is_matched[column[chosen]] = True
    nodes = np.arange(alone)
    # Rows leave their mate for nothing, columns come from nothing to a mate; free ones the reverse.
    leaves = is_matched == (nodes <= row.max())
    start = np.concatenate(
        [np.where(chosen, column, row), np.where(leaves, nodes, alone)],
    )
    end = np.concatenate([np.where(chosen, row, column), np.where(leaves, alone, nodes)])
    cost = np.concatenate([np.where(chosen, dice, -dice), np.zeros(alone)])
    distance = np.zeros(alone + 1)
    for _ in range(alone + 1):
        nearer = distance.copy()
        np.minimum.at(nearer, end, distance[start] + cost)
        steady = float((distance - nearer).max()) <= _STEADY
        distance = nearer
        if steady:
            break
    tight = distance[start] + cost - distance[end] <= _ALIKE
    arcs = (np.ones(int(tight.sum()), np.int8), (start[tight], end[tight]))
    graph = coo_array(arcs, (alone + 1, alone + 1))
    _, part = connected_components(graph, directed=True, connection="strong")
    return np.asarray(part, dtype=np.int64)
