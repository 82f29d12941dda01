"""Figures of agreement, from lesions grouped by patient; each with its confidence interval."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from cta_data.scoring.statistics import Interval, cluster_mean_interval
from cta_data.scoring.statistics.clusters import OfSums, cluster_sums_interval

LIMIT_SDS = 1.96
"""Standard deviations from the bias to the limits: 95 % of normally distributed differences."""


@dataclass(frozen=True)
class Resampling:
    """How intervals are computed: their confidence, the number of resamples, and the seed."""

    confidence: float
    resamples: int
    seed: int


@dataclass(frozen=True)
class LimitsOfAgreement:
    """Bias of the second annotation's volumes against the first's, and its limits of agreement.

    Attributes
    ----------
    n
        Number of pairs of lesions.
    bias
        Mean of the differences, or geometric mean of the ratios.
    lower, upper
        Between these lie 95 % of the pairs, where differences (or logarithms of ratios) are
        normally distributed; undefined below two pairs.
    """

    n: int
    bias: Interval
    lower: Interval
    upper: Interval


def mean_figure(
    values: Sequence[float], patients: Sequence[str], resampling: Resampling
) -> Interval:
    """Return the mean over all lesions; NaN where there are none."""
    return cluster_mean_interval(
        values,
        patients,
        confidence=resampling.confidence,
        resamples=resampling.resamples,
        seed=resampling.seed,
    )


def positive_agreement(
    both: Sequence[str], alone: Sequence[str], resampling: Resampling
) -> Interval:
    """Return 2·both / (2·both + first alone + second alone).

    The share of all lesions of both annotations that have a partner: proportion of positive
    agreement (Cicchetti and Feinstein 1990, J Clin Epidemiol 43:551), and the same number as F1
    with either annotation as the reference (Hripcsak and Rothschild 2005, J Am Med Inform Assoc
    12:296). NaN where there is no lesion.

    Parameters
    ----------
    both, alone
        The patient of each pair, and of each lesion of one annotation alone.
    """
    marks = [1.0] * (2 * len(both)) + [0.0] * len(alone)
    return mean_figure(marks, [*both, *both, *alone], resampling)


def cohens_kappa(table: NDArray[np.float64], resampling: Resampling) -> Interval:
    """Return Cohen's κ over candidates (Cohen 1960, Educ Psychol Meas 20:37).

    κ = (o − e) / (1 − e), with the observed agreement o = (a + d) / n and the agreement by chance
    e = ((a + b)(a + c) + (c + d)(b + d)) / n². NaN where e is 1: both readers gave all candidates
    one and the same answer.

    Parameters
    ----------
    table
        (n patients, 4): candidates marked by both (a), by the first alone (b), by the second
        alone (c), and by neither (d).
    """
    return interval_of_sums(table, _kappa, resampling)


def _kappa(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    a, b, c, d = np.moveaxis(sums, -1, 0)
    # Times n²: whole numbers, so that an undefined κ is 0 / 0 and nothing that rounding made.
    n = a + b + c + d
    by_chance = (a + b) * (a + c) + (c + d) * (b + d)
    return ratio((a + d) * n - by_chance, n * n - by_chance)


def kappa_of_categories(table: NDArray[np.float64], resampling: Resampling) -> Interval:
    """Return Cohen's κ of two readers who sorted the same items into categories, unweighted.

    κ = (o − e) / (1 − e), with the observed agreement o = Σᵢ nᵢᵢ / n and the agreement by chance
    e = Σᵢ nᵢ. n.ᵢ / n². NaN where e is 1: both readers gave all items one and the same category.

    Parameters
    ----------
    table
        (n patients, k²): counts of items, by category of the first reader and then of the second.
    """
    return interval_of_sums(table, _kappa_of_categories, resampling)


def _kappa_of_categories(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    k = math.isqrt(sums.shape[-1])
    counts = sums.reshape(*sums.shape[:-1], k, k)
    n = counts.sum(axis=(-2, -1))
    equal = np.trace(counts, axis1=-2, axis2=-1)
    by_chance = (counts.sum(axis=-1) * counts.sum(axis=-2)).sum(axis=-1)
    return ratio(equal * n - by_chance, n * n - by_chance)


def volume_differences(
    first_mm3: Sequence[float],
    second_mm3: Sequence[float],
    patients: Sequence[str],
    resampling: Resampling,
) -> LimitsOfAgreement:
    """Return the bias and limits of second − first, in mm³ (Bland and Altman 1986, Lancet 1:307).

    The limits are bias ± 1.96 standard deviations (n − 1) of the differences. Lesions of a patient
    are different lesions, not repeats of a measurement: there is no within-patient variance to
    take out. That they are alike is in the intervals, which draw whole patients.
    """
    differences = np.asarray(second_mm3, np.float64) - np.asarray(first_mm3, np.float64)
    return _limits(differences, patients, resampling)


def volume_ratios(
    first_mm3: Sequence[float],
    second_mm3: Sequence[float],
    patients: Sequence[str],
    resampling: Resampling,
) -> LimitsOfAgreement:
    """Return the bias and limits of second / first: `volume_differences` of natural logarithms.

    All figures are transformed back: the bias is the geometric mean of the ratios (Bland and Altman
    1999, Stat Methods Med Res 8:135). Volumes of metastases span four orders of magnitude, and
    their differences grow with them; ratios do not.
    """
    logarithms = np.log(np.asarray(second_mm3, np.float64)) - np.log(
        np.asarray(first_mm3, np.float64)
    )
    found = _limits(logarithms, patients, resampling)
    return LimitsOfAgreement(
        found.n, *(_exponential(one) for one in (found.bias, found.lower, found.upper))
    )


def _exponential(found: Interval) -> Interval:
    estimate, low, high = (math.exp(one) for one in (found.estimate, found.low, found.high))
    return replace(found, estimate=estimate, low=low, high=high)


def _limits(
    differences: NDArray[np.float64], patients: Sequence[str], resampling: Resampling
) -> LimitsOfAgreement:
    n = len(differences)
    bias = mean_figure(differences.tolist(), patients, resampling)
    centre = bias.estimate if n else 0.0
    # Sums of squares lose fewest digits around the mean; the limits move with it.
    around = differences - centre
    sums = sums_by_patient(np.stack([np.ones(n), around, around**2], axis=1), patients)
    ends = [
        interval_of_sums(sums, _limit(sds, centre), resampling) for sds in (-LIMIT_SDS, LIMIT_SDS)
    ]
    return LimitsOfAgreement(n, bias, *ends)


def _limit(sds: float, centre: float) -> OfSums:
    """The mean plus so many standard deviations, from the sums of 1, d and d²."""

    def figure(sums: NDArray[np.float64]) -> NDArray[np.float64]:
        n, total, squares = np.moveaxis(sums, -1, 0)
        mean = ratio(total, n)
        variance = ratio(squares - total * mean, np.where(n > 1, n - 1, 0))
        return np.asarray(centre + mean + sds * np.sqrt(np.maximum(variance, 0)))

    return figure


def sums_by_patient(rows: NDArray[np.float64], patients: Sequence[str]) -> NDArray[np.float64]:
    """Add rows (n, k) of each patient; (n patients, k), in order of appearance."""
    numbers = {name: i for i, name in enumerate(dict.fromkeys(patients))}
    sums = np.zeros((len(numbers), rows.shape[1]))
    np.add.at(sums, [numbers[name] for name in patients], rows)
    return sums


def ratio(part: NDArray[np.float64], whole: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return parts of wholes; NaN where the whole is 0."""
    return np.divide(part, whole, out=np.full(np.shape(part), math.nan), where=whole != 0)


def share(part: float, whole: float) -> float:
    """Return a part of a whole; NaN where the whole is 0."""
    return part / whole if whole else math.nan


def interval_of_sums(sums: NDArray[np.float64], figure: OfSums, resampling: Resampling) -> Interval:
    """Return a figure of sums by patient (n patients, k), with the interval of its resampling."""
    return cluster_sums_interval(
        sums,
        figure,
        confidence=resampling.confidence,
        resamples=resampling.resamples,
        seed=resampling.seed,
    )
