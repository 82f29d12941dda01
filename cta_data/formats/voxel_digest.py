"""A digest of an image's voxels: equal wherever the same voxels are stored, whatever the file."""

from __future__ import annotations

import hashlib
from pathlib import Path

import nibabel as nib
import numpy as np

from cta_data.formats.nifti_content import read_content


def voxel_digest(path: Path) -> str | None:
    """SHA-256 (hex) of a NIfTI image's values as float32 in RAS order, with its shape.

    Neither compression nor storage type, voxel order or voxel size change it, so that copies under
    other names are found. None where all values are equal: that shows nothing.

    Raises
    ------
    DataRefused
        The file is damaged.
    """
    image = nib.as_closest_canonical(nib.Nifti1Image.from_bytes(read_content(path)))
    # Adding zero makes the two zeros one.
    voxels = np.ascontiguousarray(image.get_fdata(dtype=np.float32)) + np.float32(0)
    if voxels.min() == voxels.max():
        return None
    digest = hashlib.sha256(repr(voxels.shape).encode())
    digest.update(voxels.data)
    return digest.hexdigest()
