"""Intervals of any figure that is computed from sums over patients."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cta_data.scoring.statistics.intervals import (
    DRAWN_AT_ONCE,
    FEWEST,
    RESAMPLES,
    SEED,
    Interval,
    bca,
    bootstrapped,
    check_confidence,
)
from cta_data.scoring.statistics.rank_tests import as_numbers

OfSums = Callable[[NDArray[np.float64]], NDArray[np.float64]]
"""From sums (…, k) to one figure each (…); NaN where it is undefined."""
OfWeights = Callable[[NDArray[np.float64]], NDArray[np.float64]]
"""From weights of patients (resamples, n) to figures (resamples, k); NaN where undefined."""
_ROWS_AT_ONCE = 256


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


def weighted_intervals(
    figures: OfWeights,
    n: int,
    *,
    confidence: float = 0.95,
    resamples: int = RESAMPLES,
    seed: int = SEED,
) -> tuple[Interval, ...]:
    """Return several figures of the same patients, with intervals from the same resamples.

    Parameters
    ----------
    figures
        See `OfWeights`; a weight is how often a patient was drawn. Figures of one resample may be
        compared with each other: they are of the same patients.
    n
        Number of patients.

    Returns
    -------
    tuple of Interval
        As `cluster_sums_interval` returns them; `constant` where all resamples are equal.

    Raises
    ------
    ValueError
        A confidence that is not between 0 and 1.
    """
    check_confidence(confidence)
    estimates = figures(np.ones((1, n)))[0]
    if n < FEWEST:
        return tuple(
            Interval(float(one), math.nan, math.nan, "none", confidence, n) for one in estimates
        )
    rng = np.random.default_rng(seed)
    rows = max(1, min(_ROWS_AT_ONCE, DRAWN_AT_ONCE // n))
    parts = [
        figures(_times_drawn(rng.integers(0, n, (min(rows, resamples - start), n))))
        for start in range(0, resamples, rows)
    ]
    left_out = [
        figures(1.0 - (np.arange(n) == np.arange(start, min(start + rows, n))[:, None]))
        for start in range(0, n, rows)
    ]
    resampled, without = np.concatenate(parts), np.concatenate(left_out)
    return tuple(
        _interval_of(float(estimate), drawn, jackknife, confidence, n)
        for estimate, drawn, jackknife in zip(estimates, resampled.T, without.T, strict=True)
    )


def _times_drawn(indices: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return how often each of n patients was drawn, from indices (resamples, n)."""
    rows, n = indices.shape
    places = indices + n * np.arange(rows)[:, None]
    return np.bincount(places.ravel(), minlength=rows * n).reshape(rows, n).astype(np.float64)


def _interval_of(
    estimate: float,
    drawn: NDArray[np.float64],
    left_out: NDArray[np.float64],
    confidence: float,
    n: int,
) -> Interval:
    if np.isnan(drawn).any() or np.isnan(left_out).any() or math.isnan(estimate):
        # Resamples without the figure would leave an interval of the others alone.
        return Interval(estimate, math.nan, math.nan, "none", confidence, n)
    if np.ptp(drawn) == 0 and drawn[0] == estimate:
        return Interval(estimate, estimate, estimate, "constant", confidence, n)
    low, high, method = bca(estimate, drawn, left_out, confidence)
    return Interval(estimate, low, high, method, confidence, n)
