"""What an evaluation counted, as its page shows it: models side by side, without raw names."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from cta_data.reports.names import SURFACE_NAMES, name_of_test_set, volume_class
from cta_data.reports.table import (
    MISSING,
    Row,
    Table,
    TableColumn,
    number_text,
    without_empty_columns,
)
from cta_data.scoring.paper import in_paper_order

Record = Mapping[Any, Any]
Shown = Mapping[str, Callable[[Record], str]]
"""Headings that models share, and what is shown below each of a model's record."""
TEST_SET = TableColumn("Test set", "name")


def found_by_table(frame: pd.DataFrame) -> Table:
    """Return what `found_by_models` counted: one row a test set and group of models."""
    columns = (
        TEST_SET,
        *(TableColumn(name, "text") for name in ("Models", "Found by")),
        TableColumn("Lesions"),
    )
    rows = tuple(
        Row(
            (name_of_test_set(row["test_set"]), row["models"], row["found_by"], str(row["lesions"]))
        )
        for row in _ordered(frame)
    )
    caption = "Every lesion of a test set once, by the models that found it."
    return Table(columns, rows, "Lesions by the models that found them", caption, is_sortable=True)


def sensitivity_table(frame: pd.DataFrame) -> Table:
    """Return what `sensitivity_by_volume` found: one row a test set and class of volume."""
    shown: Shown = {
        "Detected": lambda row: f"{row['detected']} of {row['n']}",
        "Sensitivity, % (Wilson)": lambda row: _with_interval(
            row["sensitivity"], row, "low", "high"
        ),
        "95 % interval by patients": lambda row: _interval(row, "cluster_low", "cluster_high"),
    }
    caption = (
        "95 % intervals: Wilson’s takes lesions as independent; the other is a bootstrap of "
        "patients, since lesions of one patient are alike; there is none below three patients, or "
        "where patients do not differ. Classes without a lesion are left out."
    )
    filled = frame[frame["n"] > 0]
    lines = _side_by_side(filled, ["test_set", "from_cm3", "to_cm3"], shown)
    rows = tuple(
        Row((volume_class(low, high), *cells), name_of_test_set(test_set))
        for (test_set, low, high), cells in lines
    )
    columns = _columns(TableColumn("Volume", "name", "cm³"), filled, shown)
    title = "Sensitivity by lesion volume, in numbers"
    return without_empty_columns(Table(columns, rows, title, caption))


def surface_table(frame: pd.DataFrame) -> Table:
    """Return what `surface_figures` found: one row a measure of what was measured in a test set."""
    shown: Shown = {
        "n": _known_of_all,
        "Mean": lambda row: number_text(row["mean"], 2),
        "95 % interval by patients": _plain_interval,
        "Median (Q1–Q3)": _median,
    }
    rows = tuple(
        Row((SURFACE_NAMES[measure], *cells), f"{name_of_test_set(test_set)}: {of}")
        for (test_set, of, measure), cells in _side_by_side(
            frame, ["test_set", "of", "measure"], shown
        )
    )
    caption = (
        "n is the number of detected lesions, or of cases; a case with an empty mask has no "
        "distances, and then n is what is left of all. Elements of the surface count by their "
        "area. Surface Dice is the normalised one, from 0 to 1. Different models detect different "
        "lesions, so their means over lesions are not of the same ones."
    )
    columns = _columns(TableColumn("Measure", "name"), frame, shown)
    return without_empty_columns(Table(columns, rows, "Surface distances", caption))


def _known_of_all(row: Record) -> str:
    n, undefined = row["n"], row["n_undefined"]
    return f"{n} of {n + undefined}" if undefined else str(n)


def _median(row: Record) -> str:
    if math.isnan(row["median"]):
        return MISSING
    return f"{row['median']:.2f} ({row['q1']:.2f}–{row['q3']:.2f})"


def false_positive_table(frame: pd.DataFrame) -> Table:
    """Return what `false_positives` counted: one row a test set."""
    shown: Shown = {
        "False positives": lambda row: str(row["false_positives"]),
        "Per case: mean ± SD": lambda row: _mean(row["mean"], row["sd"]),
        "Median": lambda row: f"{row['median']:g}",
        "Most in a case": lambda row: str(row["most"]),
        "Cases without": lambda row: str(row["patients_without"]),
    }
    rows = tuple(
        Row((name_of_test_set(test_set), *cells))
        for (test_set,), cells in _side_by_side(frame, ["test_set"], shown)
    )
    columns = _columns(TEST_SET, frame, shown)
    caption = "Lesions of a prediction that match none of the reference."
    title = "False positives, in numbers"
    return without_empty_columns(Table(columns, rows, title, caption))


def example_table(frame: pd.DataFrame) -> Table:
    """Return the selected examples: one row a lesion, with what it is to each model."""
    key = ["test_set", "rule", "case", "origin", "lesion", "volume_cm3"]
    lines = _side_by_side(frame, key, {"Is": _what_it_is})
    rows = tuple(
        Row(
            (name_of_test_set(test_set), *_of_lesion(rule, case, origin, lesion, volume), *cells),
        )
        for (test_set, rule, case, origin, lesion, volume), cells in lines
    )
    columns = (
        TEST_SET,
        *(TableColumn(name, "text") for name in ("Chosen as", "Case", "Lesion")),
        TableColumn("Volume", unit="cm³"),
        *(TableColumn(f"Model {model}", "text") for model in _models(frame)),
    )
    return Table(columns, rows, "Selected examples, in numbers", is_sortable=True)


