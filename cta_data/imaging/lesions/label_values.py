"""Label values of masks: whole numbers, whatever they were stored as."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cta_data.errors import DataRefused

LABEL_TOLERANCE = 1e-3
"""How far a value may lie from the whole number that it stands for: slopes and values in single
precision make 0.99999994 of 1, and 13999.9995 of 14000. It is the same for every reader."""
MOST_NAMED = 5


def whole_numbers(values: NDArray[Any], where: str = "mask") -> NDArray[np.integer]:
    """Return label values as the whole numbers that they stand for.

    Parameters
    ----------
    values
        Of any shape; what is stored, with slope and intercept applied.

    Raises
    ------
    DataRefused
        A value is not finite, or lies farther than `LABEL_TOLERANCE` from a whole number.
    """
    if values.dtype.kind in "biu":
        return np.asarray(values)
    unusable = int(values.size - np.count_nonzero(np.isfinite(values)))
    if unusable:
        raise DataRefused("mask_voxels_not_finite", where=where, unusable=unusable)
    numbers = np.asarray(values, np.float64)
    whole = np.round(numbers)
    fractions = numbers[np.abs(numbers - whole) > LABEL_TOLERANCE]
    if len(fractions):
        some = ", ".join(f"{value:.4g}" for value in np.unique(fractions)[:MOST_NAMED])
        raise DataRefused(
            "mask_values_fractional", where=where, n_fractions=len(fractions), some=some
        )
    return whole.astype(np.int64)
