"""Candidates, FROC, differences and calibration: against other programs, and by hand."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from helpers.probability_maps import Case, made_up_cases, voxels_of, write_cases
from helpers.refusals import has_reason
from scipy import ndimage

from cta_data.errors import DataRefused
from cta_data.reports.froc_tables import ALL_KEPT, NONE_KEPT, level_table
from cta_data.scoring import ARTICLE, TABLES, Convention, find_instances, score_case
from cta_data.scoring.probabilities.analysis import analyse
from cta_data.scoring.probabilities.calibration import (
    candidate_reliability,
    fit_temperature,
    voxel_bins,
    voxel_reliability,
    with_temperature,
)
from cta_data.scoring.probabilities.candidates import (
    FALSE_POSITIVE,
    SCORES,
    CaseCandidates,
    case_candidates,
)
from cta_data.scoring.probabilities.collection import CandidateSet, FoundCase, find_candidates
from cta_data.scoring.probabilities.comparison import compare_curves
from cta_data.scoring.probabilities.curve import (
    DRAWN,
    best_score,
    curve_figures,
    froc_curve,
    score_precisions,
)
from cta_data.scoring.probabilities.events import events_of, joined_events
from cta_data.scoring.probabilities.maps import LEAST, ProbabilityMap, read_probabilities
from cta_data.training.nnunet.jobs import PointInUse
from cta_data.training.nnunet.operating import mask_at

FEW = replace(DRAWN, resamples=200)
MONAI = {
    0: [
        *((0.083333, 0.390244), (0.25, 0.414634), (0.333333, 0.439024), (0.333333, 0.682927)),
        *((0.5, 0.682927), (1.0, 0.682927), (1.583333, 0.682927)),
    ],
    2: [
        *((0.0, 0.634146), (0.083333, 0.658537), (0.333333, 0.731707), (0.416667, 0.756098)),
        *((0.583333, 0.804878), (1.0, 0.829268), (1.583333, 0.829268)),
    ],
}
"""Points (false positives per image, sensitivity) of MONAI 1.6.1, `compute_froc_curve_data`."""
N_POINTS = {0: 34, 2: 41}
"""Different points of MONAI's curve but the one without any candidate."""
PRECISION = {0: 0.6362823258375103, 2: 0.8029107459253091}
"""scikit-learn 1.9.1, `average_precision_score` times the share of lesions with a candidate."""
CALIBRATION = {
    0: (0.25232712765957444, 0.007062322443181599),
    2: (0.21108490566037735, 0.005166903409090691),
}
"""netcal 1.4.0, `ECE(15)` of candidates and of voxels."""
TEMPERATURE = {
    0: (0.4477983514002645, 0.17722531480672035),
    2: (0.5299030278685601, 0.17385472667814636),
}
"""Inverse coefficient of scikit-learn's `LogisticRegression` of the logits of voxels (and netcal's
`TemperatureScaling`, to six digits); `ECE(15)` with it. In the cubes, voxels are as candidates."""


def found_case(case: Case, convention: Convention = ARTICLE) -> FoundCase:
    name, reference, probability = case
    known, every = voxels_of(reference), voxels_of(probability, LEAST)
    below = probability[probability < LEAST]
    found = ProbabilityMap(every, below.size, float(below.sum()))
    return FoundCase(case_candidates(known, every, convention, case=name), voxel_bins(known, found))


def candidate_set(skill: int = 0, name: str = "A", sessions: int = 1) -> CandidateSet:
    cases = made_up_cases(skill=skill, sessions=sessions)
    patients = {case: case.split("_")[0] for case, _, _ in cases}
    return CandidateSet(name, "", ARTICLE, 0.1, tuple(map(found_case, cases)), patients)


@pytest.mark.parametrize("skill", [0, 2])
def test_the_curve_and_average_precision_are_those_of_other_programs(skill: int) -> None:
    """Every point is MONAI's, no more and no fewer, and the precision scikit-learn's."""
    curve = froc_curve(candidate_set(skill), "maximum", drawn=FEW)
    points = [(round(one.fp_per_case, 6), round(one.sensitivity, 6)) for one in curve.points]
    assert set(MONAI[skill]) <= set(points)
    assert len(points) == N_POINTS[skill]
    assert curve.average_precision.estimate == pytest.approx(PRECISION[skill], rel=1e-12)


