"""Which predicted instance stands for which reference instance: one to one, most total Dice."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from cta_data.scoring.assignment import Edge, best_assignment
from cta_data.scoring.conventions import Convention
from cta_data.scoring.instances import Instances, Overlaps


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
