"""What two models found: per lesion, patient and test set, beside the paper's counts, by hand."""

from __future__ import annotations

import csv
import importlib.util
import math
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from cta_data.reports.article import found_table_in_print, score_table_in_print
from cta_data.reports.latex import latex
from cta_data.reports.page import page_html
from cta_data.scoring import ARTICLE, score_masks
from cta_data.scoring.collection import Pairing, Scores
from cta_data.scoring.models import (
    ScoredSet,
    found_by_patient,
    found_instances,
    found_lesions,
    score_table,
)
from cta_data.scoring.models.score_table import score_rows
from cta_data.scoring.paper import in_paper_order, published_found_instances

REPOSITORY = Path(__file__).parents[2]
PLACES = (2, 10, 20, 30)


def bars(*places: int, shift: int = 0) -> np.ndarray:
    """Bars of four voxels, one a place."""
    mask = np.zeros((4, 12, 40), np.uint8)
    for place in places:
        row = 2 * PLACES.index(place) + 1
        mask[2, row, place + shift : place + shift + 4] = 1
    return mask


def model(
    name: str,
    cases: dict[str, tuple[tuple[int, ...], np.ndarray]],
    test_set: str = "SPACE",
    without: tuple[str, ...] = (),
) -> ScoredSet:
    """Scores of predicted masks against references with bars at those places."""
    scores = tuple(
        score_masks(bars(*places), mask, ARTICLE, case=case)
        for case, (places, mask) in cases.items()
    )
    return ScoredSet(test_set, name, Scores(ARTICLE, None, scores, (), Pairing({}, without)))


# c0: four lesions; A finds the first two, B the second and third, none the last.
# c1: no lesion in the reference. c2: B predicts beside the lesion, and finds nothing.
A = model("A", {"c0": (PLACES, bars(2, 10)), "c1": ((), bars(2)), "c2": ((2,), bars(2))})
B = model("B", {"c0": (PLACES, bars(10, 20)), "c1": ((), bars()), "c2": ((2,), bars(2, shift=5))})


def test_every_lesion_is_told_by_who_found_it() -> None:
    """Lesion by lesion, by the reference's numbers; a shifted prediction found nothing."""
    told = found_lesions(A, B).set_index(["case", "reference_lesion"])["found"].to_dict()
    assert told == {
        ("c0", 1): "A only",
        ("c0", 2): "both",
        ("c0", 3): "B only",
        ("c0", 4): "none",
        ("c2", 1): "A only",
    }


def test_patients_add_up_to_the_test_set() -> None:
    """One row a patient, also one without lesions; each kind's sum is that of the test set."""
    rows = found_by_patient(A, B).set_index("case")
    assert rows["lesions"].to_dict() == {"c0": 4, "c1": 0, "c2": 1}
    kinds = ["both", "B only", "A only", "none"]
    assert rows.loc["c0", kinds].tolist() == [1, 1, 1, 1]
    assert rows.loc["c2", kinds].tolist() == [0, 0, 1, 0]
    [told] = found_instances([A, B]).to_dict("records")
    assert (told["cases"], told["cases_left_out"], told["lesions"]) == (3, 0, 5)
    assert [told[kind] for kind in kinds] == rows[kinds].sum().tolist()
    assert sum(told[kind] for kind in kinds) == told["lesions"]
    assert (told["patients_a_finds_more"], told["patients_b_finds_more"]) == (1, 0)
    # Of three patients: one lesion more by B, two more by A.
    assert told["additional_per_patient"] == pytest.approx((1 - 2) / 3)


def test_patients_of_one_model_only_are_counted_as_left_out() -> None:
    """A case that one model failed on, or has no prediction for, is not compared, and is told."""
    less = model("B", {"c0": (PLACES, bars(10, 20))}, without=("c2", "c3"))
    [told] = found_instances([A, less]).to_dict("records")
    assert (told["cases"], told["cases_left_out"], told["lesions"]) == (1, 3, 4)


def test_without_a_lesion_or_a_case_in_common_there_are_zeros() -> None:
    """No crash and no invented number."""
    empty = [model(name, {"c1": ((), bars())}) for name in "AB"]
    [told] = found_instances(empty).to_dict("records")
    assert (told["cases"], told["lesions"], told["both"]) == (1, 0, 0)
    other = model("B", {"c9": ((2,), bars(2))})
    [told] = found_instances([A, other]).to_dict("records")
    assert (told["cases"], told["cases_left_out"], told["lesions"]) == (0, 4, 0)


