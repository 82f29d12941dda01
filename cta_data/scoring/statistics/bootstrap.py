"""Bootstrap confidence intervals: bias-corrected and accelerated (BCa), seeded.

Efron's BCa interval: quantiles of the resampled statistic, moved by its bias (the share of
resamples below the estimate, equal ones counted half) and by its acceleration (the skewness of the
estimates that leave one observation out; 0 where these are all equal). The same numbers, in the
same order, with the same seed give the same interval.

What has no interval, or another one, is said by `Interval.method`: `none` below three
observations, `constant` where all are equal, `percentile` where the bias is infinite (every
resample on one side) or the acceleration too large for the formula.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from statistics import NormalDist
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from cta_data.errors import DataRefused
from cta_data.scoring.statistics.interval import Interval, IntervalMethod, check_confidence
from cta_data.scoring.statistics.ranks import as_numbers, resolution_of

RESAMPLES = 10_000
SEED = 20_250_015
"""Any number does, if it was chosen before the data was seen."""
FEWEST = 3
"""Observations below which no interval is given."""
DRAWN_AT_ONCE = 2**22

Statistic = Literal["mean", "median"]
STATISTICS: dict[Statistic, Callable[..., np.ndarray]] = {"mean": np.mean, "median": np.median}
Drawn = Callable[[np.ndarray], np.ndarray]
"""From indices (resamples × observations) to one statistic a resample."""


def bootstrap_interval(
    values: ArrayLike,
    statistic: Statistic = "mean",
    *,
    confidence: float = 0.95,
    resamples: int = RESAMPLES,
    seed: int = SEED,
) -> Interval:
    """Return the mean or median of independent values, such as paired differences.

    Parameters
    ----------
    values
        One for each independent observation; none undefined.
    statistic
        `mean` or `median`.
    confidence
        Between 0 and 1.
    resamples, seed
        How many samples are drawn, and from which seed.

    Raises
    ------
    DataRefused
        Values that are undefined, infinite or not numbers.
    ValueError
        A confidence that is not between 0 and 1.
    """
    check_confidence(confidence)
    numbers = _defined(values)
    of = STATISTICS[statistic]
    estimate = float(of(numbers)) if len(numbers) else math.nan
    if len(numbers) < FEWEST:
        return Interval(estimate, math.nan, math.nan, "none", confidence, len(numbers))
    if np.ptp(numbers) <= resolution_of(numbers):
        return Interval(estimate, estimate, estimate, "constant", confidence, len(numbers))

    def drawn(indices: np.ndarray) -> np.ndarray:
        return np.asarray(of(numbers[indices], axis=1))

    left_out = drawn(_leaving_one_out(len(numbers)))
    resampled = _resampled(drawn, len(numbers), resamples, seed)
    low, high, method = _bca(estimate, resampled, left_out, confidence)
    return Interval(estimate, low, high, method, confidence, len(numbers))


def cluster_mean_interval(
    values: ArrayLike,
    clusters: Sequence[object],
    *,
    confidence: float = 0.95,
    resamples: int = RESAMPLES,
    seed: int = SEED,
) -> Interval:
    """Return the mean over all values, where values of one cluster belong together.

    Clusters are drawn whole: lesions of one patient are found, or missed, together more often than
    lesions of two. With 1 for a lesion that was found and 0 for one that was not this is the
    sensitivity over all lesions; with the difference of two models' ones and zeros on the same
    lesions, the difference of their sensitivities.

    Parameters
    ----------
    values
        One for each lesion; none undefined.
    clusters
        The patient of each value.
    confidence, resamples, seed
        As of `bootstrap_interval`.

    Returns
    -------
    Interval
        `n` is the number of clusters.

    Raises
    ------
    DataRefused
        Values that are undefined, infinite or not numbers, or not as many as clusters.
    ValueError
        A confidence that is not between 0 and 1.
    """
    check_confidence(confidence)
    numbers = _defined(values)
    sums, sizes = _by_cluster(numbers, clusters)
    n = len(sums)
    estimate = float(sums.sum() / sizes.sum()) if n else math.nan
    if n < FEWEST:
        return Interval(estimate, math.nan, math.nan, "none", confidence, n)
    if np.ptp(sums / sizes) <= resolution_of(numbers):
        return Interval(estimate, estimate, estimate, "constant", confidence, n)

    def drawn(indices: np.ndarray) -> np.ndarray:
        return np.asarray(sums[indices].sum(axis=1) / sizes[indices].sum(axis=1))

    left_out = drawn(_leaving_one_out(n))
    resampled = _resampled(drawn, n, resamples, seed)
    low, high, method = _bca(estimate, resampled, left_out, confidence)
    return Interval(estimate, low, high, method, confidence, n)


def _defined(values: ArrayLike) -> np.ndarray:
    numbers = as_numbers(values, "values")
    undefined = int(np.isnan(numbers).sum())
    if undefined:
        raise DataRefused(
            "values to resample are undefined",
            why=f"{undefined} of {len(numbers)}",
            next_step="Leave them out, and report how many they are",
        )
    return numbers


def _by_cluster(numbers: np.ndarray, clusters: Sequence[object]) -> tuple[np.ndarray, np.ndarray]:
    """Return the sum and the number of values of each cluster, in order of appearance."""
    if len(clusters) != len(numbers):
        raise DataRefused(
            "every value needs its cluster", why=f"{len(numbers)} values, {len(clusters)} clusters"
        )
    positions = {name: i for i, name in enumerate(dict.fromkeys(clusters))}
    index = np.array([positions[name] for name in clusters], dtype=np.intp)
    sizes = np.bincount(index, minlength=len(positions))
    return np.bincount(index, weights=numbers, minlength=len(positions)), sizes


def _leaving_one_out(n: int) -> np.ndarray:
    """Return indices, n × (n − 1), of which row i leaves observation i out."""
    columns = np.arange(n - 1)
    return columns + (columns >= np.arange(n)[:, None])


def _resampled(drawn: Drawn, n: int, resamples: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    rows = max(1, DRAWN_AT_ONCE // n)
    parts = [
        drawn(rng.integers(0, n, (min(rows, resamples - start), n)))
        for start in range(0, resamples, rows)
    ]
    return np.concatenate(parts)


def _bca(
    estimate: float, resampled: np.ndarray, left_out: np.ndarray, confidence: float
) -> tuple[float, float, IntervalMethod]:
    normal = NormalDist()
    levels = ((1 - confidence) / 2, (1 + confidence) / 2)
    limit = resolution_of(resampled)  # means of the same draws differ by rounding
    below = float(np.mean(resampled < estimate - limit))
    share = (below + float(np.mean(resampled <= estimate + limit))) / 2
    if 0 < share < 1:
        bias, acceleration = normal.inv_cdf(share), _acceleration(left_out)
        moved = [_move(bias, acceleration, normal.inv_cdf(level)) for level in levels]
        if not any(math.isnan(z) for z in moved):
            low, high = np.quantile(resampled, [normal.cdf(z) for z in moved])
            return float(low), float(high), "bca"
    low, high = np.quantile(resampled, levels)
    return float(low), float(high), "percentile"


def _move(bias: float, acceleration: float, z: float) -> float:
    shrunk = 1 - acceleration * (bias + z)
    return bias + (bias + z) / shrunk if shrunk > 0 else math.nan


def _acceleration(left_out: np.ndarray) -> float:
    """Return a sixth of the skewness of the influence of single observations."""
    influence = left_out.mean() - left_out
    if np.ptp(left_out) <= resolution_of(left_out):
        return 0.0
    return float((influence**3).sum() / (6 * (influence**2).sum() ** 1.5))