@pytest.mark.parametrize("skill", [0, 2])
def test_calibration_errors_are_those_of_netcal(skill: int) -> None:
    """Of candidates and of all voxels."""
    found = candidate_set(skill)
    candidates = found.candidates
    of_candidates = candidate_reliability(
        [one.maximum for one in candidates], [one.detected for one in candidates]
    )
    every, foreground = voxel_reliability(case.bins for case in found.cases)
    assert of_candidates.expected_error == pytest.approx(CALIBRATION[skill][0], rel=1e-9)
    assert every.expected_error == pytest.approx(CALIBRATION[skill][1], rel=1e-9)
    assert every.number == 12 * 18 * 20 * 22
    assert foreground.number == 27 * len(candidates)


@pytest.mark.parametrize("skill", [0, 2])
def test_the_temperature_is_that_of_other_programs(skill: int) -> None:
    """Of a logistic regression without intercept, and netcal's error before and after it."""
    fitted = fit_temperature(case.bins for case in candidate_set(skill).cases)
    assert fitted is not None
    temperature, after = TEMPERATURE[skill]
    assert fitted.temperature == pytest.approx(temperature, rel=1e-6)
    assert fitted.error_before == pytest.approx(CALIBRATION[skill][0], rel=1e-9)
    assert fitted.error_after == pytest.approx(after, rel=1e-6)
    values = np.array([0.0, 0.2, 0.5, 1.0], np.float32)
    scaled = with_temperature(values, 2.0)
    assert scaled == pytest.approx([0, 1 / (1 + 4**0.5), 0.5, 1])


def test_no_temperature_without_lesion_and_background() -> None:
    """Where everything is lesion, no temperature is the best."""
    full = np.ones((4, 4, 4), np.uint8)
    assert fit_temperature([found_case(("a", full, full * np.float32(0.7))).bins]) is None


def test_the_mask_at_an_operating_point_holds_whole_candidates() -> None:
    """It is scored as the curve counts at that threshold."""
    _, reference, probability = made_up_cases(skill=2)[0]
    found = case_candidates(voxels_of(reference), voxels_of(probability), ARTICLE)
    scores = sorted(one.maximum for one in found.candidates)
    point = partial(PointInUse, candidates_from=0.1, convention="article", score="maximum")
    for threshold in scores:
        mask = mask_at(probability, point(threshold=threshold))
        assert np.array_equal(mask, probability >= threshold)
        score = score_case(*(find_instances(one, ARTICLE) for one in (reference, mask)))
        assert counts(found, "maximum", threshold) == (score.tp, score.fp)
    assert not mask_at(probability, point(threshold=1.0)).any()
    assert not mask_at(np.zeros_like(probability), point(threshold=0.1)).any()


