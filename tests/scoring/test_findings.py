"""Findings for pictures: the rules choose what a person would count out by hand."""

from __future__ import annotations

import random

import numpy as np
import pytest
import SimpleITK as sitk

from cta_data.drawing.crops import Crop, Outline
from cta_data.reports.figures import figure_bytes
from cta_data.reports.figures.findings import FindingPicture, findings_figure
from cta_data.scoring import CONVENTIONS
from cta_data.scoring.case import CaseScore, LesionInstance, PairScore
from cta_data.scoring.collection import Pairing, Scores
from cta_data.scoring.mask_files import MaskVoxels, instance_labels
from cta_data.scoring.models import ScoredSet, choose_findings, findings_frame
from cta_data.scoring.models.findings import SelectedExample

VOLUMES = {"c1": (50.0, 400.0, 90.0), "c2": (30.0, 700.0, 60.0, 90.0)}
"""Reference lesions (mm³) of two cases, numbered from 1."""


def case(name: str, dice: dict[int, float], false: dict[int, float]) -> CaseScore:
    """A case with a pair for each lesion of `dice`, and false lesions by number and volume."""
    pairs = tuple(PairScore(n, n, d, 1, 1, 1, d > 0.1) for n, d in dice.items())
    reference = tuple(lesion(n, volume) for n, volume in enumerate(VOLUMES[name], start=1))
    predicted = tuple(lesion(n, volume) for n, volume in false.items())
    return CaseScore(name, len(VOLUMES[name]), 0, 0, 0, 0, *[0.0] * 7, reference, predicted, pairs)


def lesion(number: int, volume_mm3: float) -> LesionInstance:
    return LesionInstance(number, 1, volume_mm3, (0.0, 0.0, 0.0))


def scored(model: str, *cases: CaseScore, test_set: str = "SUSM") -> ScoredSet:
    return ScoredSet(test_set, model, Scores(CONVENTIONS["article"], None, cases, (), Pairing({})))


# What each model found:          c1: 1    2    3        c2: 1    2    3    4
#                              mm³    50  400   90           30  700   60   90
A = scored(
    "A",
    case("c1", {2: 0.9, 3: 0.4}, {7: 20.0, 9: 80.0}),  #      -   .9   .4
    case("c2", {1: 0.05, 3: 0.6, 4: 0.5}, {8: 80.0}),  #                    .05   -   .6   .5
)
B = scored(
    "B",
    case("c1", {1: 0.3, 2: 0.7, 3: 0.8}, {}),  #             .3   .7   .8
    case("c2", {1: 0.2, 3: 0.5}, {5: 10.0}),  #                              .2   -   .5    -
)


def by_rule(findings: tuple[SelectedExample, ...]) -> dict[str, tuple[str, str, int]]:
    return {rule: (f.case, f.origin, f.lesion) for f in findings for rule in f.rules}


def test_the_rules_choose_what_was_counted_out_by_hand() -> None:
    """Smallest lesions that one model alone found, the median, and largest errors of each."""
    assert by_rule(choose_findings([A, B])) == {
        # B alone found c1/1 (50 mm³) and c2/1 (30 mm³): a pair under the threshold is a miss.
        "smallest lesion found by model B and missed by model A": ("c2", "reference", 1),
        "smallest lesion found by model A and missed by model B": ("c2", "reference", 4),
        # Both found c1/2 (mean Dice .8), c1/3 (.6) and c2/3 (.55).
        "median true positive": ("c1", "reference", 3),
        "largest false negative of model A": ("c2", "reference", 2),
        # 80 mm³ twice: the first by case.
        "largest false positive of model A": ("c1", "A", 9),
        "largest false negative of model B": ("c2", "reference", 2),
        "largest false positive of model B": ("c2", "B", 5),
    }


def test_a_lesion_that_two_rules_choose_is_one_finding_with_both() -> None:
    """The largest miss of both models is shown once, with what it is to each."""
    [shared] = [f for f in choose_findings([A, B]) if (f.case, f.lesion) == ("c2", 2)]
    assert shared.rules == (
        "largest false negative of model A",
        "largest false negative of model B",
    )
    assert [(v.model, v.label, v.dice) for v in shared.verdicts] == [
        ("A", "false negative", None),
        ("B", "false negative", None),
    ]
    [under] = [f for f in choose_findings([A, B]) if (f.case, f.lesion) == ("c2", 1)]
    assert (under.verdicts[0].label, under.verdicts[0].dice) == ("false negative", 0.05)
    assert under.volume_mm3 == 30.0


