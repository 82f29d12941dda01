"""A table as it is printed, and its writers: terminal, CSV, HTML (`page`) and LaTeX.

The same content gives the same bytes.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Literal

import pandas as pd
from rich.table import Table as RichTable

MISSING = "—"
GAP = 2
"""Blanks between two columns on a terminal."""
Content = Literal["name", "text", "number", "ours", "paper", "difference"]
"""What a column holds: `name` heads its rows; ours, the paper's and the difference are told apart;
names and texts stand on the left, all others on the right."""
LATEX_TEXT = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": "$<$",
    "–": "--",
    "—": "---",
    "−": "$-$",
    "±": r"$\pm$",
    "³": "$^3$",
    "“": "``",
    "”": "''",
}


@dataclass(frozen=True)
class TableColumn:
    """A column: its name and unit, what it holds, and the heading that it shares with others."""

    name: str
    content: Content = "number"
    unit: str = ""
    group: str = ""

    @property
    def heading(self) -> str:
        """Name, with the unit where there is one."""
        return f"{self.name}, {self.unit}" if self.unit else self.name

    @property
    def is_left(self) -> bool:
        """Whether its texts stand on the left."""
        return self.content in ("name", "text")


@dataclass(frozen=True)
class Row:
    """A row: a text a column, the group of rows that it is in, the section that it links to."""

    cells: tuple[str, ...]
    group: str = ""
    link: str = ""
    is_warning: bool = False


@dataclass(frozen=True)
class Table:
    """A table of texts.

    Attributes
    ----------
    columns, rows
        Every row has a cell for each column. Neighbours of one group stand under its heading.
    title, caption
        Name, and what has to be known to read it.
    notes
        Lines below it.
    """

    columns: tuple[TableColumn, ...]
    rows: tuple[Row, ...]
    title: str = ""
    caption: str = ""
    notes: tuple[str, ...] = ()

    @property
    def spans(self) -> list[tuple[str, int]]:
        """Groups of neighbouring columns and how many columns each has; empty without groups."""
        runs = groupby(self.columns, key=lambda column: column.group)
        spans = [(group, len(list(own))) for group, own in runs]
        return spans if any(group for group, _ in spans) else []

    @property
    def groups(self) -> list[tuple[str, list[Row]]]:
        """Groups of neighbouring rows."""
        return [(group, list(own)) for group, own in groupby(self.rows, key=lambda row: row.group)]


def table_of_frame(frame: pd.DataFrame, title: str = "") -> Table:
    """Return a DataFrame as texts: three decimals, a dash where there is no value."""
    columns = tuple(TableColumn(str(name)) for name in frame)
    texts = [[_text(value) for value in frame[name]] for name in frame]
    return Table(columns, tuple(Row(cells) for cells in zip(*texts, strict=True)), title)


def _text(value: object) -> str:
    if value is None or value is pd.NA or (isinstance(value, float) and math.isnan(value)):
        return MISSING
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def csv_text(frame: pd.DataFrame) -> str:
    """Return a DataFrame as CSV, one line a row, empty where there is no value."""
    return frame.to_csv(index=False, lineterminator="\n")


def latex(table: Table, comments: Iterable[str] = ()) -> str:
    r"""Return a `tabular` for `\input`, with the rules of the package booktabs.

    Parameters
    ----------
    comments
        First lines, as they are.
    """
    alignment = "".join("l" if column.is_left else "r" for column in table.columns)
    lines = [
        *(f"% {comment}" for comment in comments),
        rf"\begin{{tabular}}{{{alignment}}}",
        r"\toprule",
        *_latex_spans(table),
        _latex_row(column.heading for column in table.columns),
        r"\midrule",
    ]
    for number, (group, rows) in enumerate(table.groups):
        if group:
            lines += [r"\addlinespace"] if number else []
            name = rf"\textbf{{{latex_text(group)}}}"
            lines.append(rf"\multicolumn{{{len(table.columns)}}}{{l}}{{{name}}} \\")
        indent = r"\quad " if group else ""
        lines += [indent + _latex_row(row.cells) for row in rows]
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}", ""])


def _latex_row(texts: Iterable[str]) -> str:
    return " & ".join(map(latex_text, texts)) + r" \\"


def _latex_spans(table: Table) -> list[str]:
    """Return the headings of groups of columns, and the rules below them."""
    cells, rules, first = [], [], 1
    for group, width in table.spans:
        if group:
            cells.append(rf"\multicolumn{{{width}}}{{c}}{{{latex_text(group)}}}")
            rules.append(rf"\cmidrule(lr){{{first}-{first + width - 1}}}")
        else:
            cells += [""] * width
        first += width
    return [" & ".join(cells) + r" \\", "".join(rules)] if cells else []


def latex_text(text: str) -> str:
    """Return a text with what LaTeX takes for commands escaped."""
    return "".join(LATEX_TEXT.get(letter, letter) for letter in text)


def terminal_tables(table: Table, width: int) -> Iterator[RichTable]:
    """Yield the table in parts that fit so many letters, split between groups of columns.

    Every part has the columns that are in no group, which are the first.
    """
    if not table.spans:
        yield _terminal_table(table)
        return
    names, *spans = _column_numbers(table)
    label = sum(_letters(table, number) for number in names)
    parts: list[list[int]] = []
    used = width
    for numbers in spans:
        needed = sum(_letters(table, number) for number in numbers)
        if not parts or used + needed > width:
            parts.append(list(names))
            used = label + len("  ")
        parts[-1] += numbers
        used += needed
    for numbers in parts:
        yield _terminal_table(_with_columns(table, numbers))


def _column_numbers(table: Table) -> list[list[int]]:
    """Return the numbers of the columns of each group, of those in none first."""
    numbers = iter(range(len(table.columns)))
    return [[next(numbers) for _ in range(width)] for _, width in table.spans]


def _letters(table: Table, number: int) -> int:
    texts = [table.columns[number].heading, *(row.cells[number] for row in table.rows)]
    return max(map(len, texts)) + GAP


def _with_columns(table: Table, numbers: Sequence[int]) -> Table:
    rows = tuple(replace(row, cells=tuple(row.cells[n] for n in numbers)) for row in table.rows)
    return replace(table, columns=tuple(table.columns[n] for n in numbers), rows=rows)


def _terminal_table(table: Table) -> RichTable:
    made = RichTable(
        box=None, title=table.title, title_justify="left", pad_edge=False, padding=(0, 1)
    )
    group = ""
    for column in table.columns:
        named = f"{column.group if column.group != group else ''}\n{column.heading}"
        group = column.group
        heading = named if column.group else column.heading
        made.add_column(heading, justify="left" if column.is_left else "right", no_wrap=True)
    for name, rows in table.groups:
        if name:
            made.add_row(name)
        for row in rows:
            made.add_row(f"  {row.cells[0]}" if name else row.cells[0], *row.cells[1:])
    return made