def smooth_case(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """A reference and a map with blobs that run into each other."""
    rng = np.random.default_rng(seed)
    noise = [ndimage.gaussian_filter(rng.normal(size=(9, 14, 16)), 1.2) for _ in range(2)]
    reference = noise[0] > 0.25
    map_of = np.clip(0.2 + 0.6 * reference + 1.5 * noise[1], 0, 1)
    return reference.astype(np.uint8), np.round(map_of, 2)


def counts(found: CaseCandidates, name: str, threshold: float) -> tuple[int, int]:
    steps = [one for one in found.steps[name] if one.score >= threshold]  # type: ignore[index]
    false = sum(one.change for one in steps if one.lesion == FALSE_POSITIVE)
    return sum(one.change for one in steps if one.lesion != FALSE_POSITIVE), false


@pytest.mark.parametrize("seed", range(12))
def test_each_threshold_counts_as_the_mask_of_its_candidates_is_scored(seed: int) -> None:
    """Also where candidates share lesions, so that what one detects depends on the others."""
    reference, probability = smooth_case(seed)
    mask = probability >= 0.6
    found = case_candidates(
        voxels_of(reference), voxels_of(probability), ARTICLE, candidates_from=0.6
    )
    known, parts = find_instances(reference, ARTICLE), find_instances(mask, ARTICLE)
    labels = np.zeros(mask.size, np.int64)
    labels[np.flatnonzero(mask)] = np.repeat(parts.of_run + 1, parts.runs.lengths)
    checked = 0
    for name in SCORES:
        scores = np.array([getattr(one, name) for one in found.candidates])
        for threshold in set(scores.tolist()):
            kept = np.isin(labels, np.flatnonzero(scores >= threshold) + 1).reshape(mask.shape)
            score = score_case(known, find_instances(kept, ARTICLE))
            assert counts(found, name, threshold) == (score.tp, score.fp)
            checked += 1
    assert checked > 3


def test_candidates_follow_the_convention() -> None:
    """Two parts two voxels apart are one candidate where both masks are dilated."""
    probability = np.zeros((8, 8, 16))
    probability[4, 4, 3:6], probability[4, 4, 8:11] = 0.9, 0.3
    reference = (probability > 0).astype(np.uint8)
    article, tables = (
        case_candidates(voxels_of(reference), voxels_of(probability), rules)
        for rules in (ARTICLE, TABLES)
    )
    assert [len(one.candidates) for one in (article, tables)] == [2, 1]
    [joined] = tables.candidates
    assert (joined.mean, joined.maximum) == (0.6, 0.9)
    assert joined.percentile_95 == pytest.approx(0.9)
    assert [one.mean for one in article.candidates] == [0.9, 0.3]


def test_lesions_are_measured_as_elsewhere() -> None:
    """A lesion of 3 voxels in a row: 3 mm³, and the diagonal of 3 × 1 × 1 mm as its diameter."""
    reference = np.zeros((5, 5, 9), np.uint8)
    reference[2, 2, 3:6] = 1
    [lesion] = case_candidates(voxels_of(reference), voxels_of(reference), ARTICLE).lesions
    assert lesion.volume_mm3 == 3
    assert lesion.diameter_mm == pytest.approx(math.sqrt(11))


def test_the_figures_at_a_level_by_hand() -> None:
    """One false positive in twelve cases is 0.083 per case; past the last candidate it stays."""
    levels = froc_curve(candidate_set(), "maximum", (0.05, 0.1, 0.5, 4), FEW).levels
    assert [one.fp for one in levels] == [0, 1, 6, 19]
    assert [round(one.sensitivity.estimate, 6) for one in levels] == [
        *(0.341463, 0.390244, 0.682927, 0.682927)
    ]
    assert [one.is_reached for one in levels] == [True, True, True, False]


def test_a_level_below_what_the_highest_score_has_is_marked() -> None:
    """A lesion and a false positive of one score cannot be put in order: none is kept at 1/2."""
    reference, probability = (np.zeros((9, 9, 20), kind) for kind in (np.uint8, np.float32))
    reference[2:5, 2:5, 2:5] = 1
    probability[2:5, 2:5, 2:5] = probability[2:5, 2:5, 12:15] = 1
    probability[6:8, 6:8, 17:19] = 0.5
    cases = (found_case(("a", reference, probability)),)
    found = CandidateSet("A", "", ARTICLE, 0.1, cases, {"a": "a"})
    levels = froc_curve(found, "mean", (0.5, 1, 2, 4), FEW).levels
    assert [one.keeps_none for one in levels] == [True, False, False, False]
    assert [one.sensitivity.estimate for one in levels] == [0, 1, 1, 1]
    table = level_table(analyse([found], {"A": "mean"}, (0.5, 1, 2, 4), FEW))
    [row] = table.rows
    assert [NONE_KEPT in cell for cell in row.cells[3:7]] == [True, False, False, False]
    assert [cell.endswith(ALL_KEPT) for cell in row.cells[3:7]] == [False, False, True, True]


def test_classes_of_size_add_up() -> None:
    """Lesions found of all classes of a measure are those found in all."""
    curve = froc_curve(candidate_set(), "mean", drawn=FEW)
    for measure in ("diameter_mm", "volume_mm3"):
        own = [one for one in curve.classes if one.size.measure == measure]
        for level in curve.levels:
            part = [one for one in own if one.level == level.level]
            assert sum(one.found for one in part) == level.tp
            assert sum(one.lesions for one in part) == curve.lesions


def test_sessions_of_a_patient_are_drawn_together() -> None:
    """The curve is the same, its intervals are wider or narrower, of as many as there are."""
    apart = froc_curve(candidate_set(), "mean", drawn=FEW)
    together = froc_curve(candidate_set(sessions=3), "mean", drawn=FEW)
    assert (apart.patients, together.patients) == (12, 4)
    for one, other in zip(apart.levels, together.levels, strict=True):
        assert one.sensitivity.estimate == other.sensitivity.estimate
        assert one.sensitivity.low != other.sensitivity.low


def test_nothing_found_and_nothing_to_find() -> None:
    """Without a candidate the sensitivity is 0; without a lesion it is undefined."""
    empty = np.zeros((4, 4, 6), np.float32)
    one = np.zeros((4, 4, 6), np.uint8)
    one[1, 1, 1:4] = 1
    blind = CandidateSet("A", "", ARTICLE, 0.1, (found_case(("a", one, empty)),))
    curve = froc_curve(blind, "mean", drawn=FEW)
    assert [level.sensitivity.estimate for level in curve.levels] == [0.0] * 5
    assert curve.levels[0].threshold == math.inf
    nobody = CandidateSet(
        "A", "", ARTICLE, 0.1, (found_case(("a", empty.astype(np.uint8), empty)),)
    )
    assert math.isnan(froc_curve(nobody, "mean", drawn=FEW).levels[0].sensitivity.estimate)


def test_a_model_does_not_differ_from_itself() -> None:
    """No difference, no interval to speak of, p of 1."""
    same = compare_curves(candidate_set(), candidate_set(name="B"), ("mean", "mean"), drawn=FEW)
    assert {one.difference.method for one in same.levels} == {"constant"}
    assert {(one.difference.estimate, one.p) for one in same.levels} == {(0.0, 1.0)}


def test_two_models_are_compared_on_the_cases_of_both() -> None:
    """The better one is ahead; a case of one alone is named and left out."""
    a, b = candidate_set(), candidate_set(2, "B")
    made = compare_curves(a, b.only(b.case_names - {"sub-03_ses-1"}), ("mean", "mean"), drawn=FEW)
    assert (made.cases, made.only_a, made.only_b) == (11, ("sub-03_ses-1",), ())
    for one in made.levels:
        assert one.difference.estimate == pytest.approx(one.sensitivity_b - one.sensitivity_a)
        assert one.difference.estimate > 0
        assert one.difference.low <= one.difference.estimate <= one.difference.high


def test_the_exchange_of_patients_by_hand() -> None:
    """Six patients with a lesion that B alone finds: of 64 exchanges two differ as much."""
    lesion = np.zeros((4, 4, 6), np.uint8)
    lesion[1, 1, 1:4] = 1
    nothing = np.zeros(lesion.shape, np.float32)
    maps = {"A": nothing, "B": lesion * np.float32(0.9)}
    blind, seeing = (
        CandidateSet(
            name, "", ARTICLE, 0.1, tuple(found_case((f"p{n}", lesion, one)) for n in range(6))
        )
        for name, one in maps.items()
    )
    [level] = compare_curves(blind, seeing, ("mean", "mean"), (1,)).levels
    assert level.difference.estimate == 1
    assert level.p == pytest.approx(2 / 64, abs=0.01)
    [other] = compare_curves(seeing, blind, ("mean", "mean"), (1,)).levels
    assert (other.difference.estimate, other.p) == (-1, level.p)


@pytest.mark.parametrize("levels", [(0.05, 0.5), (1.0, 8.0)])
def test_two_models_on_one_scale_are_what_they_were(levels: tuple[float, float]) -> None:
    """Along false positives, each half of the patients has the sensitivities of its own model."""
    sides = [events_of(candidate_set(skill), "maximum", classes=()) for skill in (0, 2)]
    joined = joined_events(*sides)
    weights = np.repeat(np.eye(2), len(sides[0].patients), axis=1)
    both = curve_figures(joined, levels, 0, weights)[:, : len(levels)]
    for row, events in zip(both, sides, strict=True):
        [own] = curve_figures(events, levels, 0, np.ones((1, len(events.patients))))
        assert row == pytest.approx(own[: len(levels)])


def test_the_best_score_is_the_one_that_ranks_best() -> None:
    """Where all voxels of a candidate are equal all scores rank alike, and the first is taken."""
    precisions = score_precisions(candidate_set())
    assert len(set(precisions.values())) == 1
    assert best_score(precisions) == "mean"
    assert best_score({"mean": 0.3, "maximum": 0.5, "percentile_95": 0.4}) == "maximum"


def test_maps_from_files(tmp_path: Path) -> None:
    """The same candidates as from memory; a case that cannot be read costs itself alone."""
    cases = made_up_cases(3)
    write_cases(cases, tmp_path, "references", "maps")
    (tmp_path / "maps" / f"{cases[1][0]}.nii.gz").write_bytes(b"nothing")
    files = {
        name: (tmp_path / "references" / f"{name}.nii.gz", tmp_path / "maps" / f"{name}.nii.gz")
        for name, _, _ in cases
    }
    found = find_candidates(files, ARTICLE, 0.1, model="A")
    assert [one.candidates for one in found.cases] == [
        found_case(case).candidates for case in (cases[0], cases[2])
    ]
    assert [case for case, _ in found.failed] == [cases[1][0]]


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        (1.5, "probabilities_out_of_range"),
        (-0.25, "probabilities_out_of_range"),
        (math.nan, "probabilities_not_finite"),
        (math.inf, "probabilities_not_finite"),
    ],
)
def test_what_is_no_probability_is_refused(wrong: float, reason: str, tmp_path: Path) -> None:
    """Logits or NaN give no candidates."""
    values = np.zeros((4, 4, 4), np.float32)
    values[1, 1, 1] = wrong
    write_cases([("a", np.zeros(values.shape, np.uint8), values)], tmp_path, maps="maps")
    with pytest.raises(DataRefused, check=has_reason(reason)):
        read_probabilities(tmp_path / "maps" / "a.nii.gz")
