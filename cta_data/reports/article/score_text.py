"""Score tables for print: ours and the paper's in columns of their own."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from cta_data.reports.article.text_table import (
    MISSING,
    TextTable,
    table_page,
    table_section,
    table_tex,
)
from cta_data.scoring.models.paper_order import PAIR
from cta_data.scoring.models.score_table import TITLES

METRIC_NAMES = {
    "f1": "F1 (instances)",
    "ppv": "PPV (instances)",
    "sensitivity": "Sensitivity (instances)",
    "lesionwise_dice": "Lesion-wise Dice",
    "lesionwise_ppv": "Lesion-wise PPV",
    "lesionwise_sensitivity": "Lesion-wise sensitivity",
}
HEAD = (
    "Test set",
    "Metric",
    "Model",
    "n",
    "undefined",
    "not scored",
    "mean ± SD, %",
    "median (Q1–Q3), %",
)
PUBLISHED = ("paper: mean ± SD, %", "paper: median (Q1–Q3), %")
TESTS = ("n pairs", "p Wilcoxon", "p Holm", "p Mann–Whitney")
MOST_LETTERS = 2
"""Of a table's number in the paper; others have a name alone."""
TEST_COLUMNS = ("wilcoxon_p", "holm_p", "mann_whitney_p")
PUBLISHED_P = "paper: p"


def printed_rows(frame: pd.DataFrame) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Return the head and the rows of a score table as texts."""
    published, tests = "published_mean" in frame, "n_pairs" in frame
    published_p = "published_p_value" in frame
    rows = []
    for row in frame.to_dict("records"):
        texts = [
            set_name(row),
            METRIC_NAMES[row["metric"]],
            str(row["model"]),
            str(row["n"]),
            str(row["n_undefined"]),
            str(row["n_not_scored"]),
            _spread(row, ""),
            _quartiles(row, ""),
        ]
        texts += [_spread(row, "published_"), _quartiles(row, "published_")] if published else []
        # The test is of two models: it stands with the second.
        second = row["model"] == PAIR[1]
        texts += (_tests(row) if second else [""] * len(TESTS)) if tests else []
        texts += ([_p(row["published_p_value"])] if second else [""]) if published_p else []
        rows.append(tuple(texts))
    head = HEAD + (PUBLISHED if published else ()) + (TESTS if tests else ())
    return head + ((PUBLISHED_P,) if published_p else ()), rows


def set_name(row: Mapping[Any, Any]) -> str:
    """Return the test set, with the paper's name where that is another."""
    name, paper = str(row["test_set"]), row["printed_as"]
    return name if not isinstance(paper, str) or paper == name.upper() else f"{name} ({paper})"


def score_html(frame: pd.DataFrame, name: str, convention: str, notice: str = "") -> str:
    """Return a page of its own for one table; `notice` is a line that it begins with."""
    return table_page(_text_table(frame, name, convention), notice)


def score_section(frame: pd.DataFrame, name: str, convention: str) -> str:
    """Return the table alone, to be part of a page."""
    return table_section(_text_table(frame, name, convention))


def score_latex(frame: pd.DataFrame, name: str, convention: str) -> str:
    """Return the table as LaTeX with booktabs' rules."""
    return table_tex(_text_table(frame, name, convention))


def _text_table(frame: pd.DataFrame, name: str, convention: str) -> TextTable:
    head, rows = printed_rows(frame)
    number = name.removeprefix("table_").upper()
    title = f"Table {number}. {TITLES[name]}" if len(number) <= MOST_LETTERS else TITLES[name]
    return TextTable(title, _caption(frame, convention), head, tuple(rows), n_names=3)


def _caption(frame: pd.DataFrame, convention: str) -> str:
    told = (
        f"Scored by the convention “{convention}”. SD has n − 1, quartiles are linear; cases in "
        "which a metric is undefined are counted and left out, and so are cases with a reference "
        "that were not scored."
    )
    if "published_mean" in frame:
        told += " Columns named paper are what the paper printed."
    else:
        told += " What the paper printed of it, if anything, does not come with the package."
    read = frame.dropna(subset=["technique"]).drop_duplicates(["model", "technique"])
    if len(read):
        models = "; ".join(
            f"{m} read {t}" for m, t in zip(read["model"], read["technique"], strict=True)
        )
        told += (
            f" Every model read images of its own technique, and is judged on their grid: {models}."
        )
    if "n_pairs" in frame:
        told += (
            " Wilcoxon's signed-rank test of B against A is paired and primary; Holm adjusts it "
            "for the metrics of the test set; Mann–Whitney takes the same cases as unpaired."
        )
    return told


def _spread(row: Mapping[Any, Any], prefix: str) -> str:
    mean, sd = row[f"{prefix}mean"], row[f"{prefix}sd"]
    if math.isnan(mean):
        return MISSING
    return f"{100 * mean:.1f} ± {MISSING if math.isnan(sd) else f'{100 * sd:.1f}'}"


def _quartiles(row: Mapping[Any, Any], prefix: str) -> str:
    values = [row[f"{prefix}{name}"] for name in ("median", "q1", "q3")]
    if any(math.isnan(value) for value in values):
        return MISSING
    median, low, high = (f"{100 * value:.1f}" for value in values)
    return f"{median} ({low}–{high})"


def _tests(row: Mapping[Any, Any]) -> list[str]:
    pairs = row.get("n_pairs", pd.NA)
    values = (row.get(name, math.nan) for name in TEST_COLUMNS)
    return [MISSING if pd.isna(pairs) else str(pairs), *map(_p, values)]


def _p(value: float) -> str:
    """Return a p-value with three digits that count, as the paper prints its own."""
    return MISSING if math.isnan(value) else f"{value:.3g}"
