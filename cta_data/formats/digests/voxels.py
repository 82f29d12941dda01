"""A digest of an image's voxels: equal wherever the same voxels are stored, whatever the file."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np

from cta_data.formats.digests.slices import slice_digests
from cta_data.formats.nifti.content import read_content


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
