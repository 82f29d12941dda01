"""Tables, counts and curves of several models on several test sets, by hand."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cta_data.reports.article import score_table_in_print
from cta_data.reports.latex import latex
from cta_data.reports.names import METRIC_NAMES
from cta_data.reports.page import page_html
from cta_data.reports.table import Table
from cta_data.scoring import ARTICLE, score_masks
from cta_data.scoring.collection import Pairing, Scores
from cta_data.scoring.conventions import BRATS_METS
from cta_data.scoring.models import (
    ScoredSet,
    false_positives,
    found_instances,
    found_lesions,
    score_table,
    sensitivity_by_volume,
)
from cta_data.scoring.models.revision import RevisedSet
from cta_data.scoring.models.score_table import score_rows
from cta_data.scoring.paper import printed_name
from cta_data.scoring.statistics import wilcoxon_signed_rank

SIZES = (2, 60, 400)
"""Voxels of 1 mm³ of the lesions of a case: 0.002, 0.06 and 0.4 cm³."""


def mask_of(lesions: tuple[int, ...], extra: int = 0) -> np.ndarray:
    """Bars of those sizes, each at the place of its size; and false ones of five voxels."""
    mask = np.zeros((9, 9, 420), np.uint8)
    for size in lesions:
        mask[1, 2 * SIZES.index(size) + 1, :size] = 1
    for number in range(extra):
        mask[5, 2 * number + 1, :5] = 1
    return mask


def scored(
    model: str, found: list[tuple[int, ...]], extra: int = 0, test_set: str = "SPACE"
) -> ScoredSet:
    """A model that finds those lesions of each case, out of `SIZES`."""
    cases = tuple(
        score_masks(mask_of(SIZES), mask_of(some, extra), ARTICLE, case=f"c{number}")
        for number, some in enumerate(found)
    )
    return ScoredSet(test_set, model, Scores(ARTICLE, None, cases, (), Pairing({})))


A = scored("A", [(400,), (60, 400), ()])
B = scored("B", [(60, 400), SIZES, (400,)], extra=1)


def test_found_instances_count_every_lesion_once() -> None:
    """Both, only A, only B and none add up to all lesions; patients are compared one by one."""
    lesions = found_lesions(A, B)
    assert len(lesions) == 9
    counts = lesions["found"].value_counts().to_dict()
    assert counts == {"both": 3, "B only": 3, "none": 3}
    [row] = found_instances([A, B]).to_dict("records")
    assert row["both"] + row["A only"] + row["B only"] + row["none"] == row["lesions"] == 9
    assert (row["cases"], row["patients_b_finds_more"], row["patients_a_finds_more"]) == (3, 3, 0)
    assert found_instances([A]).empty


def test_sensitivity_by_volume_by_hand() -> None:
    """Of three lesions a class, model B finds one, two and three; intervals hold the share."""
    rows = sensitivity_by_volume(B, (0.0, 0.05, 0.1, 1.0, math.inf))
    assert rows["n"].tolist() == [3, 3, 3, 0]
    assert rows["detected"].tolist() == [1, 2, 3, 0]
    assert rows["patients"].tolist() == [3, 3, 3, 0]
    assert math.isnan(rows["sensitivity"].iloc[3])
    known = rows.iloc[:3]
    assert (known["low"] <= known["sensitivity"]).all()
    assert (known["sensitivity"] <= known["high"]).all()
    assert rows["detected"].sum() == sum(case.tp for case in B.scores.cases)


def test_sensitivity_by_volume_counts_and_draws_patients() -> None:
    """Cases of one patient are one patient: also where there are too few of them to draw."""
    sessions = {"c0": ("ours", "001", "1"), "c1": ("ours", "001", "2"), "c2": ("ours", "002", "1")}
    rows = sensitivity_by_volume(replace(B, patients=sessions))
    assert rows["patients"].max() == 2
    assert rows["n"].max() == 3
    assert rows["cluster_low"].isna().all()


def test_a_volume_at_a_limit_is_in_the_class_above_whatever_the_direction() -> None:
    """50 voxels of 1 mm³ are 0.05 cm³ in an oblique image, too, whose voxel is 0.99999998 mm³."""
    mask = np.zeros((3, 3, 60), np.uint8)
    mask[1, 1, :50] = 1
    oblique = np.diag([1, 1, 0.99999998, 1])
    case = score_masks(mask, mask, ARTICLE, affine=oblique, case="c0")
    assert case.reference[0].volume_mm3 < 50
    one = ScoredSet("SPACE", "A", Scores(ARTICLE, None, (case,), (), Pairing({})))
    rows = sensitivity_by_volume(one).set_index("from_cm3")
    assert rows.loc[rows["n"] == 1].index.tolist() == [0.05]
    large = np.zeros((5, 5, 5), np.uint8)
    large[1:4, 1:4, 1:4] = 1
    found = score_masks(large, large, BRATS_METS, affine=oblique).challenge
    assert found is not None
    assert found.large is not None
    assert found.small is None


def test_a_case_that_cannot_be_scored_on_either_side_of_a_revision_is_left_out() -> None:
    """A damaged prediction fails before and now: what is left is compared."""
    failed = (("c2", "damaged"), ("c9", "damaged"))
    before = replace(A.scores, cases=A.scores.cases[:1], failed=failed)
    values = RevisedSet(B, before, {"c0": ("1", "2"), "c9": ("1", "2")}).values()
    assert [frame.index.tolist() for frame in values] == [["c0", "c1"], ["c0", "c1"]]
    assert values[0].loc["c0", "tp"] == A.scores.cases[0].tp


def test_false_positives_per_patient() -> None:
    """One in each of three patients of B, none of A."""
    rows = false_positives([A, B]).set_index("model")
    assert rows["false_positives"].to_dict() == {"A": 0, "B": 3}
    assert rows["mean"].to_dict() == {"A": 0.0, "B": 1.0}
    assert rows["patients_without"].to_dict() == {"A": 3, "B": 0}


def test_a_table_holds_ours_and_the_paper_s_apart() -> None:
    """Means are those of the cases; the paper's are those printed; p-values are Wilcoxon's."""
    rows = score_table([A, B], "table_2")
    sensitivity = rows[rows["metric"] == "sensitivity"].set_index("model")
    assert sensitivity.loc["A", "mean"] == pytest.approx((1 / 3 + 2 / 3 + 0) / 3)
    assert sensitivity.loc["B", "mean"] == pytest.approx((2 / 3 + 1 + 1 / 3) / 3)
    assert sensitivity.loc["B", "published_mean"] == pytest.approx(0.839)
    f1 = rows[rows["metric"] == "f1"].set_index("model")
    assert f1.loc["A", "published_mean"] == pytest.approx(0.745)
    assert f1.loc["A", "published_p_value"] == pytest.approx(0.236)
    differences = [
        b.sensitivity - a.sensitivity for a, b in zip(A.scores.cases, B.scores.cases, strict=True)
    ]
    expected = wilcoxon_signed_rank(np.round(differences, 12)).p_value
    assert sensitivity.loc["B", "wilcoxon_p"] == pytest.approx(expected)
    ppv = rows[rows["metric"] == "ppv"].set_index("model")
    # A found nothing in one case: its PPV is undefined there, and that pair is left out.
    assert (ppv.loc["A", "n"], ppv.loc["A", "n_undefined"], ppv.loc["A", "n_pairs"]) == (2, 1, 2)


TABLES = ("table_2", "table_3", "table_4", "table_s1", "table_segmentation", "table_further")


def members(sets: list[ScoredSet]) -> dict[str, set[tuple[str, str]]]:
    """Test set and model of every table."""
    return {
        name: {(row.test_set, row.model) for row in score_table(sets, name).itertuples()}
        for name in TABLES
    }


def test_each_table_has_the_paper_s_models_and_test_sets_and_no_other() -> None:
    """A, B: Tables 2, 3; A to C: Table 4; A to D: S1; what the paper has not stands apart."""
    names = ("internal-HAQ", "internal-NAQ", "susm", "own")
    sets = [scored(m, [SIZES] * 3, test_set=t) for t in names for m in ("A", "B", "C", "D", "E")]
    found = members(sets)
    internal = ("internal-HAQ", "internal-NAQ")
    assert found["table_2"] == {(t, m) for t in internal for m in "AB"}
    assert found["table_3"] == {("susm", "A"), ("susm", "B")}
    assert found["table_4"] == {(t, m) for t in internal for m in "ABC"}
    assert found["table_s1"] == {(t, m) for t in internal for m in "ABCD"}
    assert found["table_segmentation"] == {("internal-HAQ", m) for m in "ABC"}
    apart = {("susm", m) for m in "CDE"} | {("own", m) for m in "ABCDE"}
    assert found["table_further"] == apart | {(t, "E") for t in internal}
    assert set(score_table(sets, "table_s1")["metric"]) == {"f1", "ppv", "sensitivity"}


def test_published_values_stand_only_beside_what_means_the_same() -> None:
    """internal-HAQ is the paper's SPACE test set; a setting A of one's own is not the paper's."""
    sets = [scored(m, [SIZES] * 3, test_set=t) for t in ("internal-HAQ", "susm") for m in "AB"]
    rows = score_table(sets, "table_2").set_index(["model", "metric"])
    assert rows.loc[("A", "f1"), "published_mean"] == pytest.approx(0.745)
    assert rows.loc[("A", "f1"), "printed_as"] == "SPACE"
    assert score_table(sets, "table_3")["published_mean"].notna().all()
    alone = score_table([sets[0]], "table_2")
    assert alone["wilcoxon_p"].isna().all()
    own = replace(sets[0], as_published=False)
    found = members([own, sets[1]])
    assert found["table_2"] == {("internal-HAQ", "B")}
    assert found["table_further"] == {("internal-HAQ", "A")}
    assert "published_mean" not in score_table([own], "table_further")
    assert [printed_name(t) for t in ("internal-NAQ", "internal-HAQ", "susm")] == [
        "MPRAGE", "SPACE", "SUSM",
    ]  # fmt: skip


