"""Samples of the digests of an image's slices, and whether two of them are of copies."""

from __future__ import annotations

from collections.abc import Iterable

KEPT = 12
"""Digests of an axis: of two images that share half of their slices, about half are the same."""
ENOUGH = 0.5
"""Share of the smaller sample from which on two images are copies."""
FEWEST = 3


def sample(digests: Iterable[str]) -> list[str]:
    """Return the least digests, which do not depend on how many others there are."""
    return sorted(set(digests))[:KEPT]


def are_copies(first: Iterable[str], second: Iterable[str]) -> bool:
    """Return whether two images share most slices along one of the axes."""
    one, other = _by_axis(first), _by_axis(second)
    return any(
        len(one[axis] & other[axis]) >= max(FEWEST, ENOUGH * min(len(one[axis]), len(other[axis])))
        for axis in one.keys() & other.keys()
    )


def _by_axis(digests: Iterable[str]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for digest in digests:
        axis, _, _ = digest.rpartition(":")
        found.setdefault(axis, set()).add(digest)
    return found
