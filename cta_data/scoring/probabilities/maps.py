"""Probability maps: the voxels that may be lesion, and how many there are in all."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cta_data.errors import DataRefused
from cta_data.formats.nifti.content import read_content
from cta_data.formats.nifti.geometry import NO_CHOICE, FormChoice
from cta_data.formats.nifti.image import header_geometry, scaled_voxels
from cta_data.formats.nrrd import is_nrrd, read_nrrd_voxels
from cta_data.imaging.geometry.grid import ras_affine
from cta_data.scoring.mask_files import MaskVoxels, refused_if_damaged, turned_to_ras

LEAST = 0.001
"""Probability below which voxels are only counted: they are nearly all of a head."""
ROUNDING = 1e-6
"""How far values may lie outside 0 to 1: 255 × float32(1 / 255) is not 1."""


@dataclass(frozen=True, eq=False)
class ProbabilityMap:
    """The voxels of a map with a probability of `LEAST` or more, on its grid turned to RAS.

    Attributes
    ----------
    voxels
        Their indices, and their probabilities as values.
    n_below, sum_below
        Number of all other voxels, and the sum of their probabilities.
    """

    voxels: MaskVoxels
    n_below: int
    sum_below: float


def read_probabilities(path: Path, choice: FormChoice = NO_CHOICE) -> ProbabilityMap:
    """Read a NIfTI or NRRD file of probabilities of lesion.

    Raises
    ------
    CtaError
        The file is not there, or its content was not fetched.
    DataRefused
        It is damaged, no volume, has no orientation, is a mask, or holds other values than 0 to 1.
    """
    if path.is_dir():
        raise DataRefused("mask_is_a_folder", where=path)
    if path.suffix == ".npz":
        raise DataRefused("probabilities_as_arrays", where=path)
    with refused_if_damaged(path):
        if is_nrrd(path):
            voxels, grid = read_nrrd_voxels(path)
            affine = ras_affine(grid)
        else:
            content = read_content(path)
            header, shape, affine = header_geometry(content, path, choice)
            voxels = scaled_voxels(header, shape, content, path)
    return probability_map(voxels, affine, where=str(path))


def probability_map(
    voxels: NDArray[np.generic], affine: NDArray[np.float64], *, where: str = ""
) -> ProbabilityMap:
    """Return the map of an array.

    Parameters
    ----------
    voxels
        Probabilities, (z, y, x).
    affine
        4 × 4 matrix from voxel index (x, y, z) to RAS mm.

    Raises
    ------
    DataRefused
        The values are whole numbers, as of a mask, are not finite, or do not lie between 0 and 1.
    """
    if voxels.dtype.kind != "f":
        raise DataRefused("probabilities_are_a_mask", where=where, dtype=voxels.dtype)
    flat = np.ascontiguousarray(voxels).reshape(-1)
    low, high = (float(flat.min()), float(flat.max())) if flat.size else (0.0, 0.0)
    if not np.isfinite([low, high]).all():
        unusable = int(flat.size - np.count_nonzero(np.isfinite(flat)))
        raise DataRefused(
            "probabilities_not_finite", where=where, unusable=unusable, n_voxels=flat.size
        )
    if low < -ROUNDING or high > 1 + ROUNDING:
        raise DataRefused("probabilities_out_of_range", where=where, low=low, high=high)
    if low < 0 or high > 1:
        flat = np.clip(flat, 0, 1)
    index = np.flatnonzero(np.asarray(flat >= LEAST))
    values = flat[index].astype(np.float64)
    # Exact zeros are most of a head; what is left of the sum is rounding, never below 0.
    rest = max(0.0, float(flat.sum(dtype=np.float64)) - float(values.sum()))
    nz, ny, nx = voxels.shape
    kept = turned_to_ras(MaskVoxels(index, values, (nz, ny, nx), affine))
    return ProbabilityMap(kept, int(flat.size - len(index)), rest)
