"""The Wilcoxon signed-rank test by our own rule."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from helpers.refusals import has_reason
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from cta_data.errors import DataRefused
from cta_data.scoring.statistics import pair_scores, wilcoxon_signed_rank

ZEROS = [0.0]
SIX = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]


@pytest.mark.parametrize(
    ("differences", "p", "method"),
    [
        ([0.2, *ZEROS * 14], math.erfc(math.sqrt(1 / 2)), "normal"),  # z = 1
        ([0.5, 0.5, *ZEROS * 13], math.erfc(1.0), "normal"),  # z = √2
        ([*SIX, *ZEROS * 9], math.erfc(10.5 / math.sqrt(22.75) / math.sqrt(2)), "normal"),
        ([0.5, 0.5], math.erfc(1.0), "normal"),
        ([0.2], 1.0, "exact"),
        ([0.2, 0.3], 0.5, "exact"),
        (SIX, 2 / 64, "exact"),
        ([-1.0, 2.0, 3.0], 4 / 8, "exact"),
    ],
)
def test_closed_forms(differences: list[float], p: float, method: str) -> None:
    """Few differences have p-values that one can write down, of either sign."""
    for sign in (1, -1):
        test = wilcoxon_signed_rank([sign * value for value in differences])
        assert (test.p_value, test.method) == (pytest.approx(p, abs=1e-14), method)


def test_the_printed_p_values() -> None:
    """One, two tied and six untied differences among 15 pairs give what the paper prints."""
    found = [
        wilcoxon_signed_rank([*some, *ZEROS * (15 - len(some))]).p_value
        for some in ([1.0], [1.0, 1.0], SIX)
    ]
    assert [f"{p:.3g}" for p in found] == ["0.317", "0.157", "0.0277"]


@pytest.mark.parametrize("n", range(1, 9))
def test_the_exact_distribution_is_the_count_of_all_signs(n: int) -> None:
    """Every pattern of signs is tried: as many are at least as far from the middle."""
    ranks = np.arange(1, n + 1)
    patterns = [np.array(signs) for signs in itertools.product((-1, 1), repeat=n)]
    smaller = [min(ranks[s > 0].sum(), ranks[s < 0].sum()) for s in patterns]
    for signs, least in zip(patterns, smaller, strict=True):
        test = wilcoxon_signed_rank(signs * ranks)
        share = sum(other <= least for other in smaller) / 2**n
        assert (test.method, test.p_value) == ("exact", pytest.approx(share, abs=1e-14))


def test_the_exact_distribution_keeps_every_pattern_at_the_limit() -> None:
    """Of 2⁵⁰ patterns one has 50 positive signs, and one none."""
    test = wilcoxon_signed_rank(range(1, 51))
    assert (test.method, test.p_value) == ("exact", pytest.approx(2 / 2**50, rel=1e-12))


@given(st.lists(st.integers(-8, 8), min_size=1, max_size=70))
def test_it_is_scipys_where_the_rules_agree(values: list[int]) -> None:
    """scipy is told which way to go; it must then give the same number."""
    test = wilcoxon_signed_rank(values)
    if not any(values):
        assert (test.method, math.isnan(test.p_value)) == ("none", True)
        return
    expected = stats.wilcoxon(
        [v for v in values if v] if test.method == "exact" else values,
        method="exact" if test.method == "exact" else "asymptotic",
        zero_method="wilcox",
        correction=False,
    ).pvalue
    assert test.p_value == pytest.approx(expected, rel=1e-9, abs=1e-15)


@given(st.lists(st.integers(-20, 20), max_size=40), st.integers(0, 5), st.randoms())
def test_counts_add_up_and_order_does_not_matter(
    values: list[int], undefined: int, random: object
) -> None:
    """Used, zero and undefined are all; the rank sums are that of the used; signs mirror."""
    given_values = [*map(float, values), *[math.nan] * undefined]
    test = wilcoxon_signed_rank(given_values)
    assert test.n_used + test.n_zero + test.n_undefined == len(given_values)
    assert test.n_undefined == undefined
    assert test.w_plus + test.w_minus == test.n_used * (test.n_used + 1) / 2
    random.shuffle(given_values)  # type: ignore[attr-defined]
    mirrored = wilcoxon_signed_rank([-v for v in given_values])
    assert (mirrored.w_plus, mirrored.w_minus) == (test.w_minus, test.w_plus)
    assert mirrored.p_value == pytest.approx(test.p_value, rel=1e-12, nan_ok=True)


def test_the_method_changes_where_the_rule_says() -> None:
    """51 differences, a zero or a tie: no longer exact."""
    fifty = list(range(1, 51))
    assert wilcoxon_signed_rank(fifty).method == "exact"
    assert wilcoxon_signed_rank([*fifty, 51]).method == "normal"
    assert wilcoxon_signed_rank([*fifty[:9], 0]).method == "normal"
    assert wilcoxon_signed_rank([*fifty[:9], -9]).method == "normal"


def test_rounding_makes_no_magnitudes() -> None:
    """1 − ⅔ and ⅓ are tied, and 0.1 + 0.2 against 0.3 is a zero."""
    pairs = pair_scores([2 / 3, 1 / 3, 0.3], [1.0, 0.0, 0.1 + 0.2])
    assert pairs.differences[0] != -pairs.differences[1]
    test = wilcoxon_signed_rank(pairs.differences, resolution=pairs.resolution)
    assert (test.n_zero, test.n_tied, test.w_plus) == (1, 2, 1.5)


def test_differences_that_are_small_are_not_zero() -> None:
    """What is 10⁻⁹ of the scores is a difference still."""
    pairs = pair_scores([0.5, 0.5], [0.5 + 1e-9, 0.5 - 3e-9])
    test = wilcoxon_signed_rank(pairs.differences, resolution=pairs.resolution)
    assert (test.n_used, test.n_tied, test.w_minus) == (2, 0, 2)


@pytest.mark.parametrize("nothing", [[], [0.0, 0.0], [math.nan]])
def test_nothing_to_rank_is_no_p_value(nothing: list[float]) -> None:
    """No crash and no number."""
    test = wilcoxon_signed_rank(nothing)
    assert (test.method, test.n_used) == ("none", 0)
    assert math.isnan(test.p_value)


def test_what_is_no_number_is_refused() -> None:
    """Infinite, text, or a table."""
    for wrong in ([math.inf, 1.0], ["high"], np.zeros((2, 2))):
        with pytest.raises(DataRefused):
            wilcoxon_signed_rank(wrong)


def test_pairs_that_are_undefined_are_dropped_and_counted() -> None:
    """Undefined in A, in B, and in both."""
    nan = math.nan
    pairs = pair_scores([nan, 0.1, nan, 0.5], [0.2, nan, nan, 0.75])
    assert (pairs.n_undefined_a, pairs.n_undefined_b, pairs.n_undefined) == (2, 2, 3)
    assert pairs.differences.tolist() == [0.25]
    with pytest.raises(DataRefused, check=has_reason("paired_counts_differ")):
        pair_scores([1.0], [1.0, 2.0])