def test_the_order_of_the_input_does_not_matter() -> None:
    """Sets and cases shuffled, the same findings in the same order."""
    wanted = choose_findings([A, B])
    for seed in range(5):
        draw = random.Random(seed)
        sets = [
            scored(one.model, *draw.sample(one.scores.cases, len(one.scores.cases)))
            for one in draw.sample([A, B], 2)
        ]
        assert choose_findings(sets) == wanted


def test_of_an_even_number_the_lower_middle_is_the_median() -> None:
    """With mean Dice .55 and .8 it is .55."""
    without = scored("A", case("c1", {2: 0.9}, {}), case("c2", {3: 0.6}, {}))
    assert by_rule(choose_findings([without, B]))["median true positive"] == ("c2", "reference", 3)


def test_one_model_alone_has_no_comparison() -> None:
    """Without B, A's own errors and its median are what there is; nothing found chooses nothing."""
    rules = set(by_rule(choose_findings([A])))
    assert rules == {
        "median true positive",
        "largest false negative of model A",
        "largest false positive of model A",
    }
    empty = scored("A", case("c1", {1: 1.0, 2: 1.0, 3: 1.0}, {}))
    assert set(by_rule(choose_findings([empty]))) == {"median true positive"}
    assert choose_findings([]) == () and findings_frame([]).empty


def test_the_table_has_a_row_a_finding_and_model() -> None:
    """Volumes in cm³, rules joined, Dice only where a lesion of the model's was matched."""
    frame = findings_frame(choose_findings([A, B]))
    assert len(frame) == 4 * 2 + 2  # two models are judged by lesions, one by a false positive
    row = frame[(frame["lesion"] == 3) & (frame["model"] == "B")].iloc[0]
    assert (row["volume_cm3"], row["label"], row["dice"]) == (0.09, "true positive", 0.8)


def test_labels_have_the_numbers_of_the_scores() -> None:
    """Instances are numbered from 1 in raster order, where their voxels are."""
    voxels = np.zeros((3, 4, 5), np.uint8)
    voxels[2, 1, 1:3] = 1
    voxels[0, 3, 4] = 1
    index = np.flatnonzero(voxels)
    affine = np.diag([1.0, 2.0, 3.0, 1.0])
    mask = MaskVoxels(index, voxels.ravel()[index], (3, 4, 5), affine)
    labels = instance_labels(mask, CONVENTIONS["article"])
    assert [*map(tuple, np.argwhere(sitk.GetArrayFromImage(labels) == 1))] == [(0, 3, 4)]
    assert (sitk.GetArrayFromImage(labels) == 2).sum() == 2
    assert labels.TransformIndexToPhysicalPoint((4, 3, 0)) == pytest.approx((-4, -6, 0))


def test_the_figure_says_what_was_chosen_and_is_the_same_again() -> None:
    """Rules and verdicts are words of the vector file, outlines differ in colour and dash."""
    values = np.linspace(0, 1, 128 * 128).reshape(128, 128)
    inside = np.zeros((128, 128), bool)
    inside[50:70, 50:70] = True
    names = ("reference", "model A", "model B")
    crops = tuple(
        Crop(t, values, 0.25, tuple(Outline(n, inside) for n in names)) for t in ("MPRAGE", "SPACE")
    )
    picture = FindingPicture(("Median true positive",), ("c1: 0.090 cm³", "A: found"), crops)
    made = [figure_bytes(findings_figure([picture] * 3, names)) for _ in range(2)]
    assert made[0] == made[1]
    svg = made[0]["svg"].decode()
    for text in ("Median true positive", "c1: 0.090 cm³", "model B", "SPACE"):
        assert f">{text}</text>" in svg
    assert svg.count("<image") == 6
    assert svg.count("#56b4e9") and svg.count("#e69f00") and svg.count("stroke-dasharray")
