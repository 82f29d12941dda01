"""Subgroups as the page of an evaluation shows them: models side by side."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from cta_data.reports.page import Section
from cta_data.reports.table import MISSING, Row, Table, TableColumn
from cta_data.scoring.models.subgroups import DIFFERENCE, FEW_LESIONS, FEW_PATIENTS

SMALL = "†"
TEXT = (
    "Lesions of all test sets of a model together, by what is known of patients, images and "
    "lesions. A lesion is in one row of each variable, so that its rows add up to all lesions; "
    "`unknown` is not tested. Intervals of 95 %: whole patients are resampled. p: patients are "
    "permuted among the levels, or, of what is known of lesions, the levels of lesions within each "
    "patient; Holm adjusts it for the variables of a model. For the column "
    f"{DIFFERENCE}, the test is one of interaction: whether the difference of the models differs "
    "between levels. False positives are not part of this, since they have no level of their own."
)
CAPTION = f"{SMALL}: fewer than {FEW_PATIENTS} patients or {FEW_LESIONS} lesions."
Record = Mapping[Any, Any]


def subgroup_section(frame: pd.DataFrame) -> Section:
    """Return the section of the page from what `subgroup_table` returned."""
    return Section("Subgroups", TEXT, tables=(_table(frame),))


def _table(frame: pd.DataFrame) -> Table:
    models = list(dict.fromkeys(frame["model"]))
    groups = ("Lesions (patients)", "Sensitivity, % (95 % interval)", "p (Holm)")
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
            *(_estimate(row) for row in shown),
            *(_p_values(row) if level == first[variable] else "" for row in shown),
        ]
        rows.append(Row((level, *cells), group=variable))
    return Table(columns, tuple(rows), "Sensitivity in subgroups", CAPTION)


def _count(row: Record | None) -> str:
    if row is None:
        return MISSING
    return f"{row['lesions']} ({row['patients']}){SMALL if row['is_small'] else ''}"


def _estimate(row: Record | None) -> str:
    if row is None or math.isnan(row["estimate"]):
        return MISSING
    ends = "" if math.isnan(row["low"]) else f" ({_percent(row['low'])}–{_percent(row['high'])})"
    return _percent(row["estimate"]) + ends


def _p_values(row: Record | None) -> str:
    if row is None or math.isnan(row["p"]):
        return MISSING
    return f"{row['p']:.3g} ({row['holm_p']:.3g})"


def _percent(value: float) -> str:
    return f"{100 * value:.1f}".replace("-", "−")
