"""Probability maps from files: the voxels that may be lesion, and how many there are in all."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cta_data.errors import DataRefused
from cta_data.formats.nifti.content import read_content
from cta_data.formats.nifti.geometry import NO_CHOICE, FormChoice
from cta_data.formats.nifti.image import header_geometry, scaled_voxels
from cta_data.scoring.mask_files import MaskVoxels, refused_if_damaged, turned_to_ras

LEAST = 0.001
"""Probability below which voxels are only counted: they are nearly all of a head."""


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
    """Read a NIfTI file of probabilities of lesion.

    Raises
    ------
    CtaError
        The file is not there, or its content was not fetched.
    DataRefused
        It is damaged, no volume, has no orientation, or holds other values than 0 to 1.
    """
    with refused_if_damaged(path):
        content = read_content(path)
        header, (nx, ny, nz), affine = header_geometry(content, path, choice)
        flat = scaled_voxels(header, (nx, ny, nz), content, path).reshape(-1)
    low, high = (float(flat.min()), float(flat.max())) if flat.size else (0.0, 0.0)
    if not (low >= 0 and high <= 1):  # NaN fails as well
        raise DataRefused("probabilities_out_of_range", where=path, low=low, high=high)
    index = np.flatnonzero(np.asarray(flat >= LEAST))  # type: ignore[operator]
    values = flat[index].astype(np.float64)
    # Exact zeros are most of a head; what is left of the sum is rounding, never below 0.
    rest = max(0.0, float(flat.sum(dtype=np.float64)) - float(values.sum()))
    kept = turned_to_ras(MaskVoxels(index, values, (nz, ny, nx), affine))
    return ProbabilityMap(kept, int(flat.size - len(index)), rest)
