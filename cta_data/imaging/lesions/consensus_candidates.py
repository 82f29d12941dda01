"""Candidate lesions of several readers: which lesions are one, and which voxels each candidate has.

Only voxels that a reader marked are worked on, as flat indices (x fastest) in ascending order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, product

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from cta_data.imaging.lesions.label_values import whole_numbers

Numbers = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Candidates:
    """Candidates, numbered from 0 in the order of their first voxels (z, then y, then x).

    Attributes
    ----------
    lesions
        Of each candidate and reader, the ids of that reader's lesions in it.
    voxel, candidate
        Each marked voxel, and the one candidate that it belongs to; by candidate, then by voxel.
    marked
        (readers, voxels): whether a reader marked the voxel as part of a lesion of its candidate.
    """

    lesions: tuple[tuple[tuple[int, ...], ...], ...]
    voxel: Numbers
    candidate: Numbers
    marked: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class _Marks:
    """The marked voxels of one reader; ``lesion`` counts from 0 over the lesions of all readers."""

    voxel: Numbers
    lesion: Numbers


@dataclass(frozen=True, eq=False)
class _Claims:
    """Voxels and groups that at least one reader gave them to, and how many readers did."""

    voxel: Numbers
    group: Numbers
    votes: Numbers


def find_candidates(labels: Sequence[NDArray[np.generic]]) -> Candidates:
    """Group the lesions of all readers to candidates, and give each marked voxel to one of them.

    Two lesions of different readers are joined if one shares more voxels with the other than with
    any other lesion of that reader (or as many as with another). Lesions that share no voxel with
    any of the other reader are joined likewise if they touch (26 neighbours). Candidates are what
    is connected by such pairs. So a lesion that two readers saw is one candidate even if one reader
    divided it, and two lesions side by side, whose outlines overlap a little, are still two.

    A voxel that readers gave to lesions of different candidates belongs to the candidate of most
    readers; of equals to the smaller one (as where lesions of masks overlap), then to the first.
    A candidate that would have no voxel is joined with the one that took most of its voxels.

    Parameters
    ----------
    labels
        Of each reader (z, y, x), equal shapes; 0 is background, other whole numbers are lesion ids.

    Raises
    ------
    DataRefused
        A value is not finite or not a whole number.
    ValueError
        The shapes differ, an array does not have three axes, or an id is negative.
    """
    shape = labels[0].shape
    for one in labels:
        if one.ndim != 3 or one.shape != shape:
            raise ValueError(f"three axes and equal shapes are needed: {shape} and {one.shape}")
    marks, names = _marks_of(labels)
    size = int(np.prod(shape))
    pairs = [
        pair
        for one, other in combinations(marks, 2)
        for pair in (
            _best_partners(_shared(one, other), len(names)),
            _best_partners(_touching(one, other, (*shape,)), len(names)),
        )
    ]
    group = _connected(np.concatenate([*pairs, np.empty((0, 2), np.int64)]), len(names))
    while True:
        claims, rank = _claims(marks, group, size)
        owned = _owned(claims, rank)
        homeless = np.setdiff1d(claims.group, claims.group[owned])
        if not len(homeless):
            break
        moved = [_taker(claims, owned, rank, int(one)) for one in homeless]
        joined = np.stack([homeless, moved], axis=1)
        group = _connected(joined, int(group.max()) + 1)[group]
    return _numbered(marks, names, group, claims, owned)


def _marks_of(
    labels: Sequence[NDArray[np.generic]],
) -> tuple[list[_Marks], list[tuple[int, int]]]:
    """Marked voxels of each reader, and the reader and id of each lesion."""
    marks: list[_Marks] = []
    names: list[tuple[int, int]] = []
    for reader, volume in enumerate(labels):
        flat = np.ascontiguousarray(whole_numbers(volume)).reshape(-1)
        voxel = np.flatnonzero(flat)
        ids, lesion = np.unique(flat[voxel].astype(np.int64), return_inverse=True)
        if len(ids) and ids[0] < 0:
            raise ValueError(f"lesion ids are positive: {ids[0]}")
        marks.append(_Marks(voxel, lesion + len(names)))
        names += [(reader, one) for one in ids.tolist()]
    return marks, names


def _shared(one: _Marks, other: _Marks) -> Numbers:
    """Pairs of lesions at each voxel that both readers marked, (n, 2)."""
    _, a, b = np.intersect1d(one.voxel, other.voxel, assume_unique=True, return_indices=True)
    return np.stack([one.lesion[a], other.lesion[b]], axis=1)


def _touching(one: _Marks, other: _Marks, shape: tuple[int, ...]) -> Numbers:
    """Pairs of lesions at each two voxels that touch, of lesions without a shared voxel, (n, 2)."""
    shared = _shared(one, other)
    first, second = (
        _Marks(marks.voxel[alone], marks.lesion[alone])
        for marks, met in ((one, shared[:, 0]), (other, shared[:, 1]))
        for alone in [~np.isin(marks.lesion, met)]
    )
    if not len(first.voxel) or not len(second.voxel):
        return np.empty((0, 2), np.int64)
    place = np.stack(np.unravel_index(first.voxel, shape))
    found = []
    for step in product((-1, 0, 1), repeat=3):
        beside = place + np.array(step)[:, None]
        inside = ((beside >= 0) & (beside < np.array(shape)[:, None])).all(axis=0)
        flat = np.ravel_multi_index(tuple(beside[:, inside]), shape)
        at = np.minimum(np.searchsorted(second.voxel, flat), len(second.voxel) - 1)
        met = second.voxel[at] == flat
        found.append(np.stack([first.lesion[inside][met], second.lesion[at[met]]], axis=1))
    return np.concatenate(found)


def _best_partners(meetings: Numbers, count: int) -> Numbers:
    """The pairs of lesions of which one meets the other most often among that reader's."""
    keys, often = np.unique(meetings[:, 0] * count + meetings[:, 1], return_counts=True)
    pairs = np.stack(np.divmod(keys, max(count, 1)), axis=1)
    most = np.zeros(count, np.int64)
    for side in (0, 1):
        np.maximum.at(most, pairs[:, side], often)
    return np.asarray(pairs[(often[:, None] == most[pairs]).any(axis=1)])


