"""Copies that are not equal as a whole share the digests of most slices; other people none."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from cta_data.formats.digests import slice_digests
from cta_data.formats.slice_samples import are_copies

Voxels = NDArray[np.generic]


def head(seed: int) -> Voxels:
    """Noise in a box, zero around it."""
    voxels = np.zeros((20, 22, 24), np.int16)
    voxels[2:-2, 2:-2, 2:-2] = np.random.default_rng(seed).integers(80, 120, (16, 18, 20))
    return voxels


def changed(voxels: Voxels) -> Voxels:
    voxels = voxels.copy()
    voxels[9, 9, 9] = 4000
    return voxels


COPIES: dict[str, Callable[[Voxels], Voxels]] = {
    "itself": lambda v: v,
    "one slice fewer": lambda v: v[:, :, :-3],
    "one voxel changed": changed,
    "padded": lambda v: np.pad(v, 5),
    "ten times as bright": lambda v: v * 10,
    "from 0 to 1": lambda v: (v / v.max()).astype(np.float32),
    "mirrored": lambda v: v[::-1],
}


@pytest.mark.parametrize("change", COPIES.values(), ids=COPIES)
def test_copies_are_known(change: Callable[[Voxels], Voxels]) -> None:
    """Whatever was done to the copy, and in both orders; another head is none."""
    own, copy, other = (slice_digests(v) for v in (head(1), change(head(1)), change(head(2))))
    assert are_copies(own, copy) and are_copies(copy, own)
    assert not are_copies(own, other)


def test_what_is_alike_in_many_says_nothing() -> None:
    """Constant images, masks and slices of a few pixels have no digests."""
    assert slice_digests(np.full((9, 9, 9), 7)) == []
    mask = np.zeros((20, 20, 20), np.uint8)
    mask[5:12, 5:12, 5:12] = 1
    assert slice_digests(mask) == [] and not are_copies([], [])
