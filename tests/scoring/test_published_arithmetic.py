"""What the page on scoring conventions shows follows from the numbers the paper printed."""

from __future__ import annotations

import csv
import importlib.util
from pathlib import Path
from types import ModuleType

import numpy as np
import pyarrow.parquet as pq
import pytest

from cta_data.scoring.paper import published_scores

REPOSITORY = Path(__file__).parents[2]
DOCS = REPOSITORY / "docs"


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, DOCS / f"{name}.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def arithmetic() -> ModuleType:
    return load("show_published_arithmetic")


@pytest.fixture(scope="module")
def paper(shared_data: Path) -> Path:
    folder = shared_data.parent / "paper"
    if not folder.is_dir():
        pytest.skip("the transcribed tables of the paper are not here")
    return folder


def test_the_shipped_scores_are_what_the_script_makes(paper: Path) -> None:
    """The committed file is what docs/make_published.py makes of the CSV files."""
    stored = pq.read_table(REPOSITORY / "manifests" / "published_scores.parquet")
    assert stored.equals(load("make_published").score_form(paper))


@pytest.mark.parametrize(
    ("file", "table"),
    [("tables_2_3.csv", None), ("table_4.csv", "table_4")],
)
def test_every_printed_score_is_there_once(paper: Path, file: str, table: str | None) -> None:
    """Each cell of the transcribed tables has one row with its value."""
    frame = published_scores().fillna({"model": ""})
    keys = ["table", "test_set", "model", "metric", "statistic"]
    stored = frame.set_index(keys)["value"]
    assert stored.index.is_unique
    with (paper / file).open(encoding="utf-8", newline="") as opened:
        for line in csv.DictReader(opened):
            name = table or f"table_{line['table']}"
            where = (name, line["test_set"], line["model"], line["metric"])
            assert stored[(*where, "mean")] == float(line["mean_percent"])
            assert stored[(*where, "sd")] == float(line["sd_percent"])
            if table is None:
                p = stored[(name, line["test_set"], "", line["metric"], "p_value")]
                assert p == float(line["p_value_a_vs_b"])


def test_one_more_value_moves_mean_and_sd_as_numpy_says(arithmetic: ModuleType) -> None:
    """The formula, against the values themselves."""
    values = np.random.default_rng(1).normal(80, 19, 14)
    found = arithmetic.with_one_more(np.mean(values), np.std(values, ddof=1), 14, 0.0)
    more = np.append(values, 0.0)
    assert found == pytest.approx((np.mean(more), np.std(more, ddof=1)))


def test_table_4_becomes_table_2_by_one_patient_with_f1_of_zero(arithmetic: ModuleType) -> None:
    """79.8 ± 19.4 of 14 patients and a zero are 74.5 ± 27.8 of 15, and no other number fits."""
    before, after = (
        tuple(arithmetic.printed(t, "SPACE", "A", "instance_f1", s) for s in ("mean", "sd"))
        for t in ("table_4", "table_2")
    )
    assert (before, after) == ((79.8, 19.4), (74.5, 27.8))
    mean, sd = arithmetic.with_one_more(*before, 14, 0.0)
    assert (round(mean, 1), round(sd, 1)) == after
    assert arithmetic.possible_with_one_more(before, after, 0.0, range(2, 60)) == [14]
    assert arithmetic.possible_with_one_more(before, after, 100.0, range(2, 60)) == []


def test_all_other_patients_are_those_of_both_tables(arithmetic: ModuleType) -> None:
    """Of models A and B on both test sets only F1 and PPV of A on SPACE differ."""
    differing = [
        (test_set, model, metric)
        for test_set in ("SPACE", "MPRAGE")
        for model in "AB"
        for metric in ("instance_f1", "instance_ppv", "instance_sensitivity")
        if arithmetic.printed("table_4", test_set, model, metric, "mean")
        != arithmetic.printed("table_2", test_set, model, metric, "mean")
    ]
    assert differing == [("SPACE", "A", "instance_f1"), ("SPACE", "A", "instance_ppv")]


def test_lesionwise_p_values_are_exact_ones(arithmetic: ModuleType) -> None:
    """All six are values of the exact distribution of 15, and none of the approximation."""
    ps = [
        arithmetic.printed("table_2", test_set, None, metric, "p_value")
        for test_set in ("SPACE", "MPRAGE")
        for metric in arithmetic.LESIONWISE
    ]
    exact, normal = arithmetic.exact_values(15), arithmetic.normal_values(15)
    assert [arithmetic.sums_that_print(p, exact) for p in ps] == [
        [55],
        [56],
        [49],
        [41],
        [34],
        [42],
    ]
    assert not any(arithmetic.sums_that_print(p, normal) for p in ps)


def test_the_page_shows_what_the_script_prints(
    arithmetic: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    """The output in the page is the output now."""
    arithmetic.main()
    page = (DOCS / "explanation" / "scoring-conventions.md").read_text("utf-8")
    assert capsys.readouterr().out.rstrip() in page
