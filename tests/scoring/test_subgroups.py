"""Subgroups: tests hold their level and see differences; rows add up, and nothing is hidden."""

from __future__ import annotations

import math

import numpy as np
import pytest

from cta_data.scoring import ARTICLE, score_masks
from cta_data.scoring.collection import Pairing, Scores
from cta_data.scoring.models import ScoredSet
from cta_data.scoring.models.subgroups import ALL, DIFFERENCE, UNKNOWN, subgroup_table
from cta_data.scoring.statistics.subgroup_tests import subgroup_test


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


def scored(model: str, hits: dict[str, list[int]]) -> ScoredSet:
    """Cases with three lesions each, of which a model finds some."""
    cases = []
    for case, found in hits.items():
        masks = [np.zeros((3, 3, 30), np.uint8) for _ in range(2)]
        for lesion in range(3):
            at = slice(10 * lesion, 10 * lesion + 2 + lesion)
            masks[0][1, 1, at] = 1
            masks[1][1, 1, at] = lesion in found
        cases.append(score_masks(masks[0], masks[1], ARTICLE, case=case))
    patients = {case: ("c", case[0], case[1:]) for case in hits}
    return ScoredSet("x", model, Scores(ARTICLE, None, tuple(cases), (), Pairing({})), "MPRAGE",
                     patients=patients)  # fmt: skip


def test_rows_add_up_and_small_ones_are_marked() -> None:
    """Two sessions of one patient are one patient; a lesion of unknown level has a row, too."""
    a = scored("A", {"p1": [0], "p2": [0, 1], "q1": [], "r1": [2]})
    b = scored("B", {"p1": [0, 1], "p2": [0, 1], "q1": [0, 1], "r1": [2]})
    sexes = {"p": {"sex": "female"}, "q": {"sex": "male"}, "r": {}}
    levels = {
        ("x", case.case, lesion.lesion): sexes[case.case[0]] | {"size": str(lesion.voxels)}
        for case in a.scores.cases
        for lesion in case.reference
    }
    table = subgroup_table(
        [a, b], {"sex": "patients", "size": "lesions"}, {"A": levels, "B": levels}
    )
    assert list(dict.fromkeys(table["model"])) == ["A", "B", DIFFERENCE]
    for _, own in table.groupby("model"):
        whole = own[own["variable"] == ALL]
        for name in ("sex", "size"):
            part = own[own["variable"] == name]
            assert part["lesions"].sum() == whole["lesions"].item() == 12
            assert part["detected"].sum() == whole["detected"].item()
    sex = table[(table["model"] == "A") & (table["variable"] == "sex")].set_index("level")
    assert list(sex.index) == ["female", "male", UNKNOWN]
    assert sex["patients"].tolist() == [1, 1, 1]
    assert sex["detected"].tolist() == [3, 0, 1] and sex["is_small"].all()
    difference = table[(table["model"] == DIFFERENCE) & (table["variable"] == ALL)]
    assert difference["detected"].item() == 3
    assert difference["estimate"].item() == pytest.approx(3 / 12)
