"""Tables 2 to 4 and S1 of the paper, and Figure 5 in numbers, as they are printed.

One row a metric; the models stand side by side, and what the paper printed in columns of its own.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from functools import partial

import pandas as pd

from cta_data.reports.names import METRIC_NAMES, name_of_test_set
from cta_data.reports.table import (
    MISSING,
    Content,
    Row,
    Table,
    TableColumn,
    without_empty_columns,
)
from cta_data.scoring.models.score_table import TITLES, PairedTest, PublishedScore, ScoreRow
from cta_data.scoring.paper import PAIR, PAPER_CITATION
from cta_data.scoring.summary import Summary

MOST_LETTERS = 2
"""Of a table's number in the paper; others have a name alone."""
MEAN, MEDIAN = "Mean ± SD, %", "Median (Q1–Q3), %"
TESTS = "B against A: p"
FOUND = {
    "test_set": TableColumn("Test set", "name"),
    "patients": TableColumn("patients", group="Number of"),
    "cases": TableColumn("cases", group="Number of"),
    "cases_left_out": TableColumn("cases left out", group="Number of"),
    "lesions": TableColumn("lesions", group="Number of"),
    "both": TableColumn("A and B", group="Lesions found by"),
    "B only": TableColumn("only B", group="Lesions found by"),
    "A only": TableColumn("only A", group="Lesions found by"),
    "none": TableColumn("neither", group="Lesions found by"),
    "additional_per_patient": TableColumn("per patient", group="B beyond A"),
    "patients_b_finds_more": TableColumn("patients with more by B", group="B beyond A"),
    "patients_a_finds_more": TableColumn("patients with more by A", group="B beyond A"),
    "published_b_only": TableColumn("only B", "paper", group="Paper"),
    "published_a_only": TableColumn("only A", "paper", group="Paper"),
    "published_additional_per_patient": TableColumn("per patient", "paper", group="Paper"),
}
Cell = Callable[[dict[str, ScoreRow]], str]
READING = (
    "n is the number of scored cases. SD has n − 1, quartiles are linear; cases in which a metric "
    "is undefined are counted and left out, and so are cases with a reference that were not "
    "scored. Every model read images of its own technique, and is judged on their grid. p: "
    "Wilcoxon’s signed-rank test of B against A is paired and primary; Holm adjusts it for the "
    "metrics of the test set; Mann–Whitney takes the same cases as unpaired."
)


def reading(convention: str) -> tuple[str, str]:
    """Return what has to be known to read any of the tables, and what “paper” is."""
    return f"Scored by the convention “{convention}”. {READING}", f"Paper: {PAPER_CITATION}."


def score_table_in_print(rows: Sequence[ScoreRow], name: str) -> Table:
    """Return the table of that name, from its rows: one line a test set and metric."""
    number = name.removeprefix("table_").upper()
    title = f"Table {number}. {TITLES[name]}" if len(number) <= MOST_LETTERS else TITLES[name]
    models = sorted({row.model for row in rows})
    by_line: dict[tuple[str, str], dict[str, ScoreRow]] = {}
    for row in rows:
        by_line.setdefault((row.test_set, row.metric), {})[row.model] = row
    about = {test_set: _about(own) for test_set, own in _by_test_set(rows).items()}
    columns = [*_columns(rows, models)]
    lines = [
        Row((METRIC_NAMES[metric], *(cell(own) for _, cell in columns)), group=about[test_set])
        for (test_set, metric), own in sorted(by_line.items(), key=_order(by_line))
    ]
    heads = (TableColumn("Metric", "name"), *(column for column, _ in columns))
    table = Table(heads, tuple(lines), title, _caption(rows))
    return without_empty_columns(table)


def _order(by_line: dict[tuple[str, str], dict[str, ScoreRow]]) -> Callable[..., tuple[int, int]]:
    """Return the order of lines: test sets and metrics as they come first."""
    test_sets = list(dict.fromkeys(test_set for test_set, _ in by_line))
    metrics = list(METRIC_NAMES)
    return lambda item: (test_sets.index(item[0][0]), metrics.index(item[0][1]))


def _by_test_set(rows: Sequence[ScoreRow]) -> dict[str, list[ScoreRow]]:
    found: dict[str, list[ScoreRow]] = {}
    for row in rows:
        found.setdefault(row.test_set, []).append(row)
    return found


def _about(rows: Sequence[ScoreRow]) -> str:
    """Return the heading of a test set, with the number of its scored cases."""
    counts = {row.model: row.summary.n + row.summary.n_undefined for row in rows}
    same = len(set(counts.values())) == 1
    told = set(counts.values()) if same else [f"{n} ({model})" for model, n in counts.items()]
    return f"{name_of_test_set(rows[0].test_set)}, n = {', '.join(map(str, told))}"


