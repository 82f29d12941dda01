"""One digest for the same voxels, whatever the file that holds them."""

from __future__ import annotations

from itertools import permutations, product
from pathlib import Path

import nibabel as nib
import numpy as np

from cta_data.formats.digests import voxel_digests

VOXELS = np.random.default_rng(3).integers(-50, 900, (5, 6, 7)).astype(np.int16)
AFFINE = np.diag([1.0, 1.2, 3.0, 1.0])


def _digest(path: Path, image: nib.Nifti1Image) -> str | None:
    nib.save(image, path)
    return voxel_digests(path).whole


def test_storage_does_not_change_it(tmp_path: Path) -> None:
    """Type, exact slope, compression, voxel size and all 48 orientations give one digest."""
    path = tmp_path / "a.nii.gz"
    own = _digest(path, nib.Nifti1Image(VOXELS, AFFINE))
    assert own and own == _digest(tmp_path / "a.nii", nib.Nifti1Image(VOXELS, AFFINE))
    assert own == _digest(path, nib.Nifti1Image(VOXELS.astype(np.float64), np.eye(4)))
    header = nib.Nifti1Image(VOXELS * 2, AFFINE).header
    header.set_slope_inter(0.5, 0)
    header["vox_offset"] = 352
    stored = header.binaryblock + bytes(4) + (VOXELS * 2).tobytes(order="F")
    (tmp_path / "b.nii").write_bytes(stored)
    assert own == voxel_digests(tmp_path / "b.nii").whole
    image = nib.Nifti1Image(VOXELS, AFFINE)
    turned = set()
    for axes, flips in product(permutations(range(3)), product((1, -1), repeat=3)):
        ornt = np.array(list(zip(axes, flips, strict=True)))
        turned.add(_digest(path, image.as_reoriented(ornt)))
    assert turned == {own}


def test_other_voxels_and_mirrored_ones_differ(tmp_path: Path) -> None:
    """One voxel, or left for right, is another image; where all are equal there is no digest."""
    path = tmp_path / "a.nii.gz"
    other = VOXELS.copy()
    other[0, 0, 0] += 1
    digests = {_digest(path, nib.Nifti1Image(v, AFFINE)) for v in (VOXELS, other, VOXELS[::-1])}
    assert len(digests) == 3
    assert _digest(path, nib.Nifti1Image(np.full_like(VOXELS, 7), AFFINE)) is None
