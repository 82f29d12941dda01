"""Detection in subgroups of patients and lesions, and whether it differs between them.

Sensitivity is of lesions, false positives are of cases, precision is of predicted lesions. The
latter two are only of what is known of patients: a false positive has no lesion that its level
could be of.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cta_data.scoring.case import CaseScore
from cta_data.scoring.models.found import model_pairs
from cta_data.scoring.models.sets import ScoredSet
from cta_data.scoring.paper import PAIR
from cta_data.scoring.statistics import Interval, cluster_mean_interval, holm
from cta_data.scoring.statistics.clusters import cluster_sums_interval
from cta_data.scoring.statistics.subgroup_tests import Permuted, SubgroupTest, subgroup_test

UNKNOWN = "unknown"
ALL = "all"
FEW_PATIENTS, FEW_LESIONS = 5, 10
"""Below either a subgroup is small; of cases, below the first."""
DIFFERENCE = " − ".join(reversed(PAIR))
Levels = Mapping[str, str]
"""Level of a lesion or case by the name of each variable; one that is missing is unknown."""
Measure = Literal["sensitivity", "false_positives_per_case", "precision"]
MEASURES: dict[Measure, str] = {
    "sensitivity": "lesions",
    "false_positives_per_case": "cases",
    "precision": "predicted lesions",
}
"""What is measured, and of what."""


@dataclass(frozen=True)
class JudgedUnit:
    """A lesion, case or predicted lesion: whose it is, what it is, and the outcome of one model.

    Attributes
    ----------
    outcome
        Of a lesion, 1 for detected and 0 for missed; of a case, its false positives; of a predicted
        lesion, 1 where it detects one and 0 where it is false. Or the difference of two models.
    sign
        -1 for the first of two models whose units are not the same: their means are subtracted.
    """

    patient: str
    levels: Levels
    outcome: float
    sign: int = 1


@dataclass(frozen=True)
class ModelLevels:
    """Levels of what one model was scored on.

    Attributes
    ----------
    cases
        By test set and case.
    lesions
        By test set, case and its number in the reference; those of the case included.
    """

    cases: Mapping[tuple[str, str], Levels] = field(default_factory=dict)
    lesions: Mapping[tuple[str, str, int], Levels] = field(default_factory=dict)


def subgroup_table(
    sets: Sequence[ScoredSet],
    variables: Mapping[str, Permuted],
    levels: Mapping[str, ModelLevels],
) -> pd.DataFrame:
    """Return the measures of detection by subgroup, of each model and of the difference of two.

    All test sets of a model are taken together. A patient who is in two of them, annotated on both
    techniques, has the lesions of both annotations.

    Parameters
    ----------
    variables
        Names of the variables in order, and whether they are of patients or of lesions. Those of
        lesions have sensitivity alone.
    levels
        By model, since models read images of different techniques.

    Returns
    -------
    pandas.DataFrame
        One row per model, measure, variable and level: patients; `units`, lesions, cases or
        predicted lesions (of both models, of a difference); `count`, detected lesions, false
        positives or right predicted lesions (the net number, of a difference); estimate, `low` and
        `high` (95 %, patients resampled), `is_small`, `test`, `test_patients`, `p` and `holm_p`,
        the same in all rows of a variable. Units and counts of a variable add up to those of the
        variable `all`; the level `unknown` is not tested.
    """
    rows: list[dict[str, object]] = []
    for model, measure, units in _outcomes(sets, levels):
        rows.append(
            _row(model, measure, (ALL, f"{ALL} {MEASURES[measure]}"), units, None, math.nan)
        )
        of_measure = {
            name: permuted
            for name, permuted in variables.items()
            if measure == "sensitivity" or permuted == "patients"
        }
        parts = {name: _by_level(units, name) for name in of_measure}
        tests = {name: _test(part, of_measure[name]) for name, part in parts.items()}
        adjusted = dict(zip(tests, holm([t.p_value for t in tests.values()]), strict=True))
        for name, part in parts.items():
            rows += [
                _row(model, measure, (name, level), own, tests[name], adjusted[name])
                for level, own in part.items()
            ]
    return pd.DataFrame(rows)


def _outcomes(
    sets: Sequence[ScoredSet], levels: Mapping[str, ModelLevels]
) -> Iterator[tuple[str, Measure, list[JudgedUnit]]]:
    """Yield what each model, and then B against A, made of every lesion and case."""
    for model in sorted({one.model for one in sets}):
        own = [one for one in sets if one.model == model]
        for measure in MEASURES:
            yield model, measure, [u for one in own for u in _judged(one, levels[model], measure)]
    pairs = list(model_pairs(sets))
    for measure in MEASURES:
        differences = [
            unit
            for first, second in pairs
            for unit in _differences(first, second, levels[first.model], measure)
        ]
        if differences:
            yield DIFFERENCE, measure, differences


def _judged(one: ScoredSet, levels: ModelLevels, measure: Measure) -> Iterator[JudgedUnit]:
    if measure == "sensitivity":
        for key, patient, outcome in _found(one):
            yield JudgedUnit(patient, levels.lesions.get(key, {}), outcome)
        return
    for case in one.scores.cases:
        patient = one.patient_of(case.case)
        own = levels.cases.get((one.test_set, case.case), {})
        if measure == "precision":
            yield from _predicted(case, patient, own)
        else:
            yield JudgedUnit(patient, own, float(case.fp))


def _differences(
    first: ScoredSet, second: ScoredSet, levels: ModelLevels, measure: Measure
) -> Iterator[JudgedUnit]:
    """Yield what two models made of the cases that both have."""
    if measure == "sensitivity":
        before = {key: outcome for key, _, outcome in _found(first)}
        for key, patient, outcome in _found(second):
            if key in before:
                yield JudgedUnit(patient, levels.lesions.get(key, {}), outcome - before[key])
        return
    of_first = {case.case: case for case in first.scores.cases}
    for case in second.scores.cases:
        other = of_first.get(case.case)
        if other is None:
            continue
        patient = second.patient_of(case.case)
        own = levels.cases.get((first.test_set, case.case), {})
        if measure == "precision":
            yield from _predicted(other, patient, own, -1)
            yield from _predicted(case, patient, own)
        else:
            yield JudgedUnit(patient, own, float(case.fp - other.fp))


def _predicted(
    case: CaseScore, patient: str, levels: Levels, sign: int = 1
) -> Iterator[JudgedUnit]:
    """Yield the predicted lesions of a case: those that detect one, and those that are false."""
    for outcome, number in ((1.0, case.tp), (0.0, case.fp)):
        yield from [JudgedUnit(patient, levels, outcome, sign)] * number


def _found(one: ScoredSet) -> Iterator[tuple[tuple[str, str, int], str, float]]:
    for case in one.scores.cases:
        found = {pair.reference_lesion for pair in case.pairs if pair.detected}
        for lesion in case.reference:
            key = (one.test_set, case.case, lesion.lesion)
            yield key, one.patient_of(case.case), float(lesion.lesion in found)


def _by_level(units: Sequence[JudgedUnit], name: str) -> dict[str, list[JudgedUnit]]:
    """Return the units of each level, in the order of levels, unknown ones last."""
    found: dict[str, list[JudgedUnit]] = {}
    for unit in units:
        found.setdefault(unit.levels.get(name, UNKNOWN), []).append(unit)
    return {level: found[level] for level in sorted(found, key=level_order)}


def level_order(level: str) -> tuple[bool, float, str]:
    """Return what levels are sorted by: the number that they begin with, then their name.

    The unknown one is the last.
    """
    first = level.removeprefix("≥ ").split("–")[0]
    try:
        number = float(first)
    except ValueError:
        number = math.inf
    return level == UNKNOWN, number, level.casefold()


def is_small(lesions: int, patients: int) -> bool:
    """Tell whether a subgroup is too small to say much; it is marked, not hidden."""
    return patients < FEW_PATIENTS or lesions < FEW_LESIONS


def _test(parts: Mapping[str, Sequence[JudgedUnit]], permuted: Permuted) -> SubgroupTest:
    known = [(level, one) for level, own in parts.items() if level != UNKNOWN for one in own]
    units = [one for _, one in known]
    outcomes = np.array([one.outcome for one in units], np.float64)
    signs = np.array([one.sign for one in units], np.int64)
    return subgroup_test(
        _residuals(outcomes, signs) if (signs < 0).any() else outcomes,
        [one.patient for one in units],
        [level for level, _ in known],
        permuted,
    )


def _residuals(outcomes: NDArray[np.float64], signs: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return what each unit adds to the difference of two means; they add up to 0."""
    result = np.zeros(len(outcomes))
    for sign in (-1, 1):
        own = signs == sign
        if own.any():
            result[own] = sign * (outcomes[own] - outcomes[own].mean()) / own.sum()
    return result


