"""Digests of the slices of an image: what copies share that are not equal as a whole.

A slice is digested without the even border around it and relative to its own range, so that one
slice fewer, a changed voxel, padding, another scale of intensities and a mirrored axis leave most
digests as they are. Of an image a sample is kept: of each axis the least digests, which are the
same ones in every copy (Broder 1997, On the resemblance and containment of documents).
"""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

from cta_data.formats.digests.slice_samples import sample

LEAST_VALUES, LEAST_PIXELS = 16, 64
"""A slice of fewer values, or fewer pixels inside of its border, is alike in many people."""
LEVELS = 1023
BYTES = 6
AXES = "xyz"


def slice_digests(voxels: NDArray[np.generic]) -> list[str]:
    """Sample the digests of the slices along each axis, `x:…`, `y:…` and `z:…`.

    Parameters
    ----------
    voxels
        Finite values, three axes in an order and direction that all images share.
    """
    kept: list[str] = []
    for axis, name in enumerate(AXES):
        slices = np.moveaxis(voxels, axis, 0)
        digests = {digest for one in slices if (digest := _digest(one))}
        kept += sample(f"{name}:{digest}" for digest in digests)
    return kept


def _digest(pixels: NDArray[np.generic]) -> str:
    low = pixels.min()
    inside = pixels > low
    rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    if not len(rows):
        return ""
    box = pixels[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].astype(np.float64)
    box -= box.min()
    highest = box.max()
    if highest <= 0 or box.size < LEAST_PIXELS:
        return ""
    levels = np.rint(box * (LEVELS / highest)).astype(np.uint16)
    if np.count_nonzero(np.bincount(levels.ravel())) < LEAST_VALUES:
        return ""
    digest = hashlib.blake2b(repr(levels.shape).encode(), digest_size=BYTES)
    digest.update(levels.tobytes())
    return digest.hexdigest()
