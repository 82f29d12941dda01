"""Mann–Whitney U, effect sizes, and Holm's adjustment."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from cta_data.scoring.statistics import (
    holm,
    mann_whitney_u,
    standardised_mean_difference,
    wilcoxon_signed_rank,
)

NAN = math.nan


@pytest.mark.parametrize(("n_a", "n_b"), [(1, 1), (1, 5), (3, 4), (4, 4), (5, 2)])
def test_the_exact_distribution_is_the_count_of_all_orders(n_a: int, n_b: int) -> None:
    """Every choice of the ranks of B is tried: as many are at least as far from the middle."""
    every = set(range(1, n_a + n_b + 1))
    chosen = list(itertools.combinations(sorted(every), n_b))
    found = [sum(ranks) - n_b * (n_b + 1) // 2 for ranks in chosen]
    smaller = [min(u, n_a * n_b - u) for u in found]
    for ranks, u, least in zip(chosen, found, smaller, strict=True):
        test = mann_whitney_u(sorted(every - set(ranks)), ranks)
        share = min(1.0, sum(other <= least for other in smaller) / len(chosen))
        assert (test.method, test.u) == ("exact", u)
        assert test.p_value == pytest.approx(share, abs=1e-14)


def test_the_exact_distribution_is_whole_at_the_limit() -> None:
    """50 below 50 others is one order of all, though their number does not fit 64 bits."""
    test = mann_whitney_u(range(50), range(50, 100))
    expected = pytest.approx(2 / math.comb(100, 50), rel=1e-12)
    assert (test.method, test.p_value) == ("exact", expected)


scores = st.lists(st.integers(0, 60), min_size=1, max_size=25)


@given(scores, scores)
def test_it_is_scipys_where_the_rules_agree(a: list[int], b: list[int]) -> None:
    """scipy is told which way to go; U and p must be the same."""
    test = mann_whitney_u(a, b)
    if len({*a, *b}) == 1 and len(a) + len(b) > 1:
        assert test.method == "none"
        return
    expected = stats.mannwhitneyu(
        b, a, use_continuity=False, method="exact" if test.method == "exact" else "asymptotic"
    )
    assert test.u == expected.statistic
    assert test.p_value == pytest.approx(expected.pvalue, rel=1e-9)


@given(scores, scores)
def test_cliffs_delta_is_counted_over_all_pairs(a: list[int], b: list[int]) -> None:
    """Share of pairs with B higher minus share with B lower; exchanged, it changes its sign."""
    signs = np.sign(np.subtract.outer(np.array(b), np.array(a)))
    assert mann_whitney_u(a, b).cliffs_delta == pytest.approx(signs.mean(), abs=1e-12)
    assert mann_whitney_u(b, a).cliffs_delta == pytest.approx(-signs.mean(), abs=1e-12)


def test_the_method_changes_where_the_rule_says() -> None:
    """Exact up to 50 on each side without equal scores."""
    assert mann_whitney_u([1, 2], [3, 4]).p_value == pytest.approx(2 / 6)
    fifty = np.arange(50.0)
    assert mann_whitney_u(fifty, fifty + 0.5).method == "exact"
    assert mann_whitney_u(np.arange(51.0), fifty + 0.5).method == "normal"
    assert mann_whitney_u([1, 2], [2, 4]).method == "normal"


def test_undefined_and_empty_groups() -> None:
    """Undefined scores are dropped and counted; an empty group has no p-value."""
    test = mann_whitney_u([NAN, 1.0], [2.0, NAN, NAN, 3.0])
    assert (test.n_a, test.n_b, test.n_undefined, test.u) == (1, 2, 3, 2)
    empty = mann_whitney_u([], [1.0])
    assert empty.method == "none"
    assert math.isnan(empty.p_value) and math.isnan(empty.cliffs_delta)
    same = mann_whitney_u([1.0, 1.0], [1.0])
    assert (same.method, same.cliffs_delta) == ("none", 0)


def test_rank_biserial_of_matched_pairs() -> None:
    """All up is 1, all down −1; ranks 1, 2 down and 3 up are balanced; none is undefined."""
    for differences, expected in (([1, 2], 1), ([-3], -1), ([-1, -2, 3], 0), ([1, -2, 0], -1 / 3)):
        test = wilcoxon_signed_rank(differences)
        assert test.rank_biserial == pytest.approx(expected)
    assert math.isnan(wilcoxon_signed_rank([0.0]).rank_biserial)


def test_standardised_mean_difference() -> None:
    """Known by hand: means 1 and 3, variances 1 and 4. Undefined without any spread."""
    value = standardised_mean_difference(np.array([0.0, 1, 2]), np.array([1.0, 3, 5]))
    assert value == pytest.approx(2 / math.sqrt(2.5))
    assert math.isnan(standardised_mean_difference(np.ones(3), np.zeros(3)))
    assert math.isnan(standardised_mean_difference(np.array([1.0]), np.array([2.0])))


def test_holm_by_hand() -> None:
    """Times 4, 3, 2, 1 in order of size, never below the one before, never above 1."""
    assert holm([0.04, 0.01, 0.03, 0.02]) == pytest.approx([0.06, 0.04, 0.06, 0.06])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


def test_a_test_that_could_not_be_made_is_not_in_the_family() -> None:
    """NaN stays, and the others are adjusted for those that were made."""
    adjusted = holm([0.01, NAN, 0.02])
    assert adjusted[0::2] == pytest.approx([0.02, 0.02])
    assert math.isnan(adjusted[1])
    with pytest.raises(ValueError, match="0 to 1"):
        holm([1.2])


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_rejects_what_stepping_down_rejects(p_values: list[float]) -> None:
    """At any level: step through the sorted p-values until one is too large."""
    level = 0.05
    ordered = sorted(range(len(p_values)), key=lambda i: p_values[i])
    rejected = set()
    for position, index in enumerate(ordered):
        if (len(p_values) - position) * p_values[index] > level:
            break
        rejected.add(index)
    adjusted = holm(p_values)
    assert {i for i, p in enumerate(adjusted) if p <= level} == rejected
    assert all(p <= q for p, q in zip(p_values, adjusted, strict=True))