def case_table(frame: pd.DataFrame) -> Table:
    """Return where the cases of each model and test set went."""
    names = {"test_set": TEST_SET, "model": TableColumn("Model", "text")}
    headings = {
        "technique": TableColumn("Read", "text"),
        "left_out": TableColumn("Left out on purpose"),
        "references": TableColumn("Cases with a reference"),
    }
    columns = {
        name: (names | headings).get(name, TableColumn(name.replace("_", " ").capitalize()))
        for name in map(str, frame)
    }
    rows = tuple(
        Row((name_of_test_set(row["test_set"]), *(str(row[n]) for n in columns if n != "test_set")))
        for row in _ordered(frame)
    )
    caption = "Every case with a reference is scored, or in one of the other columns."
    table = Table(tuple(columns.values()), rows, "Cases of models and test sets", caption)
    return without_empty_columns(table)


def key_table(cases: pd.DataFrame) -> Table:
    """Return the three numbers that matter, by test set.

    Parameters
    ----------
    cases
        One row a scored case: columns test_set, model, fp and the metrics.
    """
    shown: Shown = {
        "Sensitivity, %": lambda row: _percent(row["sensitivity"]),
        "False positives per case": lambda row: f"{row['fp']:.1f}",
        "Lesion-wise Dice, %": lambda row: _percent(row["lesionwise_dice"]),
    }
    by = cases.groupby(["test_set", "model"], as_index=False)
    means = by[["sensitivity", "fp", "lesionwise_dice"]].mean()
    counts = cases.groupby("test_set")["case"].nunique()
    rows = tuple(
        Row((name_of_test_set(test_set), str(counts[test_set]), *cells))
        for (test_set,), cells in _side_by_side(means, ["test_set"], shown)
    )
    columns = _columns(TEST_SET, means, shown)
    caption = "Means over the cases of a test set; of each number, the models side by side."
    all_columns = (columns[0], TableColumn("Cases"), *columns[1:])
    return Table(all_columns, rows, "By test set", caption)


def _columns(first: TableColumn, frame: pd.DataFrame, shown: Shown) -> tuple[TableColumn, ...]:
    models = _models(frame)
    return (first, *(TableColumn(model, group=group) for group in shown for model in models))


def _side_by_side(
    frame: pd.DataFrame, key: list[str], shown: Shown
) -> Iterator[tuple[tuple[Any, ...], list[str]]]:
    """Yield each value of a key with what is shown of each model; a dash where it has no row."""
    models = _models(frame)
    lines: dict[tuple[Any, ...], dict[str, Record]] = {}
    for row in _ordered(frame):
        lines.setdefault(tuple(row[name] for name in key), {})[row["model"]] = row
    for values, own in lines.items():
        yield (
            values,
            [
                text(own[model]) if model in own else MISSING
                for text in shown.values()
                for model in models
            ],
        )


def _models(frame: pd.DataFrame) -> list[str]:
    return sorted(set(frame["model"]))


def _ordered(frame: pd.DataFrame) -> Sequence[Record]:
    """Return rows in the one order of test sets."""
    ranks = {name: number for number, name in enumerate(in_paper_order(frame["test_set"]))}
    ordered = frame.sort_values("test_set", key=lambda names: names.map(ranks), kind="stable")
    return ordered.to_dict("records")


def _what_it_is(row: Record) -> str:
    known = not math.isnan(row["dice"])
    return f"{row['label']}, Dice {row['dice']:.2f}" if known else str(row["label"])


def _of_lesion(
    rule: str, case: str, origin: str, lesion: int, volume: float
) -> tuple[str, str, str, str]:
    whose = "the reference" if origin == "reference" else f"model {origin}"
    return rule, case, f"{lesion} of {whose}", f"{volume:.3f}"


def _percent(value: float) -> str:
    return MISSING if math.isnan(value) else f"{100 * value:.1f}"


def _mean(mean: float, sd: float) -> str:
    return f"{mean:.1f}" if math.isnan(sd) else f"{mean:.1f} ± {sd:.1f}"


def _interval(row: Record, low: str, high: str) -> str:
    if not _has_ends(row, low, high):
        return MISSING
    return f"{_percent(row[low])}–{_percent(row[high])}"


def _plain_interval(row: Record) -> str:
    low, high = "cluster_low", "cluster_high"
    return f"{row[low]:.2f}–{row[high]:.2f}" if _has_ends(row, low, high) else MISSING


def _has_ends(row: Record, low: str, high: str) -> bool:
    """Tell whether an interval says anything: one without width would look like certainty."""
    return bool(row[low] < row[high])


def _with_interval(value: float, row: Record, low: str, high: str) -> str:
    return f"{_percent(value)} ({_interval(row, low, high)})"
