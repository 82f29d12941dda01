"""A table as it is printed, and its writers: terminal, CSV, HTML (`page`) and LaTeX (`latex`).

The same content gives the same bytes.
"""

from __future__ import annotations

import math
import re
import textwrap
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import groupby
from typing import TYPE_CHECKING, Literal

from rich.table import Table as RichTable

if TYPE_CHECKING:
    import pandas as pd

MISSING = "—"


def number_text(value: float | None, decimals: int) -> str:
    """Return a number as a cell shows it; the sign for missing where it is None or NaN."""
    return MISSING if value is None or math.isnan(value) else f"{value:.{decimals}f}"


GAP = 2
"""Blanks between two columns on a terminal."""
LEAST_GROUP = 24
"""Letters of a line that the heading of a group of rows has on a terminal, or more."""
Content = Literal["name", "text", "number", "paper"]
"""What a column holds: `name` heads its rows, `paper` is what the paper printed; names and texts
stand on the left, all others on the right."""
NOTHING = frozenset(["", "0", "0.000", MISSING])
"""Texts that a column is left out for, where it has no other."""


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
    """A row: a text a column, the group of rows that it is in, the section that it links to.

    `marks` are names and values that a page's filters know it by. `files` are names of files and
    the links to them, which a page shows in place of the last cell's text.
    """

    cells: tuple[str, ...]
    group: str = ""
    link: str = ""
    is_warning: bool = False
    marks: tuple[tuple[str, str], ...] = ()
    files: tuple[tuple[str, str], ...] = ()


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
    is_sortable
        Whether a page lets its readers sort it.
    """

    columns: tuple[TableColumn, ...]
    rows: tuple[Row, ...]
    title: str = ""
    caption: str = ""
    notes: tuple[str, ...] = ()
    is_sortable: bool = False

    @property
    def slug(self) -> str:
        """Title as the target of a link: lower-case letters, digits and hyphens."""
        return slug_of(self.title)

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


def slug_of(text: str) -> str:
    """Return a text as the target of a link: lower-case letters, digits and hyphens."""
    return "-".join(re.findall(r"[a-z0-9]+", text.lower()))


def without_empty_columns(table: Table) -> Table:
    """Return the table without columns that say nothing in any row, and name those of zeros.

    Columns that head rows stay.
    """
    kept, zeros = [], []
    for number, column in enumerate(table.columns):
        texts = {row.cells[number] for row in table.rows}
        if column.content == "name" or not texts <= NOTHING:
            kept.append(number)
        elif texts & {"0", "0.000"}:
            zeros.append(f"{column.group}: {column.heading}".removeprefix(": "))
    notes = (f"All zero, and not shown: {', '.join(zeros)}.",) if zeros else ()
    return replace(with_columns(table, kept), notes=(*table.notes, *notes))


def csv_text(frame: pd.DataFrame) -> str:
    """Return a DataFrame as CSV, one line a row, empty where there is no value."""
    return frame.to_csv(index=False, lineterminator="\n")


def terminal_tables(table: Table, width: int) -> Iterator[RichTable]:
    """Yield the table in parts that fit so many letters, split between groups of columns.

    Every part has the columns that are in no group, which are the first. A group that does not fit
    beside them is split, and each of its parts has its heading.
    """
    if not table.spans:
        yield _terminal_table(table)
        return
    names, *spans = column_numbers(table)
    most = width + GAP  # there is none after the last column
    room = most - sum(_letters(table, number) for number in names)
    pieces = [piece for span in spans for piece in _pieces(table, span, room)]
    for numbers in fitting_columns(names, pieces, partial(_letters, table), most):
        yield _terminal_table(with_columns(table, numbers))


def _pieces(table: Table, span: Sequence[int], room: int) -> list[list[int]]:
    """Return the columns of a group in as few parts as fit the room; each has a column."""
    parts: list[list[int]] = []
    used = room
    for number in span:
        needed = _letters(table, number)
        if not parts or used + needed > room:
            parts.append([])
            used = 0
        parts[-1].append(number)
        used += needed
    return parts


def fitting_columns(
    names: Sequence[int],
    groups: Iterable[Sequence[int]],
    width_of: Callable[[int], float],
    most: float,
) -> list[list[int]]:
    """Return columns in parts that fit a width: groups beside each other, each part after `names`.

    Parameters
    ----------
    width_of
        Width of a column, in the unit of `most`.
    """
    label = sum(map(width_of, names))
    parts: list[list[int]] = []
    used = most
    for numbers in groups:
        needed = sum(map(width_of, numbers))
        if not parts or used + needed > most:
            parts.append(list(names))
            used = label
        parts[-1] += numbers
        used += needed
    return parts


def column_numbers(table: Table) -> list[list[int]]:
    """Return the numbers of the columns of each group, of those in none first."""
    numbers = iter(range(len(table.columns)))
    return [[next(numbers) for _ in range(width)] for _, width in table.spans]


def _letters(table: Table, number: int) -> int:
    """Return the letters that a column takes on a terminal, with the gap beside it."""
    column = table.columns[number]
    if number == 0:
        lines = [line for name, _ in table.groups for line in _group_lines(table, name)]
        texts = [*map(_first_cell, table.rows), *lines]
    else:
        texts = [row.cells[number] for row in table.rows]
    return max(map(len, (column.heading, *texts, *column.group.split()))) + GAP


def _first_cell(row: Row) -> str:
    """Return the first cell as a terminal shows it: indented below the heading of its group."""
    return f"  {row.cells[0]}" if row.group else row.cells[0]


def _group_lines(table: Table, name: str) -> list[str]:
    """Return the heading of a group of rows in lines that hardly widen the first column."""
    texts = [table.columns[0].heading, *map(_first_cell, table.rows)]
    return textwrap.wrap(name, max(LEAST_GROUP, *map(len, texts)), break_long_words=False)


def with_columns(table: Table, numbers: Sequence[int]) -> Table:
    """Return the table with only these of its columns."""
    rows = tuple(replace(row, cells=tuple(row.cells[n] for n in numbers)) for row in table.rows)
    return replace(table, columns=tuple(table.columns[n] for n in numbers), rows=rows)


def _terminal_table(table: Table) -> RichTable:
    made = RichTable(
        box=None, title=table.title, title_justify="left", pad_edge=False, padding=(0, 1)
    )
    group = ""
    for number, column in enumerate(table.columns):
        # The heading of a group goes on in lines below, and does not widen its first column.
        shown = column.group if column.group != group else ""
        group = column.group
        above = textwrap.wrap(shown, _letters(table, number) - GAP) or [""] * bool(column.group)
        heading = "\n".join((*above, column.heading))
        made.add_column(heading, justify="left" if column.is_left else "right", no_wrap=True)
    for name, rows in table.groups:
        if name:
            made.add_row("\n".join(_group_lines(table, name)))
        for row in rows:
            made.add_row(_first_cell(row), *row.cells[1:])
    return made