def test_the_paper_s_counts_stand_beside_ours_by_any_spelling() -> None:
    """`ynhh` has 100 and 19, internal-HAQ 6 and 0; others have none, and so has another model B."""
    sets = [
        model(name, {"c0": ((2,), bars(2))}, test_set=test_set)
        for test_set in ("own", "internal-HAQ", "ynhh")
        for name in "ABC"
    ]
    rows = found_instances(sets).set_index("test_set")
    assert rows.index.tolist() == ["internal-HAQ", "ynhh", "own"]
    assert rows.loc["ynhh", ["published_b_only", "published_a_only"]].tolist() == [100, 19]
    assert rows.loc["internal-HAQ", ["published_b_only", "published_a_only"]].tolist() == [6, 0]
    additional = rows["published_additional_per_patient"]
    assert additional[["ynhh", "internal-HAQ"]].tolist() == [0.405, 0.4]
    own = [replace(one, as_published=False) for one in sets]
    assert found_instances(own)["published_b_only"].isna().all()
    assert rows.loc["own", ["published_b_only", "published_a_only"]].isna().all()
    assert rows["both"].tolist() == [1, 1, 1]  # the paper's counts are not among ours
    others = found_instances(sets, ("A", "C"))
    assert others["published_b_only"].isna().all() and others["published_a_only"].isna().all()


def test_print_has_the_paper_s_columns_apart() -> None:
    """HTML and LaTeX; a number that the paper does not print is a dash."""
    sets = [model(n, {"c0": ((2,), bars(2))}, test_set=t) for t in ("own", "susm") for n in "AB"]
    table = found_table_in_print(found_instances(sets))
    assert table.rows[0].cells[-3:] == ("120", "32", "0.840")
    assert table.rows[1].cells[-3:] == ("—", "—", "—")
    page = page_html("table.html", title="", intro="", tables=[table], notes=(), lists={})
    assert "nan" not in page + latex(table)
    assert len(re.findall(r'<td class="paper[ "]', page)) == 6


def test_shipped_counts_are_the_paper_s(shared_data: Path) -> None:
    """Every cell of the transcribed table, and the file is what the script makes of it."""
    path = shared_data.parent / "paper" / "found_instances.csv"
    if not path.is_file():
        pytest.skip("the transcribed tables of the paper are not here")
    with path.open(encoding="utf-8", newline="") as file:
        expected = {
            (line["test_set"], name): int(line[f"found_only_by_{name.lower()}"])
            for line in csv.DictReader(file)
            for name in "AB"
        }
    frame = published_found_instances()
    assert frame.set_index(["test_set", "found_only_by"])["lesions"].to_dict() == expected
    script = REPOSITORY / "docs" / "make_published.py"
    spec = importlib.util.spec_from_file_location("make_published_found", script)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    stored = pq.read_table(REPOSITORY / "manifests" / "published_found_instances.parquet")
    assert stored.equals(module.found_form(path))


def test_test_sets_have_one_order_in_all_tables() -> None:
    """MPRAGE before SPACE, then the external ones as the paper has them, then others by name."""
    names = ("MPRAGE", "SPACE", "UKHD", "UMMC", "own", "SUSM", "YNHH")
    sets = [model(n, {"c0": ((2,), bars(2))}, test_set=t) for t in names for n in "ABC"]
    orders = {
        name: list(dict.fromkeys(score_table(sets, name)["test_set"]))
        for name in ("table_2", "table_3", "table_s1")
    }
    assert orders["table_2"] == ["MPRAGE", "SPACE"]
    assert orders["table_3"] == ["SUSM", "YNHH", "UMMC", "UKHD"]
    assert orders["table_s1"] == ["MPRAGE", "SPACE"]
    further = list(dict.fromkeys(score_table(sets, "table_further")["test_set"]))
    assert further == ["SUSM", "YNHH", "UMMC", "UKHD", "own"]
    assert in_paper_order(["b", "SUSM", "a", "b"]) == ["SUSM", "a", "b"]


def test_rows_tell_cases_without_a_score_and_p_values_as_printed() -> None:
    """n + undefined + not scored are all references; the paper's 0.0277 is not rounded away."""
    less = model("A", {"c0": (PLACES, bars(2, 10)), "c1": ((), bars(2))}, without=("c2",))
    rows = score_table([less, B], "table_2")
    total = rows["n"] + rows["n_undefined"] + rows["n_not_scored"]
    assert set(total) == {3}
    sensitivity = rows[(rows["metric"] == "sensitivity") & (rows["model"] == "A")].iloc[0]
    assert (sensitivity["n"], sensitivity["n_undefined"], sensitivity["n_not_scored"]) == (1, 1, 1)
    table = score_table_in_print(score_rows([less, B], "table_2"), "table_2")
    head = [(column.group, column.heading) for column in table.columns]
    by_metric = {row.cells[0]: dict(zip(head, row.cells, strict=True)) for row in table.rows}
    told = by_metric["Sensitivity (instances)"]
    test = next(group for group, heading in head if heading == "pairs")
    assert (told[test, "pairs"], told[test, "paper"]) == ("1", "0.0277")
    assert (told["Undefined", "A"], told["Not scored", "A"]) == ("1", "1")
    assert rows["n_pairs"].dtype == pd.Int64Dtype()
    alone = score_table([B], "table_2")
    table = score_table_in_print(score_rows([B], "table_2"), "table_2")
    assert "Wilcoxon" not in [column.heading for column in table.columns]
    assert not math.isnan(alone["published_p_value"].iloc[0])
