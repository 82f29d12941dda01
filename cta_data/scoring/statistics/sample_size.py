"""How many patients a study of sensitivity needs, where lesions of one patient are alike.

The estimate is that of all lesions together (found ÷ lesions), with the variance between patients
(Obuchowski 1998, Stat Med 17:1495–1507; Rao and Scott 1992, Biometrics 48:577–585). Its power
follows from the variance of one lesion, the lesions per patient, and their intra-cluster
correlation. The tests are Student's, with one degree of freedom less than patients:

- a sensitivity against a value: of the mean over patients of lesions found less those expected. A
  test by the standard error of the estimate rejects too often where there is no effect (6 to 7 % of
  studies of 60 patients, at a level of 5 %);
- a difference of two models: of the difference over its standard error, from what each patient's
  difference is apart from the mean one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from cta_data.errors import DataRefused
from cta_data.scoring.statistics.rank_tests import as_numbers

FEWEST_PATIENTS = 3
MOST_PATIENTS = 10**6


@dataclass(frozen=True)
class LesionClusters:
    """Lesions of patients: how many each has, and how alike their outcomes are.

    Attributes
    ----------
    mean_lesions, sd_lesions
        Lesions per patient, over patients with at least one.
    correlation
        Intra-cluster correlation of the outcome, at most 1. Estimates may be below −1 where most
        patients have one lesion.
    """

    mean_lesions: float
    sd_lesions: float
    correlation: float

    def __post_init__(self) -> None:
        if not 1 <= self.mean_lesions < math.inf:
            raise ValueError(f"a patient has at least one lesion, not {self.mean_lesions:g}")
        if not 0 <= self.sd_lesions < math.inf:
            raise ValueError(f"a standard deviation is at least 0, not {self.sd_lesions:g}")
        if self.mean_lesions == 1 and self.sd_lesions > 0:
            raise ValueError(
                f"where patients have one lesion on average, all have one: the standard deviation "
                f"is 0, not {self.sd_lesions:g}"
            )
        if not self.correlation <= 1:
            raise ValueError(f"a correlation is at most 1, not {self.correlation}")

    @property
    def design_effect(self) -> float:
        """Variance of an estimate over that of as many lesions of different patients."""
        weighted = self.mean_lesions + self.sd_lesions**2 / self.mean_lesions
        effect = 1 + (weighted - 1) * self.correlation
        if effect <= 0:
            least = -1 / (weighted - 1)
            raise ValueError(
                f"with so many lesions per patient the intra-cluster correlation is above "
                f"{least:.3f}, not {self.correlation:.3g}"
            )
        return effect

    @classmethod
    def of(cls, outcomes: ArrayLike, patients: Sequence[object]) -> LesionClusters:
        """Return what is found in data; see `intra_cluster_correlation`."""
        correlation = intra_cluster_correlation(outcomes, patients)
        sizes = np.unique([str(one) for one in patients], return_counts=True)[1]
        spread = float(np.std(sizes, ddof=1)) if len(sizes) > 1 else 0.0
        return cls(float(np.mean(sizes)), spread, correlation)


def intra_cluster_correlation(outcomes: ArrayLike, patients: Sequence[object]) -> float:
    """Return how alike the outcomes of one patient's lesions are, by analysis of variance.

    (B − W) ÷ (B + (m − 1) W), where B and W are the mean squares between and within patients, and
    m is the mean number of lesions less its variance ÷ (its mean × patients). It may be below 0.
    0 where all outcomes are equal.

    Raises
    ------
    DataRefused
        Outcomes that are undefined, or fewer than two patients, or no patient with two lesions.
    """
    values = as_numbers(outcomes, "outcomes of lesions")
    _, who = np.unique([str(one) for one in patients], return_inverse=True)
    sizes = np.bincount(who)
    n, k = len(values), len(sizes)
    if np.isnan(values).any() or k < 2 or n == k:
        raise DataRefused("correlation_undefined", n_lesions=n, n_patients=k)
    means = np.bincount(who, values) / sizes
    between = float((sizes * (means - values.mean()) ** 2).sum()) / (k - 1)
    within = float(((values - means[who]) ** 2).sum()) / (n - k)
    typical = (n - float((sizes**2).sum()) / n) / (k - 1)
    whole = between + (typical - 1) * within
    return (between - within) / whole if whole > 0 else 0.0


@dataclass(frozen=True)
class Effect:
    """What a study shall see.

    Attributes
    ----------
    size
        Sensitivity less the value that it is tested against, or the difference of two models.
    variance
        Of the outcome of one lesion.
    is_difference
        Whether two models are compared.
    """

    size: float
    variance: float
    is_difference: bool = False

    @classmethod
    def of_sensitivity(cls, sensitivity: float, against: float | None = None) -> Effect:
        """Return the effect of a sensitivity against a value; without one, 0.

        Raises
        ------
        ValueError
            One of the two is not between 0 and 1.
        """
        _check(**{"a sensitivity": sensitivity})
        if against is not None:
            _check(**{"the value that a sensitivity is tested against": against})
        size = 0.0 if against is None else sensitivity - against
        return cls(size, sensitivity * (1 - sensitivity))

    @classmethod
    def of_difference(cls, difference: float, discordant: float) -> Effect:
        """Return the effect of two models, of which one alone finds a share of the lesions.

        Raises
        ------
        ValueError
            The share is less than the difference, or more than 1.
        """
        if not abs(difference) <= discordant <= 1:
            raise ValueError(
                f"lesions that one model alone finds are at least the difference "
                f"({abs(difference):g}) and at most 1, not {discordant:g}"
            )
        return cls(difference, discordant - difference**2, is_difference=True)


def power(patients: int, effect: Effect, clusters: LesionClusters, alpha: float = 0.05) -> float:
    """Return the probability that a two-sided test sees an effect; see the module."""
    spread = _standard_error(patients, effect.variance, clusters)
    if not effect.is_difference:
        # Patients with more lesions are farther from what is expected of them.
        apart = effect.size * clusters.sd_lesions / clusters.mean_lesions
        spread = math.hypot(spread, apart / math.sqrt(patients))
    if spread == 0:
        return 1.0
    far, df = abs(effect.size) / spread, patients - 1
    limit = float(stats.t.ppf(1 - alpha / 2, df))
    other_side = float(stats.nct.cdf(-limit, df, far))
    # SciPy has no number for it where it is below 1e-9; as NaN it would be "not enough".
    return float(stats.nct.sf(limit, df, far)) + (0.0 if math.isnan(other_side) else other_side)


def patients_for_power(
    effect: Effect,
    clusters: LesionClusters,
    *,
    wanted: float = 0.8,
    alpha: float = 0.05,
) -> int:
    """Return the fewest patients with lesions that give at least the wanted power.

    Raises
    ------
    ValueError
        The effect is 0, a probability is not between 0 and 1, or more than a million are needed.
    """
    _check(power=wanted, alpha=alpha)
    if effect.size == 0:
        raise ValueError("an effect of 0 cannot be seen")
    return _fewest(lambda n: power(n, effect, clusters, alpha) >= wanted)


def patients_for_half_width(
    half_width: float, effect: Effect, clusters: LesionClusters, *, confidence: float = 0.95
) -> int:
    """Return the fewest patients whose interval reaches no farther to either side.

    The size of the effect does not matter.

    Raises
    ------
    ValueError
        As `patients_for_power`, and a half width that is not between 0 and 0.5.
    """
    _check(confidence=confidence)
    if not 0 < half_width < 0.5:
        raise ValueError(f"half of an interval is between 0 and 0.5, not {half_width:g}")

    def is_narrow(n: int) -> bool:
        limit = float(stats.t.ppf((1 + confidence) / 2, n - 1))
        return limit * _standard_error(n, effect.variance, clusters) <= half_width

    return _fewest(is_narrow)


def _standard_error(patients: int, variance: float, clusters: LesionClusters) -> float:
    lesions = patients * clusters.mean_lesions
    return math.sqrt(variance * clusters.design_effect / lesions)


def _fewest(is_enough: Callable[[int], bool]) -> int:
    """Return the lowest number that is enough; more than enough is enough as well."""
    high = FEWEST_PATIENTS
    while not is_enough(high):
        high *= 2
        if high > MOST_PATIENTS:
            raise ValueError(f"more than {MOST_PATIENTS:,} patients would be needed")
    low = max(FEWEST_PATIENTS, high // 2)
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if is_enough(middle) else (middle + 1, high)
    return low


def _check(**probabilities: float) -> None:
    for name, value in probabilities.items():
        if not 0 < value < 1:
            raise ValueError(f"{name} is between 0 and 1, not {value:g}")
