"""Bootstrap and Wilson intervals."""

from __future__ import annotations

import math

import numpy as np
import pytest
from helpers.refusals import has_reason
from scipy import stats

from cta_data.errors import DataRefused
from cta_data.scoring.statistics import (
    bootstrap_interval,
    cluster_mean_interval,
    proportion_interval,
)
from cta_data.scoring.statistics.intervals import Statistic


@pytest.mark.parametrize("statistic", ["mean", "median"])
@pytest.mark.parametrize("n", [3, 15, 40])
def test_it_is_scipys_interval_from_the_same_draws(statistic: Statistic, n: int) -> None:
    """With one generator both draw the same samples, and BCa is the same formula."""
    values = np.random.default_rng(n).exponential(size=n)
    ours = bootstrap_interval(values, statistic, resamples=2000, seed=5)
    theirs = stats.bootstrap(
        (values,), getattr(np, statistic), n_resamples=2000, rng=np.random.default_rng(5)
    ).confidence_interval
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=1e-9)
    assert (ours.method, ours.n) == ("bca", n)


def test_it_is_deterministic_and_the_seed_matters() -> None:
    """The same call, the same bits; another seed, other ends."""
    values = np.random.default_rng(1).normal(size=20)
    assert bootstrap_interval(values) == bootstrap_interval(values)
    assert bootstrap_interval(values, seed=1).low != bootstrap_interval(values, seed=2).low


def test_batches_do_not_change_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Samples that are drawn a few at a time are the samples that are drawn at once."""
    values = np.random.default_rng(2).normal(size=17)
    whole = bootstrap_interval(values, resamples=999)
    monkeypatch.setattr("cta_data.scoring.statistics.intervals.DRAWN_AT_ONCE", 100)
    assert bootstrap_interval(values, resamples=999) == whole


def test_it_moves_and_scales_with_the_values() -> None:
    """In other units and with another origin the interval is the same one; mirrored, too."""
    values = np.random.default_rng(3).exponential(size=25)
    one, other = bootstrap_interval(values), bootstrap_interval(100 * values + 7)
    assert (other.low, other.high) == pytest.approx((100 * one.low + 7, 100 * one.high + 7))
    mirrored = bootstrap_interval(-values)
    assert (mirrored.low, mirrored.high) == pytest.approx((-one.high, -one.low))


def test_it_covers_what_it_should() -> None:
    """Of 200 samples of 30 skewed values about 95 % of the intervals hold the mean."""
    rng = np.random.default_rng(4)
    found = [bootstrap_interval(rng.exponential(size=30), resamples=500) for _ in range(200)]
    held = sum(one.low <= 1 <= one.high for one in found)
    assert 0.88 <= held / 200 <= 0.99


@pytest.mark.parametrize("statistic", ["mean", "median"])
@pytest.mark.parametrize(
    ("values", "method", "ends"),
    [
        ([], "none", None),
        ([1.0], "none", None),
        ([1.0, 2.0], "none", None),
        ([0.0] * 5, "constant", (0.0, 0.0)),
        ([0.25] * 3, "constant", (0.25, 0.25)),
        ([0.1 + 0.2, 0.3, 0.3], "constant", (0.3, 0.3)),
    ],
)
def test_what_cannot_be_resampled(
    statistic: Statistic, values: list[float], method: str, ends: tuple[float, float] | None
) -> None:
    """Too few values have no interval, equal ones have themselves; neither is a crash."""
    found = bootstrap_interval(values, statistic)
    assert found.method == method
    if ends is None:
        assert math.isnan(found.low) and math.isnan(found.high)
    else:
        assert (found.low, found.high) == pytest.approx(ends)


@pytest.mark.parametrize("statistic", ["mean", "median"])
@pytest.mark.parametrize("values", [[0, 0, 1], [0] * 14 + [1], [0, 1, 0, 1], [1, 1, 1, -9]])
def test_few_distinct_values_have_finite_ends(statistic: Statistic, values: list[float]) -> None:
    """Scores of a few lesions: many resamples equal the estimate, and the interval holds."""
    found = bootstrap_interval(values, statistic)
    assert found.method in ("bca", "percentile")
    assert min(values) <= found.low <= found.high <= max(values)


def test_what_is_undefined_has_to_be_left_out_first() -> None:
    """NaN would else be dropped without being counted; a confidence is a share."""
    with pytest.raises(
        DataRefused, check=has_reason("resampled_values_undefined", undefined=1, n_numbers=2)
    ):
        bootstrap_interval([1.0, math.nan])
    for confidence in (0, 1, 95):
        with pytest.raises(ValueError, match="between 0 and 1"):
            bootstrap_interval([1.0, 2.0, 3.0], confidence=confidence)


def test_clusters_of_one_are_independent_values() -> None:
    """A lesion a patient: the interval is that of the values."""
    values = np.random.default_rng(6).normal(size=12)
    ours, plain = cluster_mean_interval(values, range(12)), bootstrap_interval(values)
    assert (ours.low, ours.high, ours.n) == pytest.approx((plain.low, plain.high, 12))


def test_patients_who_are_all_or_nothing_widen_the_interval() -> None:
    """20 patients with 10 lesions found, or missed, together know no more than 20 lesions."""
    patients = np.repeat(np.arange(20), 10)
    found = np.repeat(np.arange(20) % 2, 10)
    clustered = cluster_mean_interval(found, list(patients))
    single = bootstrap_interval(np.arange(20) % 2)
    naive = proportion_interval(100, 200)
    assert clustered.estimate == 0.5
    assert (clustered.low, clustered.high) == pytest.approx((single.low, single.high))
    assert clustered.high - clustered.low > 2 * (naive.high - naive.low)


def test_few_clusters_equal_clusters_and_wrong_lengths() -> None:
    """Two patients have no interval; patients alike have no spread; every lesion has a patient."""
    assert cluster_mean_interval([1, 0, 1], ["a", "a", "b"]).method == "none"
    assert cluster_mean_interval([], []).method == "none"
    alike = cluster_mean_interval([1, 0, 1, 0, 1, 0], list("aabbcc"))
    assert (alike.method, alike.low, alike.high) == ("constant", 0.5, 0.5)
    with pytest.raises(
        DataRefused, check=has_reason("cluster_count_differs", n_numbers=2, n_clusters=1)
    ):
        cluster_mean_interval([1, 0], ["a"])


@pytest.mark.parametrize(("k", "n"), [(0, 1), (0, 15), (3, 15), (15, 15), (73, 87), (500, 1000)])
@pytest.mark.parametrize("confidence", [0.9, 0.95])
def test_wilsons_interval_is_scipys(k: int, n: int, confidence: float) -> None:
    """Its ends and estimate; at 0 and at n the bound is exact."""
    ours = proportion_interval(k, n, confidence)
    theirs = stats.binomtest(k, n).proportion_ci(confidence, method="wilson")
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=1e-12)
    assert (ours.estimate, ours.method) == (k / n, "wilson")
    assert k > 0 or ours.low == 0
    assert k < n or ours.high == 1


def test_no_trial_has_no_interval() -> None:
    """0 of 0 is undefined; more successes than trials are a mistake."""
    assert math.isnan(proportion_interval(0, 0).low)
    with pytest.raises(ValueError, match="3 successes of 2 trials"):
        proportion_interval(3, 2)
