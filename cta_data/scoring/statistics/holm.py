"""Holm's adjustment of p-values of several tests."""

from __future__ import annotations

import math
from collections.abc import Sequence


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjust the p-values of a family of tests by Holm's step-down method.

    Parameters
    ----------
    p_values
        One for each test. NaN is a test that could not be made: it stays NaN, and the family is
        that much smaller.

    Returns
    -------
    list of float
        Adjusted p-values in the order given: with those at most α rejected, the probability of
        any false rejection in the family is at most α.

    Raises
    ------
    ValueError
        A p-value outside 0 to 1.
    """
    if any(p < 0 or p > 1 for p in p_values):
        raise ValueError(f"p-values are from 0 to 1: {list(p_values)}")
    known = sorted((p, index) for index, p in enumerate(p_values) if not math.isnan(p))
    adjusted = [math.nan] * len(p_values)
    highest = 0.0
    for position, (p, index) in enumerate(known):
        highest = max(highest, min(1.0, (len(known) - position) * p))
        adjusted[index] = highest
    return adjusted
