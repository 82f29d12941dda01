"""The Mann–Whitney U test, by the same rule as the signed-rank test.

Undefined scores (NaN) are dropped and counted. The two-sided p-value is exact where no two scores
are equal and neither group has more than 50, else that of the normal approximation with the
correction for ties and without a correction for continuity.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from cta_data.scoring.statistics.ranks import as_numbers, rank_values, resolution_of
from cta_data.scoring.statistics.signed_rank import MOST_EXACT, Method, two_sided_normal


@dataclass(frozen=True)
class RankSum:
    """Result of the Mann–Whitney U test of `b` against `a`.

    Attributes
    ----------
    p_value
        Two-sided; NaN where a group is empty, or all scores are equal.
    method
        `exact`, `normal` (approximation) or `none`.
    u
        Pairs of one score of each group in which that of `b` is higher; equal ones count half.
    z
        Standard score of `u` under the approximation; NaN where that was not used.
    n_a, n_b
        Defined scores of each group.
    n_undefined
        Scores that are NaN, of both groups.
    cliffs_delta
        Share of pairs in which `b` is higher minus share in which it is lower, −1 to 1: the
        rank-biserial correlation of two unpaired groups. NaN where a group is empty.
    """

    p_value: float
    method: Method
    u: float
    z: float
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
        return RankSum(math.nan, "none", math.nan, math.nan, n_a, n_b, n_undefined, math.nan)
    ranking = rank_values(np.concatenate([first, second]), resolution_of(first, second))
    u = float(ranking.ranks[n_a:].sum()) - n_b * (n_b + 1) / 2
    delta = 2 * u / (n_a * n_b) - 1
    method: Method = "none"
    p_value = z = math.nan
    if not ranking.tie_sizes and max(n_a, n_b) <= MOST_EXACT:
        method, p_value = "exact", _exact_p(n_a, n_b, round(u))
    elif max(ranking.tie_sizes, default=0) < n_a + n_b:
        method, (z, p_value) = "normal", _normal(n_a, n_b, u, ranking.tie_term)
    return RankSum(p_value, method, u, z, n_a, n_b, n_undefined, delta)


def rank_sum_counts(n_a: int, n_b: int) -> list[int]:
    """Return, for each U, how many of the orders of two groups without ties have it.

    These are the coefficients of the Gaussian binomial: the product of 1 − xᵃ⁺ⁱ over that of
    1 − xⁱ, for i = 1 … n_b.
    """
    length = n_a * n_b + 1
    counts = [1] + [0] * (length - 1)
    for i in range(1, n_b + 1):
        for total in range(length - 1, n_a + i - 1, -1):
            counts[total] -= counts[total - n_a - i]
        for total in range(i, length):
            counts[total] += counts[total - i]
    return counts


def _exact_p(n_a: int, n_b: int, u: int) -> float:
    orders = sum(rank_sum_counts(n_a, n_b)[: min(u, n_a * n_b - u) + 1])
    return min(1.0, 2 * orders / math.comb(n_a + n_b, n_a))


def _normal(n_a: int, n_b: int, u: float, tie_term: int) -> tuple[float, float]:
    n = n_a + n_b
    variance = n_a * n_b / 12 * (n + 1 - tie_term / (n * (n - 1)))
    z = (u - n_a * n_b / 2) / math.sqrt(variance)
    return z, two_sided_normal(z)
