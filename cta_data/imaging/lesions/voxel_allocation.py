"""Give voxels to lesions: each its quota of those it covers most, every voxel to one lesion."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

_OVERLAP_SHARE = 0.1
_STRAY_SHARE = 0.1
_NEIGHBOURS = np.ones((3, 3, 3), bool)


@dataclass(frozen=True, eq=False)
class Claim:
    """The voxels that a lesion covers, best first.

    ``voxels`` are flat indices (x fastest); ``coverage`` falls; ``quota`` is how many it gets.
    """

    lesion: int
    voxels: NDArray[np.int64]
    coverage: NDArray[np.float64]
    quota: int


@dataclass(frozen=True, eq=False)
class Allocation:
    """Flat voxel indices by lesion, and flags by lesion."""

    voxels: dict[int, NDArray[np.int64]]
    flags: dict[int, tuple[str, ...]]


def allocate(claims: Sequence[Claim], size: tuple[int, int, int]) -> Allocation:
    """Give every lesion its quota; the result does not depend on the order of ``claims``.

    All claims are served from the largest coverage to the smallest, so a contested voxel goes
    to the lesion that covers it more (the lower id when equal). Then small stray parts of a
    lesion are exchanged for voxels that join its main part, and large parts that one voxel
    separates are joined.
    """
    ordered = sorted(claims, key=lambda claim: claim.lesion)
    contested = _contested(ordered)
    given = _serve([claim for claim in ordered if claim.lesion in contested])
    for claim in ordered:
        if claim.lesion not in contested:
            given[claim.lesion] = claim.voxels[: claim.quota]
    flags: dict[int, list[str]] = {claim.lesion: [] for claim in ordered}
    for lesion, other in _overlaps([claim for claim in ordered if claim.lesion in contested]):
        flags[lesion].append(f"overlaps_lesion_{other}")
    taken = np.sort(np.concatenate(list(given.values()))) if given else np.empty(0, np.int64)
    for claim in ordered:
        voxels = given[claim.lesion]
        joined, several = _joined(claim, voxels, taken, size)
        if joined is not voxels:
            taken = np.union1d(np.setdiff1d(taken, voxels), joined)
            given[claim.lesion] = joined
        if several:
            flags[claim.lesion].append("several_components")
        if len(joined) < claim.quota:
            flags[claim.lesion].append("volume_not_reached")
    return Allocation(given, {lesion: tuple(names) for lesion, names in flags.items()})


def _contested(claims: Sequence[Claim]) -> set[int]:
    """Lesions that share a covered voxel with another lesion."""
    if len(claims) < 2:
        return set()
    owner = np.concatenate([np.full(len(claim.voxels), claim.lesion) for claim in claims])
    _, place, count = np.unique(
        np.concatenate([claim.voxels for claim in claims]), return_inverse=True, return_counts=True
    )
    return set(owner[count[place] > 1].tolist())


def _serve(claims: Sequence[Claim]) -> dict[int, NDArray[np.int64]]:
    """Serve claims from the largest coverage down; a lesion left with nothing gets its best."""
    if not claims:
        return {}
    sizes = [len(claim.voxels) for claim in claims]
    lesion = np.repeat([claim.lesion for claim in claims], sizes)
    rank = np.concatenate([np.arange(n) for n in sizes])
    coverage = np.concatenate([claim.coverage for claim in claims])
    voxel = np.concatenate([claim.voxels for claim in claims])
    order = np.lexsort((rank, lesion, -np.round(coverage, 9)))
    left = {claim.lesion: claim.quota for claim in claims}
    owner: dict[int, int] = {}
    for number, place in zip(lesion[order].tolist(), voxel[order].tolist(), strict=True):
        if left[number] and place not in owner:
            owner[place] = number
            left[number] -= 1
    for claim in claims:
        if left[claim.lesion] == claim.quota:
            _give_best(claim, owner)
    given: dict[int, list[int]] = {claim.lesion: [] for claim in claims}
    for place, number in owner.items():
        given[number].append(place)
    return {number: np.array(places, np.int64) for number, places in given.items()}


def _give_best(claim: Claim, owner: dict[int, int]) -> None:
    """Take the best voxel from a lesion that keeps others, so that no lesion vanishes."""
    held = list(owner.values())
    for place in claim.voxels.tolist():
        if held.count(owner[place]) > 1:
            owner[place] = claim.lesion
            return


def _overlaps(claims: Sequence[Claim]) -> list[tuple[int, int]]:
    """Pairs of delineated lesions that overlap by more than a tenth of the smaller."""
    pairs: list[tuple[int, int]] = []
    for position, first in enumerate(claims):
        for second in claims[position + 1 :]:
            _, a, b = np.intersect1d(first.voxels, second.voxels, return_indices=True)
            together = np.maximum(first.coverage[a] + second.coverage[b] - 1, 0).sum()
            if together > _OVERLAP_SHARE * min(first.coverage.sum(), second.coverage.sum()):
                pairs += [(first.lesion, second.lesion), (second.lesion, first.lesion)]
    return pairs


def _joined(
    claim: Claim, voxels: NDArray[np.int64], taken: NDArray[np.int64], size: tuple[int, int, int]
) -> tuple[NDArray[np.int64], bool]:
    """Exchange small strays for voxels next to the main part; and whether parts remain."""
    if len(voxels) < 2:
        return voxels, False
    parts = _parts(voxels, size)
    if parts.max() == 0:
        return voxels, False
    main = int(np.argmax(np.bincount(parts)))
    strays = voxels[parts != main]
    if len(strays) > max(2, _STRAY_SHARE * len(voxels)):
        return _bridged(claim, voxels, taken, size)
    rank = {place: position for position, place in enumerate(claim.voxels.tolist())}
    free = rank.keys() - (set(taken.tolist()) - set(strays.tolist()))
    grown = set(voxels[parts == main].tolist())
    queue: list[tuple[int, int]] = []
    waiting: set[int] = set()
    fresh = list(grown)
    while len(grown) < len(voxels):
        for place in fresh:
            for near in _around(place, size):
                if near in free and near not in grown and near not in waiting:
                    waiting.add(near)
                    heapq.heappush(queue, (rank[near], near))
        if not queue:
            return voxels, True
        _, best = heapq.heappop(queue)
        grown.add(best)
        fresh = [best]
    return np.array(sorted(grown), np.int64), False


def _bridged(
    claim: Claim, voxels: NDArray[np.int64], taken: NDArray[np.int64], size: tuple[int, int, int]
) -> tuple[NDArray[np.int64], bool]:
    """Join large parts that one voxel separates, each time for the voxel that is covered least.

    That keeps the number of voxels. Parts further apart, or without any coverage between them,
    stay apart.
    """
    rank = {place: position for position, place in enumerate(claim.voxels.tolist())}
    others = set(taken.tolist()) - set(voxels.tolist())
    parts = _parts(voxels, size)
    while parts.max() > 0:
        of_part = dict(zip(voxels.tolist(), parts.tolist(), strict=True))
        near = {place for held in of_part for place in _around(held, size)}
        bridges = [
            place
            for place in sorted((near & rank.keys()) - set(of_part) - others)
            if len({of_part[i] for i in _around(place, size) if i in of_part}) > 1
        ]
        if not bridges:
            return voxels, True
        bridge = min(bridges, key=lambda place: rank[place])
        joined = np.append(voxels, bridge)
        fewest = int(_parts(joined, size).max())
        least = sorted(voxels.tolist(), key=lambda place: -rank[place])
        kept = (joined[joined != place] for place in least)
        found = next((some for some in kept if _parts(some, size).max() == fewest), None)
        if found is None:
            return voxels, True
        voxels, parts = np.sort(found), _parts(np.sort(found), size)
    return voxels, False


def _parts(voxels: NDArray[np.int64], size: tuple[int, int, int]) -> NDArray[np.int64]:
    """Number of the 26-connected part of every voxel, from 0."""
    rest = voxels // size[0]
    index = np.stack([rest // size[1], rest % size[1], voxels % size[0]])
    index = index - index.min(axis=1, keepdims=True)
    box = np.zeros(index.max(axis=1) + 1, bool)
    box[tuple(index)] = True
    labels, _ = ndimage.label(box, _NEIGHBOURS)
    return np.asarray(labels[tuple(index)] - 1)


def _around(place: int, size: tuple[int, int, int]) -> list[int]:
    """The up to 26 neighbours of a voxel inside the image, as flat indices."""
    x, rest = place % size[0], place // size[0]
    y, z = rest % size[1], rest // size[1]
    return [
        i + size[0] * (j + size[1] * k)
        for k in range(max(0, z - 1), min(size[2], z + 2))
        for j in range(max(0, y - 1), min(size[1], y + 2))
        for i in range(max(0, x - 1), min(size[0], x + 2))
        if (i, j, k) != (x, y, z)
    ]
