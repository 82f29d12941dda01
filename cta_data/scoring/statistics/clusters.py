"""Intervals of any figure that is computed from sums over patients."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cta_data.scoring.statistics.intervals import RESAMPLES, SEED, Interval, bootstrapped
from cta_data.scoring.statistics.rank_tests import as_numbers

OfSums = Callable[[NDArray[np.float64]], NDArray[np.float64]]
"""From sums (…, k) to one figure each (…); NaN where it is undefined."""


def cluster_sums_interval(
    sums: ArrayLike,
    figure: OfSums,
    *,
    confidence: float = 0.95,
    resamples: int = RESAMPLES,
    seed: int = SEED,
) -> Interval:
    """Return a figure of sums over all patients, with an interval by drawing whole patients.

    Counts, means, standard deviations and everything made of them are figures of sums: of ones,
    of values, of squares. A resample draws as many patients as there are, adds their rows, and
    computes the figure again; the interval is BCa's (see `bootstrap_interval`). Few patients give
    intervals that are too short: in simulations with 1 to 8 alike lesions per patient, intervals
    of 95 % for limits of agreement held the truth in 89 % with 30 patients, 93 % with 100.

    Parameters
    ----------
    sums
        (n patients, k sums), finite.
    figure
        See `OfSums`.

    Returns
    -------
    Interval
        `n` is the number of patients. The ends are NaN, and the method is `none`, below three
        patients, and where the figure is undefined for all patients or for any resample: the
        interval would be that of the other resamples alone.

    Raises
    ------
    DataRefused
        A sum is undefined, infinite or not a number.
    ValueError
        `sums` does not have two axes, or a confidence is not between 0 and 1.
    """
    rows = np.asarray(sums, dtype=np.float64)
    if rows.ndim != 2:
        raise ValueError(f"sums of patients have two axes, not {rows.ndim}")
    as_numbers(rows.ravel(), "sums of patients")

    def drawn(indices: NDArray[np.intp]) -> NDArray[np.float64]:
        # Column by column: all at once would need k times the memory.
        totals = [column[indices].sum(axis=1) for column in rows.T]
        return figure(np.stack(totals, axis=-1))

    estimate = float(figure(rows.sum(axis=0)[None])[0]) if len(rows) else math.nan
    if math.isnan(estimate):
        return Interval(estimate, math.nan, math.nan, "none", confidence, len(rows))
    found = bootstrapped(estimate, drawn, len(rows), False, confidence, resamples, seed)
    if math.isnan(found.low) or math.isnan(found.high):
        return replace(found, low=math.nan, high=math.nan, method="none")
    return found
