"""Subgroups as the page of an evaluation shows them: a table a measure, models side by side."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from cta_data.reports.page import Section
from cta_data.reports.table import MISSING, Row, Table, TableColumn
from cta_data.scoring.models.subgroups import (
    ALL,
    DIFFERENCE,
    FEW_LESIONS,
    FEW_PATIENTS,
    MEASURES,
    Measure,
    level_order,
)

SMALL = "†"
SMALL_TEXT = f"{SMALL}: fewer than {FEW_PATIENTS} patients or {FEW_LESIONS} lesions."
TEXT = (
    "Lesions, cases and predicted lesions of all test sets of a model together, by what is known "
    "of patients, images and lesions. Each is in one row of each variable: the rows of a variable "
    "add up to all. A patient with several levels counts in each of them. The lower end is in "
    "a class, the upper one is not.\n\n"
    "Intervals (95 %) resample whole patients; there is none below three patients, or where "
    "patients do not differ, as where all lesions are found. p compares the known levels of a "
    "variable and stands in its first row; `unknown` is not tested. Patients are permuted among "
    "the levels, or, for what is known of lesions, the levels of lesions within each patient; Holm "
    "adjusts p for the variables of a model and table. A false positive is no lesion: there are no "
    "false positives by volume or depth."
)
OF_DIFFERENCE = (
    f" {DIFFERENCE} is in percentage points, or in false positives per case; its p is that of "
    "interaction: whether the difference of the models differs between levels. Its predicted "
    "lesions are those of both models."
)
Record = Mapping[Any, Any]


@dataclass(frozen=True)
class MeasureColumns:
    """How a measure is shown: the title of its table, the head of its estimates, its numbers."""

    title: str
    estimate: str
    shown: Callable[[float], str]
    small: str = SMALL_TEXT


def _percent(value: float) -> str:
    return _signed(f"{100 * value:.1f}")


def _number(value: float) -> str:
    return _signed(f"{value:.2f}")


def _signed(text: str) -> str:
    return text.removeprefix("-") if not text.strip("-0.") else text.replace("-", "−")


SHOWN: dict[Measure, MeasureColumns] = {
    "sensitivity": MeasureColumns(
        "Sensitivity in subgroups", "Sensitivity, % (95 % interval)", _percent
    ),
    "false_positives_per_case": MeasureColumns(
        "False positives in subgroups",
        "False positives per case (95 % interval)",
        _number,
        f"{SMALL}: fewer than {FEW_PATIENTS} patients.",
    ),
    "precision": MeasureColumns(
        "Precision in subgroups",
        "Precision (PPV), % (95 % interval)",
        _percent,
        f"{SMALL}: fewer than {FEW_PATIENTS} patients or {FEW_LESIONS} predicted lesions.",
    ),
}


def subgroup_section(frame: pd.DataFrame) -> Section:
    """Return the section of the page from what `subgroup_table` returned."""
    text = TEXT + (OF_DIFFERENCE if DIFFERENCE in set(frame["model"]) else "")
    there = set(frame["measure"])
    tables = (
        _table(frame[frame["measure"] == measure], measure) for measure in SHOWN if measure in there
    )
    return Section("Subgroups", text, tables=tuple(tables))


def _table(frame: pd.DataFrame, measure: Measure) -> Table:
    about, units = SHOWN[measure], MEASURES[measure]
    models = list(dict.fromkeys(frame["model"]))
    groups = (f"{_capital(units)} (patients)", about.estimate, "p (Holm)")
    columns = (
        TableColumn("Level", "name"),
        *(TableColumn(model, group=group) for group in groups for model in models),
    )
    by_variable: dict[str, dict[str, dict[str, Record]]] = {}
    for row in frame.to_dict("records"):
        levels = by_variable.setdefault(row["variable"], {})
        levels.setdefault(row["level"], {})[row["model"]] = row
    rows = []
    for variable, levels in by_variable.items():
        # Models that read other images have other levels, whose order is that of all.
        ordered = sorted(levels, key=level_order)
        # A test is of the variable: its model need not have a lesion at the first level.
        tests = {model: row for own in levels.values() for model, row in own.items()}
        for level in ordered:
            shown = [levels[level].get(model) for model in models]
            tested = (_p_values(tests.get(model)) for model in models)
            p_values = tested if level == ordered[0] else ("" for _ in models)
            estimates = (_estimate(row, about) for row in shown)
            cells = (level, *map(_count, shown), *estimates, *p_values)
            rows.append(Row(cells, group="" if variable == ALL else _capital(variable)))
    caption = f"{about.small} {MISSING}: no such {units}, or no test, as of one known level."
    return Table(columns, tuple(rows), about.title, caption)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _count(row: Record | None) -> str:
    if row is None:
        return MISSING
    return f"{row['units']} ({row['patients']}){SMALL if row['is_small'] else ''}"


def _estimate(row: Record | None, about: MeasureColumns) -> str:
    if row is None or math.isnan(row["estimate"]):
        return MISSING
    text, low, high = (about.shown(row[name]) for name in ("estimate", "low", "high"))
    # An interval without width would look like certainty.
    if math.isnan(row["low"]) or row["low"] == row["high"]:
        return text
    between = " to " if row["model"] == DIFFERENCE else "–"
    return f"{text} ({low}{between}{high})"


def _p_values(row: Record | None) -> str:
    if row is None or math.isnan(row["p"]):
        return MISSING
    return f"{row['p']:.3g} ({row['holm_p']:.3g})"
