"""Sensitivity in subgroups of patients and lesions, and whether it differs between them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from cta_data.scoring.models.found import model_pairs
from cta_data.scoring.models.sets import ScoredSet
from cta_data.scoring.paper import PAIR
from cta_data.scoring.statistics import cluster_mean_interval, holm
from cta_data.scoring.statistics.subgroup_tests import Permuted, SubgroupTest, subgroup_test

UNKNOWN = "unknown"
ALL = "all lesions"
FEW_PATIENTS, FEW_LESIONS = 5, 10
"""Below either a subgroup is small."""
DIFFERENCE = " − ".join(reversed(PAIR))
Levels = Mapping[str, str]
"""Level of a lesion by the name of each variable; one that is missing is unknown."""


@dataclass(frozen=True)
class JudgedLesion:
    """A lesion of the reference: whose it is, what it is, and the outcome of one model.

    `outcome` is 1 for detected and 0 for missed, or the difference of two models.
    """

    patient: str
    levels: Levels
    outcome: float


LesionLevels = Mapping[tuple[str, str, int], Levels]
"""Levels of a lesion by test set, case and its number in the reference."""


def subgroup_table(
    sets: Sequence[ScoredSet],
    variables: Mapping[str, Permuted],
    levels: Mapping[str, LesionLevels],
) -> pd.DataFrame:
    """Return sensitivity by subgroup, of each model and of the difference of two.

    All test sets of a model are taken together. A patient who is in two of them, annotated on both
    techniques, has the lesions of both annotations.

    Parameters
    ----------
    variables
        Names of the variables in order, and whether they are of patients or of lesions.
    levels
        By model, since models read images of different techniques.

    Returns
    -------
    pandas.DataFrame
        One row per model, variable and level: lesions, patients, detected (the net number, of a
        difference), estimate, `low` and `high` (95 %, patients resampled), `is_small`, `test`,
        `test_patients`, `p` and `holm_p`, the same in all rows of a variable. Lesions of a
        variable add up to those of the row `all lesions`; the level `unknown` is not tested.
    """
    rows: list[dict[str, object]] = []
    for model, lesions in _outcomes(sets, levels):
        rows.append(_row(model, ALL, ALL, lesions, None, math.nan))
        parts = {name: _by_level(lesions, name) for name in variables}
        tests = {name: _test(part, variables[name]) for name, part in parts.items()}
        adjusted = dict(zip(tests, holm([t.p_value for t in tests.values()]), strict=True))
        for name, part in parts.items():
            rows += [
                _row(model, name, level, own, tests[name], adjusted[name])
                for level, own in part.items()
            ]
    return pd.DataFrame(rows)


def _outcomes(
    sets: Sequence[ScoredSet], levels: Mapping[str, LesionLevels]
) -> Iterator[tuple[str, list[JudgedLesion]]]:
    """Yield what each model, and then B against A, made of every lesion."""
    for model in sorted({one.model for one in sets}):
        own = [one for one in sets if one.model == model]
        yield model, [lesion for one in own for lesion in _judged(one, levels[model])]
    pairs = list(model_pairs(sets))
    differences = [
        lesion
        for first, second in pairs
        for lesion in _differences(first, second, levels[first.model])
    ]
    if differences:
        yield DIFFERENCE, differences


def _judged(one: ScoredSet, levels: LesionLevels) -> Iterator[JudgedLesion]:
    for key, patient, outcome in _found(one):
        yield JudgedLesion(patient, levels.get(key, {}), outcome)


def _differences(
    first: ScoredSet, second: ScoredSet, levels: LesionLevels
) -> Iterator[JudgedLesion]:
    before = {key: outcome for key, _, outcome in _found(first)}
    for key, patient, outcome in _found(second):
        if key in before:
            yield JudgedLesion(patient, levels.get(key, {}), outcome - before[key])


def _found(one: ScoredSet) -> Iterator[tuple[tuple[str, str, int], str, float]]:
    for case in one.scores.cases:
        found = {pair.reference_lesion for pair in case.pairs if pair.detected}
        for lesion in case.reference:
            key = (one.test_set, case.case, lesion.lesion)
            yield key, one.patient_of(case.case), float(lesion.lesion in found)


def _by_level(lesions: Sequence[JudgedLesion], name: str) -> dict[str, list[JudgedLesion]]:
    """Return the lesions of each level, in the order of levels, unknown ones last."""
    found: dict[str, list[JudgedLesion]] = {}
    for lesion in lesions:
        found.setdefault(lesion.levels.get(name, UNKNOWN), []).append(lesion)
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


def _test(parts: Mapping[str, Sequence[JudgedLesion]], permuted: Permuted) -> SubgroupTest:
    known = [(level, one) for level, own in parts.items() if level != UNKNOWN for one in own]
    return subgroup_test(
        [one.outcome for _, one in known],
        [one.patient for _, one in known],
        [level for level, _ in known],
        permuted,
    )


def _row(
    model: str,
    variable: str,
    level: str,
    lesions: Sequence[JudgedLesion],
    test: SubgroupTest | None,
    holm_p: float,
) -> dict[str, object]:
    outcomes = [one.outcome for one in lesions]
    patients = [one.patient for one in lesions]
    interval = cluster_mean_interval(outcomes, patients)
    n_patients = len(set(patients))
    return {
        "model": model,
        "variable": variable,
        "level": level,
        "patients": n_patients,
        "lesions": len(lesions),
        "detected": int(sum(outcomes)),
        "estimate": interval.estimate,
        "low": interval.low,
        "high": interval.high,
        "is_small": is_small(len(lesions), n_patients),
        "test": test.of if test else "none",
        "test_patients": test.n_patients if test else 0,
        "p": test.p_value if test else math.nan,
        "holm_p": holm_p,
    }
