"""Subgroups: tests hold their level and see differences; rows add up, and nothing is hidden."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from cta_data.reports.subgroup_table import subgroup_section
from cta_data.scoring import ARTICLE, score_masks
from cta_data.scoring.collection import Pairing, Scores
from cta_data.scoring.models import ScoredSet
from cta_data.scoring.models.subgroups import (
    ALL,
    DIFFERENCE,
    UNKNOWN,
    ModelLevels,
    subgroup_table,
)
from cta_data.scoring.statistics.subgroup_tests import Permuted, subgroup_test


def simulated(rng: np.random.Generator, of_lesions: bool) -> tuple[list[int], list[float], list]:
    """Patient, outcome and level of lesions; patients differ in sensitivity, levels do not."""
    sizes = rng.integers(1, 7, 30)
    patients = np.repeat(np.arange(30), sizes)
    outcomes = (rng.random(len(patients)) < rng.beta(4, 2, 30)[patients]).astype(float)
    levels = rng.integers(0, 3, len(patients)) if of_lesions else rng.integers(0, 2, 30)[patients]
    return patients.tolist(), outcomes.tolist(), levels.tolist()


@pytest.mark.parametrize("of_lesions", [False, True])
def test_the_level_is_held_where_nothing_differs(of_lesions: bool) -> None:
    """Of 200 studies about 10 have p ≤ 0.05: 2 to 20 is what chance allows (1 in 2000)."""
    rng = np.random.default_rng(5)
    hits = 0
    for _ in range(200):
        patients, outcomes, levels = simulated(rng, of_lesions)
        permuted = "lesions" if of_lesions else "patients"
        found = subgroup_test(outcomes, patients, levels, permuted, permutations=99)
        assert found.of == permuted
        hits += found.p_value <= 0.05
    assert 2 <= hits <= 20


def test_a_difference_between_patients_and_one_within_them_is_seen() -> None:
    """Women's lesions found, men's not; and small lesions missed in every patient."""
    patients = np.repeat(np.arange(12), 2)
    women = (patients % 2).astype(float)
    assert subgroup_test(women, patients.tolist(), women.tolist(), "patients").p_value < 0.01
    small = np.tile([0.0, 1.0], 12)
    found = subgroup_test(small, patients.tolist(), small.tolist(), "lesions")
    assert found.of == "lesions" and found.n_patients == 12 and found.p_value < 0.01


@pytest.mark.parametrize("outcomes", [[1.0, 1.0, 1.0], [1.0, 0.0, 1.0]])
def test_without_two_levels_or_two_outcomes_there_is_no_test(outcomes: list[float]) -> None:
    """No p-value, and no patient that tells something."""
    levels = ["a", "b", "b"] if len(set(outcomes)) == 1 else ["a", "a", "a"]
    found = subgroup_test(outcomes, [1, 2, 3], levels, "patients")
    assert math.isnan(found.p_value) and found.of == "none"


def test_a_patient_of_two_ages_does_not_take_the_test_from_the_others() -> None:
    """The level of most lesions counts: all twelve patients are permuted, as without the one."""
    patients = np.repeat(np.arange(12), 3)
    old = (patients % 2).astype(float)
    levels = old.tolist()
    levels[0] = 1.0
    found = subgroup_test(old, patients.tolist(), levels, "patients")
    assert found == subgroup_test(old, patients.tolist(), old.tolist(), "patients")
    assert (found.of, found.n_patients) == ("patients", 12) and found.p_value < 0.01


def scored(
    model: str, hits: dict[str, list[int]], false: dict[str, int] | None = None
) -> ScoredSet:
    """Cases with three lesions each, of which a model finds some; and its false positives."""
    cases = []
    for case, found in hits.items():
        masks = [np.zeros((5, 3, 30), np.uint8) for _ in range(2)]
        for lesion in range(3):
            at = slice(10 * lesion, 10 * lesion + 2 + lesion)
            masks[0][1, 1, at] = 1
            masks[1][1, 1, at] = lesion in found
        for number in range((false or {}).get(case, 0)):
            masks[1][4, 1, 4 * number] = 1
        cases.append(score_masks(masks[0], masks[1], ARTICLE, case=case))
    patients = {case: ("c", case[0], case[1:]) for case in hits}
    return ScoredSet("x", model, Scores(ARTICLE, None, tuple(cases), (), Pairing({})), "MPRAGE",
                     patients=patients)  # fmt: skip


SEXES = {"p": {"sex": "female"}, "q": {"sex": "male"}, "r": {}}


def levels_of(one: ScoredSet) -> ModelLevels:
    """Sex of the patient, which of patient r is unknown; and the size of lesions."""
    cases = {("x", case.case): SEXES[case.case[0]] for case in one.scores.cases}
    lesions = {
        ("x", case.case, lesion.lesion): SEXES[case.case[0]] | {"size": str(lesion.voxels)}
        for case in one.scores.cases
        for lesion in case.reference
    }
    return ModelLevels(cases, lesions)


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    """Two models on four cases of three patients; B finds three lesions more, A has one false more.

    A finds 4 lesions with 5 false positives, B finds 7 with 4.
    """
    a = scored("A", {"p1": [0], "p2": [0, 1], "q1": [], "r1": [2]}, {"p1": 2, "q1": 1, "r1": 2})
    b = scored("B", {"p1": [0, 1], "p2": [0, 1], "q1": [0, 1], "r1": [2]}, {"p1": 1, "p2": 3})
    variables: dict[str, Permuted] = {"sex": "patients", "size": "lesions"}
    return subgroup_table([a, b], variables, {"A": levels_of(a), "B": levels_of(b)})


def part_of(table: pd.DataFrame, model: str, measure: str, variable: str) -> pd.DataFrame:
    chosen = (table["model"] == model) & (table["measure"] == measure)
    return table[chosen & (table["variable"] == variable)].set_index("level")


def test_rows_add_up_and_small_ones_are_marked(table: pd.DataFrame) -> None:
    """Two sessions of one patient are one patient; what is of unknown level has a row, too."""
    assert list(dict.fromkeys(table["model"])) == ["A", "B", DIFFERENCE]
    for (_, measure), own in table.groupby(["model", "measure"]):
        whole = own[own["variable"] == ALL]
        for name in own["variable"].unique():
            part = own[own["variable"] == name]
            assert part["units"].sum() == whole["units"].item()
            assert part["count"].sum() == whole["count"].item()
        assert ("size" in set(own["variable"])) == (measure == "sensitivity")
    sex = part_of(table, "A", "sensitivity", "sex")
    assert list(sex.index) == ["female", "male", UNKNOWN]
    assert sex["patients"].tolist() == [1, 1, 1]
    assert sex["count"].tolist() == [3, 0, 1] and sex["is_small"].all()
    difference = part_of(table, DIFFERENCE, "sensitivity", ALL)
    assert (difference["units"].item(), difference["count"].item()) == (12, 3)
    assert difference["estimate"].item() == pytest.approx(3 / 12)


def test_false_positives_and_precision_by_hand(table: pd.DataFrame) -> None:
    """Of cases and predicted lesions by sex; a case without a false positive counts as well."""
    sex = part_of(table, "A", "false_positives_per_case", "sex")
    assert sex["units"].tolist() == [2, 1, 1] and sex["count"].tolist() == [2, 1, 2]
    assert sex["estimate"].tolist() == [1.0, 1.0, 2.0]
    sex = part_of(table, "A", "precision", "sex")
    assert sex["units"].tolist() == [5, 1, 3] and sex["count"].tolist() == [3, 0, 1]
    assert sex["estimate"].tolist() == pytest.approx([3 / 5, 0, 1 / 3])
    false = part_of(table, DIFFERENCE, "false_positives_per_case", ALL)
    assert (false["count"].item(), false["estimate"].item()) == (-1, pytest.approx(-1 / 4))
    precision = part_of(table, DIFFERENCE, "precision", ALL)
    assert (precision["units"].item(), precision["count"].item()) == (20, 3)
    assert precision["estimate"].item() == pytest.approx(7 / 11 - 4 / 9)
    assert precision["low"].item() < 7 / 11 - 4 / 9 < precision["high"].item()
    without = part_of(table, DIFFERENCE, "precision", "sex").loc[UNKNOWN]
    assert without["estimate"] == pytest.approx(1 - 1 / 3) and math.isnan(without["low"])


def test_a_difference_of_false_positives_is_seen() -> None:
    """Women have three false positives each and men none, with 12 patients of either sex."""
    names = [f"{letter}{n}" for n in range(12) for letter in "pq"]
    one = scored("A", {n: [0, 1] for n in names}, {n: 3 for n in names if n[0] == "p"})
    alone = {case: ("c", case, "1") for case in names}
    made = subgroup_table(
        [replace(one, patients=alone)], {"sex": "patients"}, {"A": levels_of(one)}
    )
    for measure, known in (("false_positives_per_case", [3, 0]), ("precision", [0.4, 1])):
        found = part_of(made, "A", measure, "sex")
        assert found["estimate"].tolist() == pytest.approx(known)
        assert (found["p"] < 0.01).all() and (found["holm_p"] == found["p"]).all()
    same = part_of(made, "A", "sensitivity", "sex")
    assert same["estimate"].tolist() == pytest.approx([2 / 3, 2 / 3])
    assert not (same["p"] < 0.01).any()


def test_the_page_shows_every_measure(table: pd.DataFrame) -> None:
    """A table each, with the units and figures of all models; and a mark at small subgroups."""
    section = subgroup_section(table)
    shown = [[row.cells for row in one.rows] for one in section.tables]
    assert [len(one) for one in shown] == [1 + 3 + 3, 1 + 3, 1 + 3]
    assert shown[1][0][:4] == ("all cases", "4 (3)†", "4 (3)†", "4 (3)†")
    assert shown[1][0][4].startswith("1.25 (") and shown[1][0][6].startswith("−0.25 (")
    assert shown[2][0][1] == "9 (3)†"
