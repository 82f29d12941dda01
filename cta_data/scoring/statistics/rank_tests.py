"""Rank tests of paired and unpaired scores, by one stated rule; scipy does the arithmetic.

Undefined scores (NaN) are dropped and counted, and so are pairs of equal scores. A two-sided
p-value is exact where nothing was equal (no zero, no tie) and no group has more than 50 values;
else it is that of the normal approximation, with the correction for ties and without a correction
for continuity. A case with the same score twice is a zero, so that scores of a few lesions nearly
always come to the approximation, as do the p-values that the paper prints.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from cta_data.errors import DataRefused

RESOLUTION = 1e-12
"""Two numbers are equal where they differ by less than this, times the largest magnitude.

Scores are ratios of counts: 1 − 2/3 and 1/3 differ in their sixteenth digit, and are one number.
"""
MOST_EXACT = 50
"""Values of a group up to which the distribution is counted out."""

Method = Literal["exact", "normal", "none"]


@dataclass(frozen=True)
class PairedScores:
    """Pairs of which both scores are defined, and how many were not.

    Attributes
    ----------
    a, b
        The scores, pair by pair.
    n_undefined_a, n_undefined_b, n_undefined
        Pairs that were left out since the score of A, of B, or of either is undefined.
    """

    a: np.ndarray
    b: np.ndarray
    n_undefined_a: int
    n_undefined_b: int
    n_undefined: int

    @property
    def differences(self) -> np.ndarray:
        """B minus A; what differs by rounding alone is zero."""
        differences = self.b - self.a
        return np.where(np.abs(differences) <= self.resolution, 0.0, differences)

    @property
    def resolution(self) -> float:
        """Differences that differ by no more than this are equal: subtraction rounds them."""
        return resolution_of(self.a, self.b)


def pair_scores(a: ArrayLike, b: ArrayLike) -> PairedScores:
    """Pair the scores of A and B case by case (in the same order) and leave out the undefined.

    Raises
    ------
    DataRefused
        Scores that are not numbers, infinite, or not as many on both sides.
    """
    first, second = as_numbers(a, "scores of A"), as_numbers(b, "scores of B")
    if len(first) != len(second):
        raise DataRefused("paired_counts_differ", n_first=len(first), n_second=len(second))
    lost_a, lost_b = np.isnan(first), np.isnan(second)
    kept = ~(lost_a | lost_b)
    return PairedScores(
        first[kept], second[kept], int(lost_a.sum()), int(lost_b.sum()), int((~kept).sum())
    )


@dataclass(frozen=True)
class SignedRank:
    """Result of the Wilcoxon signed-rank test.

    Attributes
    ----------
    p_value
        Two-sided; NaN, with `method` none, where every difference is zero or undefined.
    w_plus, w_minus
        Sums of the ranks of positive and of negative differences.
    n_used, n_zero, n_undefined
        Differences that were ranked, that are zero, and that are NaN.
    n_tied
        Ranked differences whose magnitude another one shares.
    """

    p_value: float
    method: Method
    w_plus: float
    w_minus: float
    n_used: int
    n_zero: int
    n_undefined: int
    n_tied: int

    @property
    def rank_biserial(self) -> float:
        """Rank-biserial correlation of matched pairs, −1 to 1 (Kerby's simple difference).

        The sum of positive ranks minus that of negative ones, over both. NaN without a rank.
        """
        total = self.w_plus + self.w_minus
        return (self.w_plus - self.w_minus) / total if total else math.nan


def wilcoxon_signed_rank(differences: ArrayLike, *, resolution: float | None = None) -> SignedRank:
    """Test whether paired differences (NaN where undefined) are symmetric about zero.

    Parameters
    ----------
    resolution
        Magnitudes up to this are zero, and magnitudes that differ by no more are tied; without it
        1e-12 times the largest magnitude. What scores were subtracted knows better: see
        `PairedScores.resolution`.

    Raises
    ------
    DataRefused
        Differences that are not numbers, or infinite.
    """
    numbers = as_numbers(differences, "differences")
    defined = numbers[~np.isnan(numbers)]
    limit = resolution_of(defined) if resolution is None else resolution
    used = defined[np.abs(defined) > limit]
    sizes = _with_ties(np.abs(used), limit)
    ranks = stats.rankdata(sizes)
    n_zero, n_tied = len(defined) - len(used), _n_tied(sizes)
    method: Method = "none"
    p_value = math.nan
    if len(used):
        method = "normal" if n_zero or n_tied or len(used) > MOST_EXACT else "exact"
        asked = "exact" if method == "exact" else "asymptotic"
        signed = np.copysign(sizes, used)
        p_value = float(stats.wilcoxon(signed, correction=False, method=asked).pvalue)
    return SignedRank(
        p_value,
        method,
        w_plus=float(ranks[used > 0].sum()),
        w_minus=float(ranks[used < 0].sum()),
        n_used=len(used),
        n_zero=n_zero,
        n_undefined=len(numbers) - len(defined),
        n_tied=n_tied,
    )


@dataclass(frozen=True)
class RankSum:
    """Result of the Mann–Whitney U test of `b` against `a`.

    Attributes
    ----------
    p_value
        Two-sided; NaN, with `method` none, where a group is empty or all scores are equal.
    u
        Pairs of one score of each group in which that of `b` is higher; equal ones count half.
    n_a, n_b, n_undefined
        Defined scores of each group, and scores of either that are NaN.
    cliffs_delta
        Share of pairs in which `b` is higher minus share in which it is lower, −1 to 1: the
        rank-biserial correlation of two unpaired groups. NaN where a group is empty.
    """

    p_value: float
    method: Method
    u: float
    n_a: int
    n_b: int
    n_undefined: int
    cliffs_delta: float


def mann_whitney_u(a: ArrayLike, b: ArrayLike) -> RankSum:
    """Test whether scores of `b` tend to be higher or lower than those of `a`, unpaired.

    Raises
    ------
    DataRefused
        Scores that are not numbers, or infinite.
    """
    both = [as_numbers(a, "scores of A"), as_numbers(b, "scores of B")]
    first, second = (numbers[~np.isnan(numbers)] for numbers in both)
    n_a, n_b = len(first), len(second)
    n_undefined = sum(map(len, both)) - n_a - n_b
    if not n_a or not n_b:
        return RankSum(math.nan, "none", math.nan, n_a, n_b, n_undefined, math.nan)
    scores = _with_ties(np.concatenate([first, second]), resolution_of(first, second))
    n_tied = _n_tied(scores)
    method: Method = "normal" if n_tied or max(n_a, n_b) > MOST_EXACT else "exact"
    asked = "exact" if method == "exact" else "asymptotic"
    if np.ptp(scores) == 0 and n_tied:
        u, p_value, method = n_a * n_b / 2, math.nan, "none"
    else:
        found = stats.mannwhitneyu(scores[n_a:], scores[:n_a], use_continuity=False, method=asked)
        u, p_value = float(found.statistic), float(found.pvalue)
    return RankSum(p_value, method, u, n_a, n_b, n_undefined, 2 * u / (n_a * n_b) - 1)


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjust the p-values of a family of tests by Holm's step-down method, in the order given.

    With those at most α rejected, the probability of any false rejection is at most α. NaN is a
    test that could not be made: it stays NaN, and the family is that much smaller.

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


def standardised_mean_difference(a: np.ndarray, b: np.ndarray) -> float:
    """Return the mean of b minus that of a, in units of their standard deviation.

    The unit is the root of the mean of both variances (n − 1), so that the value means the same
    for paired and unpaired scores. There is no correction for small samples. NaN where a group
    has fewer than two scores, or neither varies.
    """
    if min(len(a), len(b)) < 2 or (np.ptp(a) == 0 and np.ptp(b) == 0):
        return math.nan
    unit = math.sqrt((float(np.var(a, ddof=1)) + float(np.var(b, ddof=1))) / 2)
    return (float(np.mean(b)) - float(np.mean(a))) / unit


def resolution_of(*arrays: np.ndarray) -> float:
    """Return the difference up to which numbers of this magnitude are equal."""
    largest = max((float(np.max(np.abs(a))) for a in arrays if len(a)), default=0.0)
    return RESOLUTION * largest


def as_numbers(values: ArrayLike, content: str) -> np.ndarray:
    """Return values as a vector of floats, in which NaN stands for undefined.

    Raises
    ------
    DataRefused
        Values that are not numbers in one row, or infinite; `content` names them.
    """
    try:
        numbers = np.asarray(values, dtype=float)
    except (TypeError, ValueError) as error:
        raise DataRefused("values_not_numeric", content=content, error=str(error)) from error
    if numbers.ndim != 1:
        raise DataRefused("values_not_one_dimensional", content=content, ndim=numbers.ndim)
    if np.isinf(numbers).any():
        raise DataRefused(
            "values_infinite",
            content=content,
            n_infinite=int(np.isinf(numbers).sum()),
            n_numbers=len(numbers),
        )
    return numbers


def _with_ties(values: np.ndarray, resolution: float) -> np.ndarray:
    """Return values in which neighbours in size that differ by no more are equal."""
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    starts = np.flatnonzero(np.diff(ordered, prepend=-np.inf) > resolution)
    equal = np.empty(len(values))
    equal[order] = np.repeat(ordered[starts], np.diff(starts, append=len(values)))
    return equal


def _n_tied(values: np.ndarray) -> int:
    """Return how many values share theirs with another."""
    _, counts = np.unique(values, return_counts=True)
    return int(counts[counts > 1].sum())
