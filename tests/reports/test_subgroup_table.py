"""Subgroups and surface distances as the page shows them."""

from __future__ import annotations

import math

import pandas as pd

from cta_data.reports.count_tables import surface_table
from cta_data.reports.figures.sensitivity import class_labels
from cta_data.reports.subgroup_table import SMALL, subgroup_section
from cta_data.reports.table import MISSING, Table
from cta_data.scoring.models.subgroups import ALL, DIFFERENCE


def subgroup(model: str, variable: str, level: str, p: float = math.nan, **more: object) -> dict:
    """A row of 20 lesions of 10 patients, 15 of them detected."""
    counts = {"patients": 10, "units": 20, "count": 15, "is_small": False}
    counts |= {"measure": "sensitivity"}
    figures = {"estimate": 0.75, "low": 0.6, "high": 0.9, "p": p, "holm_p": p}
    return {"model": model, "variable": variable, "level": level, **counts, **figures, **more}


def shown(*rows: dict) -> Table:
    [table] = subgroup_section(pd.DataFrame(rows)).tables
    return table


def cells_of(table: Table, level: str) -> dict[tuple[str, str], str]:
    """Return the cells of a level by the groups and names of columns."""
    [row] = [one for one in table.rows if one.cells[0] == level]
    names = [(column.group, column.name) for column in table.columns]
    return dict(zip(names, row.cells, strict=True))


def test_a_test_is_shown_whatever_levels_its_model_has() -> None:
    """C has no lesion at the first level of all; its p stands in the first row with the others."""
    table = shown(
        *(subgroup("A", "sex", level, 0.5) for level in ("female", "male")),
        *(subgroup("C", "sex", level, 0.25) for level in ("male", "unknown")),
    )
    assert [row.cells[0] for row in table.rows] == ["female", "male", "unknown"]
    first, second = cells_of(table, "female"), cells_of(table, "male")
    assert first["p (Holm)", "C"] == "0.25 (0.25)" and first["p (Holm)", "A"] == "0.5 (0.5)"
    assert first["Lesions (patients)", "C"] == MISSING
    assert second["p (Holm)", "C"] == "" and second["Lesions (patients)", "C"] == "20 (10)"


def test_levels_of_all_models_are_in_one_order() -> None:
    """A class that only the second model has is not behind the unknown ones of the first."""
    table = shown(
        *(subgroup("A", "age (years)", level) for level in ("60–70", "unknown")),
        *(subgroup("C", "age (years)", level) for level in ("0–50", "≥ 70")),
    )
    assert [row.cells[0] for row in table.rows] == ["0–50", "60–70", "≥ 70", "unknown"]


def test_an_interval_without_width_is_not_shown() -> None:
    """All patients alike: resamples cannot differ, and that is no certainty."""
    table = shown(
        subgroup("A", ALL, ALL),
        subgroup("A", "sex", "male", estimate=1.0, low=1.0, high=1.0, is_small=True),
        subgroup("A", "sex", "female", low=math.nan, high=math.nan),
        subgroup(DIFFERENCE, "sex", "male", estimate=0.1, low=-0.05, high=0.2),
    )
    group = "Sensitivity, % (95 % interval)"
    assert cells_of(table, ALL)[group, "A"] == "75.0 (60.0–90.0)"
    male = cells_of(table, "male")
    assert male[group, "A"] == "100.0" and male["Lesions (patients)", "A"] == f"20 (10){SMALL}"
    assert male[group, DIFFERENCE] == "10.0 (−5.0 to 20.0)"
    assert cells_of(table, "female")[group, "A"] == "75.0"
    assert SMALL in table.caption and MISSING in table.caption


def test_numbers_of_lesions_are_those_of_each_model() -> None:
    """On the grid of another technique a lesion may be in another class: both numbers stand."""
    rows = [
        {"model": model, "from_cm3": low, "to_cm3": high, "n": n}
        for model, counts in (("C", (3, 1)), ("A", (2, 1)))
        for (low, high), n in zip(((0.5, 1.0), (1.0, math.inf)), counts, strict=True)
    ]
    assert class_labels(pd.DataFrame(rows)) == ["0.5–1\n2/3", "≥ 1\n1"]


def test_cases_without_surface_distances_are_counted() -> None:
    """Cases with an empty mask are told; where all are such there is no number, and a row."""
    about = {"test_set": "susm", "of": "whole masks", "measure": "hausdorff_mm"}
    ends = {"cluster_low": 1.0, "cluster_high": 3.0}
    known = {"mean": 2.0, "sd": 1.0, "median": 2.0, "q1": 1.5, "q3": 2.5, **ends}
    nothing = dict.fromkeys(known, math.nan)
    frame = pd.DataFrame(
        [
            {**about, "model": "A", "n": 6, "n_undefined": 1, **known},
            {**about, "model": "B", "n": 7, "n_undefined": 0, **known},
            {**about, "model": "C", "n": 0, "n_undefined": 7, **nothing},
        ]
    )
    table = surface_table(frame)
    [row] = table.rows
    assert row.group == "SUSM: whole masks"
    cells = {(c.group, c.name): text for c, text in zip(table.columns, row.cells, strict=True)}
    assert [cells["n", model] for model in "ABC"] == ["6 of 7", "7", "0 of 7"]
    assert (cells["Mean", "A"], cells["Median (Q1–Q3)", "A"]) == ("2.00", "2.00 (1.50–2.50)")
    assert not any(cells.get((group, "C"), MISSING) != MISSING for group in ("Mean", "Median"))
