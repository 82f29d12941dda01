"""Which predicted instance stands for which reference instance: one to one, most total Dice."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from cta_data.evaluation.scoring.instances import Instances, Overlaps


@dataclass(frozen=True)
class Match:
    """A pair of instances (numbers from 0) and the voxels that they share."""

    reference: int
    predicted: int
    intersection: int


def match_instances(reference: Instances, predicted: Instances, overlaps: Overlaps) -> list[Match]:
    """Match one to one so that the sum of Dice over all pairs is largest.

    Only instances that overlap are paired, whatever their Dice: a threshold comes after. Equal sums
    are settled in the order of the instances, so that the result is the same every time.
    """
    a, b, shared = overlaps
    if not len(a):
        return []
    dice = 2 * shared / (reference.voxels[a] + predicted.voxels[b])
    matched: list[Match] = []
    # Groups of instances that overlap each other are settled apart: most are single pairs.
    count = reference.count + predicted.count
    edges = coo_array((np.ones(len(a)), (a, b + reference.count)), (count, count))
    _, group = connected_components(edges, directed=False)
    of_pair = group[a]
    order = np.argsort(of_pair, kind="stable")
    parts = np.split(order, np.flatnonzero(np.diff(of_pair[order])) + 1)
    for part in parts:
        chosen = part if len(part) == 1 else _assigned(a[part], b[part], dice[part], part)
        matched += [Match(int(a[i]), int(b[i]), int(shared[i])) for i in chosen]
    return sorted(matched, key=lambda one: one.reference)


def _assigned(
    a: NDArray[np.int64], b: NDArray[np.int64], dice: NDArray[np.float64], pairs: NDArray[np.int64]
) -> list[int]:
    rows, row = np.unique(a, return_inverse=True)
    columns, column = np.unique(b, return_inverse=True)
    gain = np.zeros((len(rows), len(columns)))
    gain[row, column] = dice
    number = np.full(gain.shape, -1)
    number[row, column] = pairs
    chosen = number[linear_sum_assignment(gain, maximize=True)]
    return [int(i) for i in chosen if i >= 0]
