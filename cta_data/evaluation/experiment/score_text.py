"""Score tables for print: ours and the paper's in columns of their own."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from cta_data.evaluation.experiment.paper_order import PAIR
from cta_data.evaluation.experiment.score_table import TITLES
from cta_data.evaluation.experiment.text_table import (
    MISSING,
    TextTable,
    table_page,
    table_section,
    table_tex,
)

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
    "paper: mean ± SD, %",
    "paper: median (Q1–Q3), %",
)
TESTS = ("n pairs", "p Wilcoxon", "p Holm", "p Mann–Whitney", "paper: p")
TEST_COLUMNS = ("wilcoxon_p", "holm_p", "mann_whitney_p", "published_p_value")


def printed_rows(frame: pd.DataFrame) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Return the head and the rows of a score table as texts."""
    tests = "published_p_value" in frame
    rows = []
    for row in frame.to_dict("records"):
        texts = [
            str(row["test_set"]),
            METRIC_NAMES[row["metric"]],
            str(row["model"]),
            str(row["n"]),
            str(row["n_undefined"]),
            str(row["n_not_scored"]),
            _spread(row, ""),
            _quartiles(row, ""),
            _spread(row, "published_"),
            _quartiles(row, "published_"),
        ]
        if tests:
            # The test is of two models: it stands with the second.
            texts += _tests(row) if row["model"] == PAIR[1] else [""] * len(TESTS)
        rows.append(tuple(texts))
    return (HEAD + TESTS if tests else HEAD), rows


def score_html(frame: pd.DataFrame, name: str, convention: str) -> str:
    """Return a page of its own for one table; nothing is loaded from elsewhere."""
    return table_page(_text_table(frame, name, convention))


def score_section(frame: pd.DataFrame, name: str, convention: str) -> str:
    """Return the table alone, to be part of a page."""
    return table_section(_text_table(frame, name, convention))


def score_latex(frame: pd.DataFrame, name: str, convention: str) -> str:
    """Return the table as LaTeX with booktabs' rules."""
    return table_tex(_text_table(frame, name, convention))


def _text_table(frame: pd.DataFrame, name: str, convention: str) -> TextTable:
    head, rows = printed_rows(frame)
    title = f"{name.replace('_', ' ').capitalize().replace('s1', 'S1')}. {TITLES[name]}"
    caption = _caption(convention, tests=TESTS[0] in head)
    return TextTable(title, caption, head, tuple(rows), n_names=3)


def _caption(convention: str, *, tests: bool) -> str:
    told = (
        f"Scored by the convention “{convention}”. SD has n − 1, quartiles are linear; cases in "
        "which a metric is undefined are counted and left out, and so are cases with a reference "
        "that were not scored. Columns named paper are what the paper printed."
    )
    if not tests:
        return told
    return (
        f"{told} Wilcoxon's signed-rank test of B against A is paired and primary; Holm adjusts it "
        "for the metrics of the test set; Mann–Whitney takes the same cases as unpaired."
    )


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