def _columns(rows: Sequence[ScoreRow], models: Sequence[str]) -> list[tuple[TableColumn, Cell]]:
    """Return the columns after the metric, each with what it shows of a line."""
    columns: list[tuple[TableColumn, Cell]] = []
    if any(row.summary.n_undefined for row in rows):
        columns += _per_model(models, "Undefined", lambda row: str(row.summary.n_undefined))
    if any(row.n_not_scored for row in rows):
        columns += _per_model(models, "Not scored", lambda row: str(row.n_not_scored))
    has_paper = rows[0].published is not None
    columns += _per_model(models, MEAN, lambda row: _mean(row.summary))
    if has_paper:
        columns += _per_model(models, f"Paper: {MEAN}", lambda row: _mean(row.published), "paper")
    columns += _tests(rows[0])
    columns += _per_model(models, MEDIAN, lambda row: _median(row.summary))
    if has_paper:
        group = f"Paper: {MEDIAN}"
        columns += _per_model(models, group, lambda row: _median(row.published), "paper")
    return columns


def _tests(first: ScoreRow) -> Iterator[tuple[TableColumn, Cell]]:
    """Yield the columns of p-values, where models are tested."""
    shown: dict[str, Callable[[PairedTest], str]] = {
        "pairs": lambda test: str(test.n_pairs or 0),
        "Wilcoxon": lambda test: _p(test.wilcoxon_p),
        "Holm": lambda test: _p(test.holm_p),
        "Mann–Whitney": lambda test: _p(test.mann_whitney_p),
    }
    for name, text in shown.items() if first.test else ():
        yield TableColumn(name, group=TESTS), _cell(PAIR[1], partial(_tested, text))
    if first.published_p_value is not None:
        paper = TableColumn("paper", "paper", group=TESTS)
        yield paper, _cell(PAIR[1], lambda row: _p(row.published_p_value))


def _tested(text: Callable[[PairedTest], str], row: ScoreRow) -> str:
    return text(row.test) if row.test else MISSING


def _per_model(
    models: Sequence[str], group: str, text: Callable[[ScoreRow], str], content: Content = "number"
) -> list[tuple[TableColumn, Cell]]:
    return [(TableColumn(model, content, group=group), _cell(model, text)) for model in models]


def _cell(model: str, text: Callable[[ScoreRow], str]) -> Cell:
    return lambda own: text(own[model]) if model in own else MISSING


def found_table_in_print(frame: pd.DataFrame) -> Table:
    """Return what `found_instances` counted."""
    caption = (
        "Reference lesions that model A, model B, both or neither found. B beyond A, per patient: "
        "lesions that B alone found less those that A alone found, over all patients of the test "
        "set. Patients who were not scored for both models are left out. The paper gives no "
        "lesions that both or neither found."
    )
    rows = tuple(
        Row(tuple(_count(name, row[name]) for name in FOUND)) for row in frame.to_dict("records")
    )
    title = "Figure 5 in numbers: lesions found by model A and model B"
    return without_empty_columns(Table(tuple(FOUND.values()), rows, title, caption))


def _count(name: str, value: object) -> str:
    if name == "test_set":
        return name_of_test_set(str(value))
    if isinstance(value, float):
        places = 3 if "per_patient" in name else 0
        return MISSING if math.isnan(value) else f"{value:.{places}f}".replace("-", "−")
    return str(value)


def _mean(score: Summary | PublishedScore | None) -> str:
    """Return mean ± SD in percent; the mean alone where there is no SD."""
    if score is None or math.isnan(score.mean):
        return MISSING
    return _percent(score.mean) + ("" if math.isnan(score.sd) else f" ± {_percent(score.sd)}")


def _median(score: Summary | PublishedScore | None) -> str:
    """Return the median with quartiles, in percent."""
    values = (score.median, score.q1, score.q3) if score else (math.nan,)
    if any(map(math.isnan, values)):
        return MISSING
    median, low, high = map(_percent, values)
    return f"{median} ({low}–{high})"


def _percent(value: float) -> str:
    return f"{100 * value:.1f}"


def _p(value: float | None) -> str:
    """Return a p-value with three digits that count, as the paper prints its own."""
    return MISSING if value is None or math.isnan(value) else f"{value:.3g}"


def _caption(rows: Sequence[ScoreRow]) -> str:
    parts = []
    if not rows[0].published:
        parts.append("What the paper printed of it, if anything, does not come with the package.")
    read = dict.fromkeys((row.model, row.technique) for row in rows if row.technique)
    if read:
        models = "; ".join(f"{model} read {technique}" for model, technique in sorted(read))
        parts.append(f"Technique of the images: {models}.")
    return " ".join(parts)
