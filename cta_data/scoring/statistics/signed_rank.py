"""The paired Wilcoxon signed-rank test, by one rule that no library's version changes.

Undefined differences (NaN) and zeros are dropped and counted. The two-sided p-value is

- exact, where there were no zeros and no ties among the magnitudes, and at most 50 differences;
- else that of the normal approximation, with the correction for ties and without a correction for
  continuity.

A case with the same score twice is a zero, so that scores of a few lesions nearly always come to
the approximation, also with few differences: the p-values that the paper prints do, too.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from cta_data.scoring.statistics.ranks import as_numbers, rank_values, resolution_of

MOST_EXACT = 50
"""Differences up to which the distribution is counted out."""

Method = Literal["exact", "normal", "none"]


@dataclass(frozen=True)
class SignedRank:
    """Result of the Wilcoxon signed-rank test.

    Attributes
    ----------
    p_value
        Two-sided; NaN where every difference is zero or undefined.
    method
        `exact`, `normal` (approximation) or `none`.
    w_plus, w_minus
        Sums of the ranks of positive and of negative differences.
    z
        Standard score of `w_plus` under the approximation; NaN where that was not used.
    n_used, n_zero, n_undefined
        Differences that were ranked, that are zero, and that are NaN.
    n_tied
        Ranked differences whose magnitude another one shares.
    """

    p_value: float
    method: Method
    w_plus: float
    w_minus: float
    z: float
    n_used: int
    n_zero: int
    n_undefined: int
    n_tied: int


def wilcoxon_signed_rank(differences: ArrayLike, *, resolution: float | None = None) -> SignedRank:
    """Test whether paired differences are symmetric about zero.

    Parameters
    ----------
    differences
        One for each pair; NaN where one of the two is undefined.
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
    ranking = rank_values(np.abs(used), limit)
    w_plus = float(ranking.ranks[used > 0].sum())
    w_minus = float(ranking.ranks[used < 0].sum())
    n_zero = len(defined) - len(used)
    method: Method = "none"
    p_value = z = math.nan
    if len(used) and not n_zero and not ranking.tie_sizes and len(used) <= MOST_EXACT:
        method, p_value = "exact", _exact_p(len(used), round(min(w_plus, w_minus)))
    elif len(used):
        method, (z, p_value) = "normal", _normal(len(used), w_plus, ranking.tie_term)
    n_undefined = len(numbers) - len(defined)
    return SignedRank(
        p_value, method, w_plus, w_minus, z, len(used), n_zero, n_undefined, ranking.n_tied
    )


def signed_rank_counts(n: int) -> list[int]:
    """Return, for each sum of ranks, how many of the 2ⁿ patterns of signs have it.

    Parameters
    ----------
    n
        Number of differences without zeros and ties.

    Returns
    -------
    list of int
        Entry w is the number of subsets of 1 … n with the sum w; n (n + 1) / 2 + 1 entries.
    """
    counts = [1]
    for rank in range(1, n + 1):
        longer = counts + [0] * rank
        for total, count in enumerate(counts):
            longer[total + rank] += count
        counts = longer
    return counts


def _exact_p(n: int, smaller: int) -> float:
    """Return the two-sided p-value of the smaller of the two sums, from whole numbers."""
    patterns = sum(signed_rank_counts(n)[: smaller + 1])
    return min(1.0, 2 * patterns / 2**n)


def _normal(n: int, w_plus: float, tie_term: int) -> tuple[float, float]:
    variance = n * (n + 1) * (2 * n + 1) / 24 - tie_term / 48
    z = (w_plus - n * (n + 1) / 4) / math.sqrt(variance)
    return z, two_sided_normal(z)


def two_sided_normal(z: float) -> float:
    """Return the probability that a standard normal is at least as far from zero as `z`."""
    return math.erfc(abs(z) / math.sqrt(2))
