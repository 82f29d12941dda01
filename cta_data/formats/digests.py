"""Digests of an image: equal wherever the same voxels are stored, whatever the file.

Copies that are not equal as a whole share the digests of most slices. A slice is digested without
the even border around it and relative to its own range, so that one slice fewer, a changed voxel,
padding, another scale of intensities and a mirrored axis leave most digests as they are. Of an
image a sample is kept: of each axis the least digests, which are the same ones in every copy
(Broder 1997, On the resemblance and containment of documents).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from cta_data.formats.nifti.content import read_content
from cta_data.formats.slice_samples import sample

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
        slices = np.ascontiguousarray(np.moveaxis(voxels, axis, 0))  # read several times each
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
    box *= LEVELS / highest
    levels = np.rint(box, out=box).astype(np.uint16)
    if np.count_nonzero(np.bincount(levels.ravel())) < LEAST_VALUES:
        return ""
    digest = hashlib.blake2b(repr(levels.shape).encode(), digest_size=BYTES)
    digest.update(levels.tobytes())
    return digest.hexdigest()


@dataclass(frozen=True)
class VoxelDigests:
    """What tells an image's copies.

    Attributes
    ----------
    whole
        SHA-256 (hex) of the values as float32 in RAS order, with the shape. Neither compression nor
        storage type, voxel order or voxel size change it. None where all values are equal: that
        shows nothing.
    slices
        A sample of the digests of its slices; see `slice_digests`.
    binary
        Whether there are two values alone, as in a mask.
    """

    whole: str | None = None
    slices: tuple[str, ...] = ()
    binary: bool = False


def voxel_digests(path: Path) -> VoxelDigests:
    """Digest the voxels of a NIfTI image, so that copies under other names are found.

    Raises
    ------
    DataRefused
        The file is damaged.
    """
    image = nib.as_closest_canonical(nib.Nifti1Image.from_bytes(read_content(path)))
    # Adding zero makes the two zeros one.
    voxels = np.ascontiguousarray(image.get_fdata(dtype=np.float32)) + np.float32(0)
    low, high = voxels.min(), voxels.max()
    if low == high:
        return VoxelDigests()
    digest = hashlib.sha256(repr(voxels.shape).encode())
    digest.update(voxels.data)
    binary = bool(((voxels == low) | (voxels == high)).all())
    return VoxelDigests(digest.hexdigest(), tuple(slice_digests(voxels)), binary)
