"""Patients that a study needs: known answers, and power that simulated studies have."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from cta_data.errors import DataRefused
from cta_data.scoring.statistics.sample_size import (
    Effect,
    LesionClusters,
    intra_cluster_correlation,
    patients_for_half_width,
    patients_for_power,
    power,
)

LARGE_EFFECTS = [
    (0.5, 0.1, 20, 0, 4),
    (0.5, 0.1, 20, 0.5, 4),
    (0.8, 0.1, 5, 0, 4),
]
"""Sensitivity, tested against, mean and SD of lesions; patients for 0.9, by counting up."""


def test_the_correlation_by_hand() -> None:
    """1, 1 | 0, 0 | 1, 0: B = 0.5, W = 1/6, two lesions each: (1/2 − 1/6) ÷ (1/2 + 1/6) = 1/2."""
    patients = ["a", "a", "b", "b", "c", "c"]
    assert intra_cluster_correlation([1, 1, 0, 0, 1, 0], patients) == pytest.approx(0.5)
    assert intra_cluster_correlation([1, 0, 1, 0, 1, 0], patients) == pytest.approx(-1)
    assert intra_cluster_correlation([1] * 6, patients) == 0


def test_an_estimate_below_minus_one_is_no_crash() -> None:
    """Of single lesions and one pair that differs, as a study may have; its own size is kept."""
    found = LesionClusters.of([1, 1, 1, 1, 1, 0], ["a", "b", "c", "d", "e", "e"])
    assert found.correlation < -1 and found.mean_lesions == pytest.approx(1.2)


@pytest.mark.parametrize("patients", [["a", "a"], ["a", "b"]])
def test_without_two_patients_and_two_lesions_of_one_it_is_undefined(patients: list[str]) -> None:
    """One patient, or only single lesions: an error, and no 0."""
    with pytest.raises(DataRefused):
        intra_cluster_correlation([1, 0], patients)


def test_single_lesions_need_what_a_t_test_needs() -> None:
    """One lesion each: the textbook's number for an effect of half a standard deviation is 34."""
    alone = LesionClusters(1, 0, 0.3)
    assert alone.design_effect == 1
    assert patients_for_power(Effect(0.5, 1.0), alone) == 34
    assert power(34, Effect(0.5, 1.0), alone) >= 0.8 > power(33, Effect(0.5, 1.0), alone)


def test_an_interval_is_as_narrow_as_asked() -> None:
    """With alike lesions, of which a patient has five, more patients are needed."""
    effect = Effect.of_sensitivity(0.8)
    independent = patients_for_half_width(0.05, effect, LesionClusters(5, 0, 0))
    alike = patients_for_half_width(0.05, effect, LesionClusters(5, 0, 0.25))
    assert 50 <= independent <= 52  # 1.96² · 0.16 ÷ (0.05² · 5) = 49.2, and Student's t
    assert alike == pytest.approx(2 * independent, abs=4)


def simulated_power(
    n: int, clusters: LesionClusters, effect: Effect, null: float, true: float
) -> float:
    """Share of 4000 studies of a sensitivity that reject."""
    rng = np.random.default_rng(11)
    mean, variance = clusters.mean_lesions - 1, clusters.sd_lesions**2
    sizes = 1 + rng.negative_binomial(mean**2 / (variance - mean), mean / variance, (4000, n))
    spread = 1 / clusters.correlation - 1
    found = rng.binomial(sizes, rng.beta(true * spread, (1 - true) * spread, sizes.shape))
    apart = found - null * sizes
    t = apart.mean(axis=1) / (apart.std(axis=1, ddof=1) / np.sqrt(n))
    return float((np.abs(t) > stats.t.ppf(0.975, n - 1)).mean())


@pytest.mark.parametrize(
    ("clusters", "true", "null", "wanted"),
    [
        (LesionClusters(4.2, 3.5, 0.15), 0.8, 0.7, 0.8),
        (LesionClusters(2.5, 2.0, 0.30), 0.75, 0.6, 0.9),
        (LesionClusters(6.0, 5.0, 0.05), 0.85, 0.75, 0.8),
    ],
)
def test_simulated_studies_have_the_power(
    clusters: LesionClusters, true: float, null: float, wanted: float
) -> None:
    """Within two points, and the level within one and a half, where nothing is to be seen."""
    effect = Effect.of_sensitivity(true, null)
    n = patients_for_power(effect, clusters, wanted=wanted)
    expected = power(n, effect, clusters)
    assert simulated_power(n, clusters, effect, null, true) == pytest.approx(expected, abs=0.02)
    assert simulated_power(n, clusters, effect, null, null) == pytest.approx(0.05, abs=0.015)


def test_what_cannot_be_is_refused() -> None:
    """A difference larger than what the models disagree in, no lesions, no effect."""
    with pytest.raises(ValueError, match="at least the difference"):
        Effect.of_difference(0.2, 0.1)
    with pytest.raises(ValueError, match="at least one lesion"):
        LesionClusters(0.5, 0, 0)
    with pytest.raises(ValueError, match=r"above -0\.333"):
        patients_for_power(Effect(0.5, 1), LesionClusters(4, 0, -0.5))
    with pytest.raises(ValueError, match="cannot be seen"):
        patients_for_power(Effect(0, 1), LesionClusters(1, 0, 0))


@pytest.mark.parametrize(("sensitivity", "against", "lesions", "sd", "n"), LARGE_EFFECTS)
def test_large_effects_need_the_fewest_patients(
    sensitivity: float, against: float, lesions: float, sd: float, n: int
) -> None:
    """SciPy has no number for the far tail of large effects: power is known, and one fewer is not
    enough."""
    effect, clusters = (
        Effect.of_sensitivity(sensitivity, against),
        LesionClusters(lesions, sd, 0),
    )
    assert patients_for_power(effect, clusters, wanted=0.9) == n
    assert power(n - 1, effect, clusters) < 0.9 <= power(n, effect, clusters)
    assert power(100 * n, effect, clusters) == pytest.approx(1)


@pytest.mark.parametrize(
    ("sensitivity", "against"), [(0.8, 1.5), (0.8, 0), (0.8, 1), (1, 0.8), (0, 0.5), (0.8, np.nan)]
)
def test_an_impossible_sensitivity_has_no_effect(sensitivity: float, against: float) -> None:
    """Both lie between 0 and 1; without variance every study would do."""
    with pytest.raises(ValueError, match="between 0 and 1"):
        Effect.of_sensitivity(sensitivity, against)