def test_print_has_models_side_by_side_and_marks_what_is_missing() -> None:
    """One row a metric; an absent value is a dash and never a number."""
    table = score_table_in_print(score_rows([A, B], "table_2"), "table_2")
    assert [row.cells[0] for row in table.rows] == list(METRIC_NAMES.values())
    by_group = {
        group: [c.heading for c in table.columns if c.group == group] for group, _ in table.spans
    }
    assert [names for names in by_group.values()].count(["A", "B"]) >= 4
    assert {c.content for c in table.columns if c.group.startswith("Paper")} == {"paper"}
    assert {len(row.cells) for row in table.rows} == {len(table.columns)}
    page = as_page(table)
    assert "nan" not in page
    assert "nan" not in latex(table)
    rows = score_rows([scored("A", [SIZES], test_set="OTHER")], "table_further")
    assert "nan" not in as_page(score_table_in_print(rows, "table_further"))


def as_page(table: Table) -> str:
    return page_html("table.html", title="", intro="", tables=[table], notes=(), lists={})


def test_figures_are_the_same_bytes_and_carry_their_numbers(tmp_path: Path) -> None:
    """Twice the same SVG and PNG; test sets, models and counts are text in the SVG."""
    from cta_data.reports.figures import (
        box_figure,
        figure_bytes,
        found_alt,
        found_figure,
        sensitivity_figure,
    )
    from cta_data.scoring.models.sets import all_cases

    curves = pd.concat([sensitivity_by_volume(A), sensitivity_by_volume(B)])
    makers = {
        "boxes": lambda: box_figure(all_cases([A, B])),
        "found": lambda: found_figure(found_lesions(A, B)),
        "sensitivity": lambda: sensitivity_figure(curves),
    }
    for name, make in makers.items():
        first, second = figure_bytes(make()), figure_bytes(make())
        assert first == second, name
        assert first["png"].startswith(b"\x89PNG")
        assert "SPACE" in first["svg"].decode()
    assert "only A 0, neither" in found_alt(found_lesions(A, B))


def test_few_cases_are_points_and_no_line_crosses_an_empty_class() -> None:
    """Three cases have no quartiles to draw; a class of volume without a lesion breaks the line."""
    from matplotlib.patches import PathPatch

    from cta_data.reports.figures import box_figure, sensitivity_figure
    from cta_data.scoring.models.sets import all_cases

    cases = all_cases([A, B])
    assert cases.groupby("model").size().tolist() == [3, 3]
    few, more = box_figure(cases), box_figure(pd.concat([cases, cases]))
    boxes = [
        sum(isinstance(one, PathPatch) for axes in figure.axes for one in axes.patches)
        for figure in (few, more)
    ]
    assert boxes[0] == 0 and boxes[1] > 0
    curve = sensitivity_by_volume(B, (0.0, 0.05, 0.06, 0.07, 1.0))
    empty = (curve["n"] == 0).to_numpy()
    assert empty.any() and not empty.all()
    [line] = [one for one in sensitivity_figure(curve).axes[0].lines if one.get_marker() == "o"]
    assert np.isnan(np.asarray(line.get_ydata(), float)).tolist() == empty.tolist()
