"""Scores after a second reading: what is biased is called so, what is not is right on average."""

from __future__ import annotations

import numpy as np
import pytest

from cta_data.scoring.agreement.figures import Resampling, kappa_of_categories
from cta_data.scoring.reread import (
    BIASED,
    DETECTED,
    FALSE,
    INCOMPLETE,
    MISSED,
    UNBIASED,
    ReadFinding,
    corrected_scores,
)

FEW = Resampling(confidence=0.95, resamples=200, seed=0)


def findings(status: str, *read: bool | None) -> list[ReadFinding]:
    return [ReadFinding(f"p{n % 4}", status, one) for n, one in enumerate(read)]


def test_a_reading_of_everything_is_counted_as_it_is() -> None:
    """4 of 5 detected are real, 1 of 2 false, 2 of 3 missed: PPV 5/7, sensitivity 5/7."""
    read = findings(DETECTED, True, True, True, True, False)
    read += findings(FALSE, True, False) + findings(MISSED, True, True, False)
    found = corrected_scores(read, FEW)
    assert found.basis == UNBIASED and (found.ppv, found.sensitivity) == (5 / 7, 5 / 8)
    assert found.corrected_ppv and found.corrected_sensitivity
    assert found.corrected_ppv.estimate == pytest.approx(5 / 7)
    assert found.corrected_sensitivity.estimate == pytest.approx(5 / 7)


def test_only_false_positives_read_is_biased_and_says_so() -> None:
    """It counts what the audit counts: a false positive more or less, nothing else."""
    read = findings(DETECTED, None, None, None) + findings(FALSE, True, False)
    read += findings(MISSED, None)
    found = corrected_scores(read, FEW)
    assert found.basis == BIASED
    assert found.corrected_ppv and found.corrected_sensitivity
    assert found.corrected_ppv.estimate == pytest.approx(4 / 5)
    assert found.corrected_sensitivity.estimate == pytest.approx(4 / 5)


def test_an_unfinished_reading_gives_no_score() -> None:
    """The largest are read first: those that are read say nothing of the others."""
    found = corrected_scores(findings(FALSE, True, None), FEW)
    assert found.basis == INCOMPLETE and found.corrected_ppv is None
    read = findings(DETECTED, True) + findings(FALSE, True) + findings(MISSED, True, None)
    assert corrected_scores(read, FEW).basis == BIASED


def test_a_sample_gives_the_score_of_all_on_average() -> None:
    """Over many samples of 20 of 60 detected lesions, the mean is that of reading all."""
    random = np.random.default_rng(2)
    real = random.random(60) < 0.8
    others = findings(FALSE, *([True] * 5 + [False] * 15)) + findings(MISSED, *[True] * 10)
    everything = corrected_scores(findings(DETECTED, *map(bool, real)) + others, FEW)
    estimates = []
    one = Resampling(confidence=0.95, resamples=2, seed=0)
    for _ in range(300):
        chosen = set(random.choice(60, 20, replace=False).tolist())
        read = findings(DETECTED, *(bool(r) if n in chosen else None for n, r in enumerate(real)))
        sampled = corrected_scores(read + others, one)
        assert sampled.corrected_ppv is not None and sampled.basis == UNBIASED
        estimates.append(sampled.corrected_ppv.estimate)
    assert everything.corrected_ppv is not None
    error = np.std(estimates) / np.sqrt(len(estimates))
    assert abs(np.mean(estimates) - everything.corrected_ppv.estimate) < 4 * error


def test_kappa_of_several_categories() -> None:
    """Observed 20 of 30, by chance 1/3: κ is 0.5; one category of both is undefined."""
    counts = np.array([[7.0, 2, 1, 2, 7, 1, 1, 3, 6]])
    observed, chance = 20 / 30, (10 * 10 + 10 * 12 + 10 * 8) / 900
    found = kappa_of_categories(counts, FEW).estimate
    assert found == pytest.approx((observed - chance) / (1 - chance))
    assert np.isnan(kappa_of_categories(np.array([[5.0]]), FEW).estimate)
