"""Confidence intervals: of means and medians by a seeded bootstrap, of a proportion by Wilson.

Efron's bias-corrected and accelerated interval (BCa): quantiles of the resampled statistic, moved
by its bias (the share of resamples below the estimate, equal ones counted half) and by its
acceleration (the skewness of the estimates that leave one observation out; 0 where these are all
equal). The same numbers, in the same order, with the same seed give the same interval. It is
written here since scipy's takes resamples that differ by rounding for different, and is NaN where
all estimates that leave one out are equal: scores of a few lesions are such.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from numbers import Integral
from statistics import NormalDist
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from cta_data.errors import ConfigurationError, DataRefused
from cta_data.scoring.statistics.rank_tests import as_numbers, resolution_of

RESAMPLES = 10_000
SEED = 20_250_015
"""Any number does, if it was chosen before the data was seen."""
FEWEST = 3
"""Observations below which no interval is given."""
DRAWN_AT_ONCE = 2**22

IntervalMethod = Literal["bca", "percentile", "constant", "wilson", "none"]
Statistic = Literal["mean", "median"]
STATISTICS: dict[Statistic, Callable[..., np.ndarray]] = {"mean": np.mean, "median": np.median}
Drawn = Callable[[np.ndarray], np.ndarray]
"""From indices (resamples × observations) to one statistic a resample."""


@dataclass(frozen=True)
class Interval:
    """An estimate and its confidence interval.

    Attributes
    ----------
    estimate, low, high
        The estimate, and the ends of its interval; NaN where they are undefined.
    method
        `bca`; `percentile`, where the bias is infinite (every resample on one side) or the
        acceleration too large for the formula; `constant`, where all values are equal; `wilson`;
        or `none`, below three observations.
    confidence
        Between 0 and 1.
    n
        Number of independent observations: pairs, patients or trials.
    """

    estimate: float
    low: float
    high: float
    method: IntervalMethod
    confidence: float
    n: int


def bootstrap_interval(
    values: ArrayLike,
    statistic: Statistic = "mean",
    *,
    confidence: float = 0.95,
    resamples: int = RESAMPLES,
    seed: int = SEED,
) -> Interval:
    """Return the mean or median of independent values, such as paired differences.

    Raises
    ------
    DataRefused
        Values that are undefined, infinite or not numbers.
    ValueError
        A confidence that is not between 0 and 1.
    """
    numbers = _defined(values)
    of = STATISTICS[statistic]

    def drawn(indices: np.ndarray) -> np.ndarray:
        return np.asarray(of(numbers[indices], axis=1))

    estimate = float(of(numbers)) if len(numbers) else math.nan
    is_constant = len(numbers) > 0 and np.ptp(numbers) <= resolution_of(numbers)
    return bootstrapped(estimate, drawn, len(numbers), is_constant, confidence, resamples, seed)


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
    values, clusters
        One for each lesion, none undefined; and the patient of each.

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
    numbers = _defined(values)
    sums, sizes = _by_cluster(numbers, clusters)

    def drawn(indices: np.ndarray) -> np.ndarray:
        return np.asarray(sums[indices].sum(axis=1) / sizes[indices].sum(axis=1))

    estimate = float(sums.sum() / sizes.sum()) if len(sums) else math.nan
    is_constant = len(sums) > 0 and np.ptp(sums / sizes) <= resolution_of(numbers)
    return bootstrapped(estimate, drawn, len(sums), is_constant, confidence, resamples, seed)


def proportion_interval(k: int, n: int, confidence: float = 0.95) -> Interval:
    """Return Wilson's score interval of the proportion k / n, such as of lesions that were found.

    The n trials are taken for independent. Lesions of one patient are not: see
    `cluster_mean_interval`. NaN, with `method` none, where n is 0.

    Raises
    ------
    ValueError
        k below 0 or above n, or a confidence that is not between 0 and 1.
    """
    check_confidence(confidence)
    if not 0 <= k <= n:
        raise ValueError(f"{k} successes of {n} trials")
    if n == 0:
        return Interval(math.nan, math.nan, math.nan, "none", confidence, 0)
    ends = stats.binomtest(k, n).proportion_ci(confidence, method="wilson")
    return Interval(k / n, float(ends.low), float(ends.high), "wilson", confidence, n)


def check_confidence(confidence: float) -> None:
    """Refuse a confidence that is not between 0 and 1, with a ValueError."""
    if not 0 < confidence < 1:
        raise ValueError(f"a confidence is between 0 and 1, not {confidence}")


def seed_asked(seed: int | None) -> int:
    """Return the seed of resampling; without one, the usual one.

    Raises
    ------
    ConfigurationError
        It is no whole number from 0.
    """
    if seed is None:
        return SEED
    if not isinstance(seed, Integral) or isinstance(seed, bool) or seed < 0:
        raise ConfigurationError("seed_invalid", seed=repr(seed))
    return int(seed)


def _defined(values: ArrayLike) -> np.ndarray:
    numbers = as_numbers(values, "values")
    undefined = int(np.isnan(numbers).sum())
    if undefined:
        raise DataRefused("resampled_values_undefined", undefined=undefined, n_numbers=len(numbers))
    return numbers


def _by_cluster(numbers: np.ndarray, clusters: Sequence[object]) -> tuple[np.ndarray, np.ndarray]:
    """Return the sum and the number of values of each cluster, in order of appearance."""
    if len(clusters) != len(numbers):
        raise DataRefused("cluster_count_differs", n_numbers=len(numbers), n_clusters=len(clusters))
    positions = {name: i for i, name in enumerate(dict.fromkeys(clusters))}
    index = np.array([positions[name] for name in clusters], dtype=np.intp)
    sizes = np.bincount(index, minlength=len(positions))
    return np.bincount(index, weights=numbers, minlength=len(positions)), sizes


def bootstrapped(
    estimate: float,
    drawn: Drawn,
    n: int,
    is_constant: bool,
    confidence: float,
    resamples: int,
    seed: int,
) -> Interval:
    """Return the interval of a statistic of n observations, which ``drawn`` computes."""
    check_confidence(confidence)
    if n < FEWEST:
        return Interval(estimate, math.nan, math.nan, "none", confidence, n)
    if is_constant:
        return Interval(estimate, estimate, estimate, "constant", confidence, n)
    columns = np.arange(n - 1)
    left_out = drawn(columns + (columns >= np.arange(n)[:, None]))  # row i leaves i out
    rng = np.random.default_rng(seed)
    rows = max(1, DRAWN_AT_ONCE // n)
    parts = [
        drawn(rng.integers(0, n, (min(rows, resamples - start), n)))
        for start in range(0, resamples, rows)
    ]
    low, high, method = bca(estimate, np.concatenate(parts), left_out, confidence)
    return Interval(estimate, low, high, method, confidence, n)


def bca(
    estimate: float, resampled: np.ndarray, left_out: np.ndarray, confidence: float
) -> tuple[float, float, IntervalMethod]:
    """Return both ends of the BCa interval of a statistic, and how they were computed.

    Parameters
    ----------
    resampled
        The statistic of each resample.
    left_out
        The statistic without each observation.
    """
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
