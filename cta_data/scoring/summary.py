"""A metric across cases: how many there are, how many are undefined, mean, spread, quartiles."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

METRICS = (
    "sensitivity",
    "ppv",
    "f1",
    "lesionwise_dice",
    "lesionwise_ppv",
    "lesionwise_sensitivity",
    "voxel_dice",
)
"""Metrics of a case that are averaged over cases."""


@dataclass(frozen=True)
class Summary:
    """A metric over the cases where it is defined; NaN where there are too few of them.

    ``sd`` has n - 1 in its denominator; quartiles are interpolated linearly.
    """

    n: int
    n_undefined: int
    mean: float
    sd: float
    median: float
    q1: float
    q3: float


def summarise(values: Iterable[float]) -> Summary:
    """Summarise one metric; NaN is undefined, and counted."""
    given = np.array(list(values), dtype=np.float64)
    known = given[~np.isnan(given)]
    undefined = len(given) - len(known)
    if not len(known):
        return Summary(0, undefined, *[math.nan] * 5)
    q1, median, q3 = np.quantile(known, [0.25, 0.5, 0.75]).tolist()
    sd = float(np.std(known, ddof=1)) if len(known) > 1 else math.nan
    return Summary(len(known), undefined, float(np.mean(known)), sd, median, q1, q3)