def _interval(units: Sequence[JudgedUnit]) -> Interval:
    """Return the mean outcome, or the difference of the means of two signs, by patients."""
    patients = [one.patient for one in units]
    if all(one.sign > 0 for one in units):
        return cluster_mean_interval([one.outcome for one in units], patients)
    place = {name: i for i, name in enumerate(dict.fromkeys(patients))}
    sums = np.zeros((len(place), 4))
    for one in units:
        column = 0 if one.sign > 0 else 2
        sums[place[one.patient], column : column + 2] += one.outcome, 1

    def difference(totals: NDArray[np.float64]) -> NDArray[np.float64]:
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray(totals[..., 0] / totals[..., 1] - totals[..., 2] / totals[..., 3])

    return cluster_sums_interval(sums, difference)


def _row(
    model: str,
    measure: Measure,
    subgroup: tuple[str, str],
    units: Sequence[JudgedUnit],
    test: SubgroupTest | None,
    holm_p: float,
) -> dict[str, object]:
    interval = _interval(units)
    n_patients = len({one.patient for one in units})
    # A case is of a patient already: it is not one of many, as lesions are.
    n_lesions = FEW_LESIONS if measure == "false_positives_per_case" else len(units)
    variable, level = subgroup
    return {
        "model": model,
        "measure": measure,
        "variable": variable,
        "level": level,
        "patients": n_patients,
        "units": len(units),
        "count": int(sum(one.sign * one.outcome for one in units)),
        "estimate": interval.estimate,
        "low": interval.low,
        "high": interval.high,
        "is_small": is_small(n_lesions, n_patients),
        "test": test.of if test else "none",
        "test_patients": test.n_patients if test else 0,
        "p": test.p_value if test else math.nan,
        "holm_p": holm_p,
    }
