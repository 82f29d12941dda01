"""Whether an outcome of lesions differs between subgroups, by permutation.

Lesions of one patient are alike, so that lesions are never permuted across patients. What is known
of patients (sex, scanner, …) is permuted among patients; what is known of lesions (volume, …)
among the lesions of each patient. Both tests hold their level whatever the number of lesions per
patient and however alike these are, as long as the subgroups are alike in that.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cta_data.errors import DataRefused
from cta_data.scoring.statistics.intervals import SEED
from cta_data.scoring.statistics.rank_tests import as_numbers

PERMUTATIONS = 2_000
_SAME = 1e-9
_AT_ONCE = 2**21
Permuted = Literal["patients", "lesions"]
TestOf = Literal["patients", "lesions", "none"]
_Drawn = Callable[[int], NDArray[np.float64]]


@dataclass(frozen=True)
class SubgroupTest:
    """Result of a test of subgroups.

    Attributes
    ----------
    p_value
        NaN, with `of` none, where nothing can be permuted: one level alone, or an outcome that
        is the same for all.
    of
        What was permuted: `patients`, or `lesions` within each patient.
    n_patients
        Patients that tell something: all of known level; of `lesions`, those with lesions of
        several levels and of several outcomes.
    """

    p_value: float
    of: TestOf
    n_patients: int


def subgroup_test(
    outcomes: ArrayLike,
    patients: Sequence[object],
    levels: Sequence[object],
    permuted: Permuted,
    *,
    permutations: int = PERMUTATIONS,
    seed: int = SEED,
) -> SubgroupTest:
    """Test whether the mean outcome of lesions is the same at all levels.

    Of what is known of patients, patients are permuted; the statistic is the sum over levels of
    (sum of residuals)² ÷ sum of the patients' squared residuals, where a residual is a patient's
    sum of outcomes less its lesions times the mean of all. A patient with several levels (as of
    age, in two sessions) has that of most of the lesions here, of equals the first. Of what is
    known of lesions, their levels are permuted within patients; the statistic is the sum over
    levels of (sum of outcomes less the means of their patients)² ÷ lesions.

    Parameters
    ----------
    outcomes
        One number per lesion, such as 1 for found and 0 for missed, or a difference of two models.
    levels
        Of each lesion; lesions of unknown level are left out by the caller.
    permuted
        Whether levels are of patients, or of lesions.

    Raises
    ------
    DataRefused
        Outcomes that are undefined, or not as many as patients and levels.
    """
    values = as_numbers(outcomes, "outcomes of lesions")
    if np.isnan(values).any():
        raise DataRefused(
            "resampled_values_undefined",
            undefined=int(np.isnan(values).sum()),
            n_numbers=len(values),
        )
    who, group = _numbered(patients), _numbered(levels)
    if not len(values) == len(who) == len(group):
        raise DataRefused("cluster_count_differs", n_numbers=len(values), n_clusters=len(who))
    n_levels = int(group.max()) + 1 if len(group) else 0
    if n_levels < 2:
        return SubgroupTest(math.nan, "none", 0)
    rng = np.random.default_rng(seed)
    if permuted == "patients":
        return _between(values, who, group, rng, permutations)
    return _within(values, who, group, rng, permutations)


def _between(
    values: NDArray[np.float64],
    who: NDArray[np.int64],
    group: NDArray[np.int64],
    rng: np.random.Generator,
    permutations: int,
) -> SubgroupTest:
    residual = np.bincount(who, values - values.mean())
    counts = np.zeros((len(residual), int(group.max()) + 1))
    np.add.at(counts, (who, group), 1)
    level = counts.argmax(axis=1)
    if np.ptp(level) == 0 or np.ptp(values) <= _SAME or not (np.abs(residual) > _SAME).any():
        return SubgroupTest(math.nan, "none", len(residual))

    def statistic(levels: NDArray[np.int64]) -> NDArray[np.float64]:
        total = np.zeros(len(levels))
        for one in range(int(level.max()) + 1):
            inside = levels == one
            squares = inside @ residual**2
            total += (inside @ residual) ** 2 / np.where(squares > 0, squares, 1)
        return total

    def drawn(n: int) -> NDArray[np.float64]:
        return statistic(rng.permuted(np.tile(level, (n, 1)), axis=1))

    return SubgroupTest(
        _p_value(float(statistic(level[None])[0]), drawn, len(level), permutations),
        "patients",
        len(residual),
    )


def _within(
    values: NDArray[np.float64],
    who: NDArray[np.int64],
    group: NDArray[np.int64],
    rng: np.random.Generator,
    permutations: int,
) -> SubgroupTest:
    order = np.argsort(who, kind="stable")
    who, group, values = who[order], group[order], values[order]
    centred = values - (np.bincount(who, values) / np.bincount(who))[who]
    tells = [_varies(centred, who), _varies(group.astype(np.float64), who)]
    kept = (tells[0] & tells[1])[who]
    who, group, centred = who[kept], group[kept], centred[kept]
    if not len(who):
        return SubgroupTest(math.nan, "none", 0)
    sizes = np.bincount(group)

    def statistic(levels: NDArray[np.int64]) -> NDArray[np.float64]:
        total = np.zeros(len(levels))
        for one in np.flatnonzero(sizes):
            total += ((levels == one) @ centred) ** 2 / sizes[one]
        return total

    def drawn(n: int) -> NDArray[np.float64]:
        # Patients in their order, the lesions of each in any: levels are dealt anew within each.
        places = np.argsort(who + rng.random((n, len(who))), axis=1)
        return statistic(group[places])

    return SubgroupTest(
        _p_value(float(statistic(group[None])[0]), drawn, len(group), permutations),
        "lesions",
        len(np.unique(who)),
    )


def _p_value(found: float, drawn: _Drawn, width: int, permutations: int) -> float:
    """Return the share of statistics that are as large, the one that was found included."""
    rows = max(1, _AT_ONCE // max(width, 1))
    as_large = 0
    for start in range(0, permutations, rows):
        others = drawn(min(rows, permutations - start))
        as_large += int((others >= found * (1 - _SAME) - _SAME).sum())
    return (as_large + 1) / (permutations + 1)


def _varies(values: NDArray[np.float64], who: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return of each patient whether its values differ; patients are in their order."""
    starts = np.flatnonzero(np.diff(who, prepend=-1))
    spread = np.maximum.reduceat(values, starts) - np.minimum.reduceat(values, starts)
    return np.asarray(spread > _SAME)


def _numbered(names: Sequence[object]) -> NDArray[np.int64]:
    positions = {name: number for number, name in enumerate(dict.fromkeys(names))}
    return np.array([positions[name] for name in names], np.int64)
