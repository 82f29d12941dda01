"""Subgroups as the page of an evaluation shows them: a table a measure, models side by side."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from cta_data.reports.page import Section
from cta_data.reports.table import MISSING, Row, Table, TableColumn
from cta_data.scoring.models.subgroups import ALL, DIFFERENCE, FEW_PATIENTS, FEW_UNITS, Measure

SMALL = "†"
TEXT = (
    "Lesions and cases of all test sets of a model together, by what is known of patients, images "
    "and lesions. Each is in one row of a variable, so that its rows add up to all of them; "
    "`unknown` is not tested. Intervals of 95 %: whole patients are resampled. p: patients are "
    "permuted among the levels, or, of what is known of lesions, the levels of lesions within each "
    "patient; Holm adjusts it for the variables of a model and table. For the column "
    f"{DIFFERENCE}, the test is one of interaction: whether the difference of the models differs "
    "between levels. False positives have no lesion, and so no volume or depth of one."
)
Record = Mapping[Any, Any]


@dataclass(frozen=True)
class MeasureTable:
    """How a measure is shown: title, its columns, and what rows are marked as small."""

    title: str
    units: str
    estimate: str
    shown: Callable[[float], str]
    small: str


def _percent(value: float) -> str:
    return f"{100 * value:.1f}".replace("-", "−")


def _number(value: float) -> str:
    return f"{value:.2f}".replace("-", "−")


TABLES: dict[Measure, MeasureTable] = {
    "sensitivity": MeasureTable(
        "Sensitivity in subgroups",
        "Lesions (patients)",
        "Sensitivity, % (95 % interval)",
        _percent,
        f"fewer than {FEW_PATIENTS} patients or {FEW_UNITS} lesions",
    ),
    "false_positives_per_case": MeasureTable(
        "False positives in subgroups",
        "Cases (patients)",
        "False positives per case (95 % interval)",
        _number,
        f"fewer than {FEW_PATIENTS} patients",
    ),
    "precision": MeasureTable(
        "Precision in subgroups",
        "Predicted lesions (patients)",
        "Precision (PPV), % (95 % interval)",
        _percent,
        f"fewer than {FEW_PATIENTS} patients or {FEW_UNITS} predicted lesions",
    ),
}


def subgroup_section(frame: pd.DataFrame) -> Section:
    """Return the section of the page from what `subgroup_table` returned."""
    tables = (
        _table(frame[frame["measure"] == measure], about) for measure, about in TABLES.items()
    )
    return Section("Subgroups", TEXT, tables=tuple(table for table in tables if table.rows))


def _table(frame: pd.DataFrame, about: MeasureTable) -> Table:
    models = list(dict.fromkeys(frame["model"]))
    groups = (about.units, about.estimate, "p (Holm)")
    columns = (
        TableColumn("Level", "name"),
        *(TableColumn(model, group=group) for group in groups for model in models),
    )
    lines: dict[tuple[str, str], dict[str, Record]] = {}
    for row in frame.to_dict("records"):
        lines.setdefault((row["variable"], row["level"]), {})[row["model"]] = row
    first = {variable: level for variable, level in reversed(lines)}
    # Models need not have the same levels: all rows of a variable belong together.
    order = list(dict.fromkeys(variable for variable, _ in lines))
    rows = []
    for (variable, level), own in sorted(lines.items(), key=lambda item: order.index(item[0][0])):
        shown = [own.get(model) for model in models]
        cells = [
            *(_count(row) for row in shown),
            *(_estimate(row, about) for row in shown),
            *(_p_values(row) if level == first[variable] else "" for row in shown),
        ]
        whole = about.units.split(" (")[0].lower()
        names = (level, variable) if variable != ALL else (f"all {whole}",) * 2
        rows.append(Row((names[0], *cells), group=names[1]))
    return Table(columns, tuple(rows), about.title, f"{SMALL}: {about.small}.")


def _count(row: Record | None) -> str:
    if row is None:
        return MISSING
    return f"{row['units']} ({row['patients']}){SMALL if row['is_small'] else ''}"


def _estimate(row: Record | None, about: MeasureTable) -> str:
    if row is None or math.isnan(row["estimate"]):
        return MISSING
    low, high = row["low"], row["high"]
    ends = "" if math.isnan(low) else f" ({about.shown(low)}–{about.shown(high)})"
    return about.shown(row["estimate"]) + ends


def _p_values(row: Record | None) -> str:
    if row is None or math.isnan(row["p"]):
        return MISSING
    return f"{row['p']:.3g} ({row['holm_p']:.3g})"
