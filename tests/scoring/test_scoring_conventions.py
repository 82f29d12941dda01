"""Every row of the table of the two conventions, and every empty case, on masks made by hand."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest

from cta_data.scoring import ARTICLE, TABLES, Convention, score_masks, summarise

NAN = math.nan


def empty(shape: tuple[int, int, int] = (20, 20, 20)) -> np.ndarray:
    return np.zeros(shape, np.uint8)


def bar(length: int, x: int = 0, y: int = 5, z: int = 5) -> np.ndarray:
    mask = empty((12, 12, 64))
    mask[z, y, x : x + length] = 1
    return mask


def test_diagonal_voxels_are_one_lesion_in_the_article() -> None:
    """26 neighbours: corner to corner is connected; 18 parts corners, 6 parts edges as well."""
    mask = empty()
    mask[3, 3, 3] = mask[4, 4, 4] = 1
    counts = {
        c: score_masks(mask, mask, Convention("own", connectivity=c)).n_reference
        for c in (6, 18, 26)
    }
    assert counts == {6: 2, 18: 2, 26: 1}
    mask[:] = 0
    mask[3, 3, 3] = mask[3, 4, 4] = 1
    counts = {
        c: score_masks(mask, mask, Convention("own", connectivity=c)).n_reference
        for c in (6, 18, 26)
    }
    assert counts == {6: 2, 18: 1, 26: 1}


@pytest.mark.parametrize(("gap", "tables_count"), [(1, 1), (6, 1), (7, 2)])
def test_the_tables_join_what_the_dilation_joins(gap: int, tables_count: int) -> None:
    """Two balls of radius 3 meet over a gap of six voxels; sizes stay those of the masks."""
    mask = bar(1, x=5) | bar(1, x=5 + gap + 1)
    assert score_masks(mask, mask, ARTICLE).n_reference == 2
    score = score_masks(mask, mask, TABLES)
    assert score.n_reference == tables_count
    assert sum(one.volume_mm3 for one in score.reference) == 2


def test_matching_maximises_the_sum_of_dice() -> None:
    """The greedy choice (the largest overlap first) would leave one lesion unmatched."""
    reference, predicted = empty((3, 3, 40)), empty((3, 3, 40))
    reference[0, 0, 0:10] = 1  # overlaps P1 by 6 and nothing else
    reference[0, 0, 12:22] = 1
    predicted[0, 0, 4:19] = 1  # P1 spans both: 6 of the first, 7 of the second
    predicted[0, 0, 20:24] = 1  # P2: 2 of the second
    score = score_masks(reference, predicted, Convention("own", threshold=Fraction(0)))
    assert {(p.reference_lesion, p.predicted_lesion) for p in score.pairs} == {(1, 1), (2, 2)}
    assert score.tp == 2


@pytest.mark.parametrize(
    ("convention", "detected"), [(ARTICLE, False), (TABLES, True)], ids=["article", "tables"]
)
def test_a_dice_of_exactly_a_tenth(convention: Convention, detected: bool) -> None:
    """2·1 / (10 + 10): not above in whole numbers, above as a 32-bit float."""
    score = score_masks(bar(10, x=0), bar(10, x=9), convention)
    assert score.pairs[0].dice == pytest.approx(0.1, abs=1e-15)
    assert score.pairs[0].detected is detected
    assert (score.tp, score.fp, score.fn) == ((1, 0, 0) if detected else (0, 1, 1))
    assert score.lesionwise_dice == pytest.approx(0.1, abs=1e-15)


def test_a_pair_that_is_not_detected_is_one_missed_and_one_false() -> None:
    """It is listed as a pair, as missed and as false; its Dice counts in the lesion-wise score."""
    score = score_masks(bar(10, x=0), bar(11, x=9), ARTICLE)
    assert (score.tp, score.fp, score.fn) == (0, 1, 1)
    assert [p.detected for p in score.pairs] == [False]
    assert [one.lesion for one in score.missed] == [1]
    assert [one.lesion for one in score.false] == [1]
    assert score.lesionwise_dice == pytest.approx(2 / 21)


@pytest.mark.parametrize("convention", [ARTICLE, TABLES], ids=["article", "tables"])
def test_a_small_part_of_a_large_lesion_is_right_as_far_as_it_goes(convention: Convention) -> None:
    """20 of 1000 voxels, and one perfect lesion: lesion-wise PPV is 1, sensitivity 0.51."""
    reference, predicted = np.zeros((2, 10, 10, 40), np.uint8)
    reference[:, :, :10] = 1
    predicted[4, 4:6, :10] = 1
    reference[:4, 0, 30:35] = predicted[:4, 0, 30:35] = 1
    score = score_masks(reference, predicted, convention)
    assert (score.tp, score.fp, score.fn) == (1, 1, 1)
    assert score.lesionwise_ppv == pytest.approx(1.0)
    assert score.lesionwise_sensitivity == pytest.approx((0.02 + 1) / 2)
    assert score.lesionwise_dice == pytest.approx((40 / 1020 + 1) / 2)


def test_lesion_wise_scores_by_hand() -> None:
    """One pair of Dice 0.8 (4 of 4 and 6 voxels), one missed, one false: 0.8 / (1 + ½ + ½)."""
    reference = bar(4, x=0) | bar(3, x=40)
    predicted = bar(6, x=0) | bar(5, x=50)
    score = score_masks(reference, predicted, ARTICLE)
    assert (score.tp, score.fp, score.fn) == (1, 1, 1)
    assert score.lesionwise_dice == pytest.approx(0.8 / 2)
    assert score.lesionwise_ppv == pytest.approx(4 / 6 / 2)
    assert score.lesionwise_sensitivity == pytest.approx(1 / 2)
    assert score.voxel_dice == pytest.approx(2 * 4 / (7 + 11))
    assert score.f1 == pytest.approx(0.5)


EMPTY = [
    # reference, prediction, convention: sensitivity, PPV, F1, lesion-wise
    (True, False, ARTICLE, 0.0, NAN, 0.0, 0.0),
    (True, False, TABLES, 0.0, 1.0, 0.0, 0.0),
    (False, True, ARTICLE, NAN, 0.0, 0.0, 0.0),
    (False, True, TABLES, 1.0, 0.0, 0.0, 0.0),
    (False, False, ARTICLE, NAN, NAN, NAN, NAN),
    (False, False, TABLES, 1.0, 1.0, 1.0, NAN),
]


@pytest.mark.parametrize(("has", "told", "rules", "sensitivity", "ppv", "f1", "lesionwise"), EMPTY)
def test_empty_masks(
    has: bool,
    told: bool,
    rules: Convention,
    sensitivity: float,
    ppv: float,
    f1: float,
    lesionwise: float,
) -> None:
    """What a ratio of nothing to nothing is, by the convention."""
    score = score_masks(bar(4) if has else bar(0), bar(4, x=30) if told else bar(0), rules)
    found = (score.sensitivity, score.ppv, score.f1)
    assert found == pytest.approx((sensitivity, ppv, f1), nan_ok=True)
    for name in ("lesionwise_dice", "lesionwise_ppv", "lesionwise_sensitivity"):
        assert getattr(score, name) == pytest.approx(lesionwise, nan_ok=True)


def test_across_patients_undefined_is_counted_and_left_out() -> None:
    """Mean and SD with n - 1, linear quartiles, and how many were undefined."""
    found = summarise([0.2, NAN, 0.4, 0.9])
    assert (found.n, found.n_undefined) == (3, 1)
    assert found.mean == pytest.approx(0.5)
    assert found.sd == pytest.approx(math.sqrt((0.09 + 0.01 + 0.16) / 2))
    assert (found.q1, found.median, found.q3) == pytest.approx((0.3, 0.4, 0.65))
    nothing = summarise([NAN])
    assert (nothing.n, nothing.n_undefined) == (0, 1) and math.isnan(nothing.mean)
    assert math.isnan(summarise([0.5]).sd)


def test_places_and_volumes_are_those_of_the_affine() -> None:
    """Centroids in RAS mm and volumes in mm³, whatever the voxel size."""
    affine = np.diag([0.5, 2.0, 3.0, 1.0])
    affine[:3, 3] = (-10, 20, 30)
    score = score_masks(bar(3, x=4, y=5, z=6), bar(0), ARTICLE, affine=affine)
    [missed] = score.missed
    assert missed.voxels == 3 and missed.volume_mm3 == pytest.approx(9.0)
    assert missed.centroid_ras_mm == pytest.approx((-10 + 5 * 0.5, 20 + 5 * 2, 30 + 6 * 3))


@pytest.mark.parametrize(
    "wrong", [{"connectivity": 8}, {"dilate_voxels": -1}, {"threshold": Fraction(1)}]
)
def test_rules_that_mean_nothing_are_refused(wrong: dict[str, object]) -> None:
    """At once, and not as a score."""
    with pytest.raises(ValueError, match=r"connectivity|dilate_voxels|threshold"):
        Convention("own", **wrong)  # type: ignore[arg-type]