def _connected(pairs: Numbers, count: int) -> Numbers:
    """Number of the group of each of `count` things that pairs join."""
    graph = coo_array((np.ones(len(pairs), np.int8), (pairs[:, 0], pairs[:, 1])), (count, count))
    return connected_components(graph, directed=False)[1].astype(np.int64)


def _claims(marks: Sequence[_Marks], group: Numbers, size: int) -> tuple[_Claims, Numbers]:
    """Claims by voxel, and the rank of each group among those that claim a voxel as often."""
    count = int(group.max(initial=-1)) + 1
    voxel = np.concatenate([one.voxel for one in marks])
    of = np.concatenate([group[one.lesion] for one in marks])
    keys, votes = np.unique(of * size + voxel, return_counts=True)
    of, voxel = np.divmod(keys, size)
    parts = np.split(voxel, np.searchsorted(of, np.arange(1, count)))
    # Big-endian bytes are in the order of the numbers: of equal sizes the first voxels decide.
    order = sorted(range(count), key=lambda n: (len(parts[n]), parts[n].astype(">i8").tobytes()))
    rank = np.empty(count, np.int64)
    rank[order] = np.arange(count)
    by_voxel = np.argsort(voxel, kind="stable")
    return _Claims(voxel[by_voxel], of[by_voxel], votes[by_voxel]), rank


def _owned(claims: _Claims, rank: Numbers) -> NDArray[np.bool_]:
    """Whether a claim is the one of its voxel that counts: most votes, then the lowest rank."""
    if not len(claims.voxel):
        return np.empty(0, bool)
    score = claims.votes * len(rank) - rank[claims.group]
    start = np.flatnonzero(np.diff(claims.voxel, prepend=-1))
    best = np.maximum.reduceat(score, start)
    return score == np.repeat(best, np.diff(start, append=len(score)))


def _taker(claims: _Claims, owned: NDArray[np.bool_], rank: Numbers, group: int) -> int:
    """The group that owns most of the voxels that `group` claims; of equals that of lowest rank."""
    wanted = np.isin(claims.voxel, claims.voxel[claims.group == group]) & owned
    takers, often = np.unique(claims.group[wanted], return_counts=True)
    return int(takers[np.lexsort((rank[takers], -often))[0]])


def _numbered(
    marks: Sequence[_Marks],
    names: Sequence[tuple[int, int]],
    group: Numbers,
    claims: _Claims,
    owned: NDArray[np.bool_],
) -> Candidates:
    """Number the groups by their first voxels."""
    voxel, of = claims.voxel[owned], claims.group[owned]
    groups, first = np.unique(of, return_index=True)
    number = np.empty(len(groups), np.int64)
    number[np.argsort(first)] = np.arange(len(groups))
    candidate = number[of]
    order = np.argsort(candidate, kind="stable")
    voxel, candidate = voxel[order], candidate[order]
    lesions: list[list[list[int]]] = [[[] for _ in marks] for _ in groups]
    for lesion, (reader, name) in enumerate(names):
        lesions[number[group[lesion]]][reader].append(name)
    marked = np.zeros((len(marks), len(voxel)), bool)
    place = np.argsort(voxel)
    for reader, one in enumerate(marks):
        at = place[np.searchsorted(voxel, one.voxel, sorter=place)]
        marked[reader, at] = candidate[at] == number[group[one.lesion]]
    return Candidates(
        tuple(tuple(tuple(ids) for ids in readers) for readers in lesions), voxel, candidate, marked
    )
