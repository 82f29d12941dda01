"""Table 1 as it is printed: lines in groups, and three texts a population that are never mixed."""

from __future__ import annotations

import math
from dataclasses import dataclass

import pandas as pd

from cta_data.reports.table_1.rows import LINES, Line

MISSING = "—"


@dataclass(frozen=True)
class Cell:
    """One line of one population; `published` and `difference` are empty without the paper's."""

    ours: str
    published: str = ""
    difference: str = ""


@dataclass(frozen=True)
class Population:
    """One population: its name, and whether the paper has figures of it."""

    name: str
    is_published: bool


@dataclass(frozen=True)
class WideTable:
    """Lines with a cell for every population, in the order of `populations`."""

    populations: tuple[Population, ...]
    lines: tuple[tuple[Line, tuple[Cell, ...]], ...]


def wide_table(frame: pd.DataFrame) -> WideTable:
    """Lay the long form of `population_table` out for print.

    Lines that only matter where something is missing are left out where nothing is.
    """
    names = list(dict.fromkeys(frame["population"]))
    values = {name: mine.set_index("row") for name, mine in frame.groupby("population", sort=False)}
    populations = tuple(
        Population(str(name), bool(values[name]["published"].notna().any())) for name in names
    )
    lines = []
    for line in LINES:
        if line.optional and not (frame.loc[frame["row"].isin(line.rows), "ours"] > 0).any():
            continue
        cells = tuple(_cell(line, values[one.name], one.is_published) for one in populations)
        lines.append((line, cells))
    return WideTable(populations, tuple(lines))


def _cell(line: Line, values: pd.DataFrame, is_published: bool) -> Cell:
    ours = _numbers(line, values["ours"])
    published = _numbers(line, values["published"])
    if not is_published:
        return Cell(_text(line, ours, form=ours))
    return Cell(
        _text(line, ours, form=published),
        _text(line, published, form=published, exact=True),
        _text(
            line,
            [mine - theirs for mine, theirs in zip(ours, published, strict=True)],
            form=published,
            sign="+",
        ),
    )


def _numbers(line: Line, column: pd.Series) -> list[float]:
    return [float(column.get(row, math.nan)) for row in line.rows]


def _text(
    line: Line, numbers: list[float], *, form: list[float], sign: str = "", exact: bool = False
) -> str:
    """Write the numbers of a line, in the form that the paper (or `form`) has them in."""
    if math.isnan(numbers[0]):
        return MISSING
    centre, *rest = (_number(value, line.decimals, sign, exact) for value in numbers)
    if line.kind == "count":
        return centre
    if line.kind == "mean_sd":
        return f"{centre} ± {rest[0]}" if not sign else f"{centre} (SD {rest[0]})"
    if math.isnan(form[1]) and len(form) > 3 and not math.isnan(form[3]):
        return f"{centre} ± {rest[2]}" if not sign else f"{centre} (SD {rest[2]})"
    if sign:
        return f"{centre} ({rest[0]}, {rest[1]})"
    return f"{centre} ({rest[0]}–{rest[1]})"


def _number(value: float, decimals: int, sign: str, exact: bool) -> str:
    """Write a number; what the paper printed keeps every decimal that it was printed with."""
    if math.isnan(value):
        return MISSING
    text = f"{value:{sign}.{decimals}f}"
    if exact:
        text = max(text, f"{value:.6g}", key=len) if float(text) != value else text
    if decimals == 1:
        text = text.removesuffix(".0")
    if float(text) == 0:
        text = text.replace("-", "").replace("+", "")
    return text.replace("-", "−")
