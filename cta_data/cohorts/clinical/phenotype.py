"""A clinical table in the form in which it leaves the raw data: the columns that its card lists."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from cta_data.cohorts.clinical.keyed_rows import KeyedTable, matching_columns
from cta_data.cohorts.clinical.vocabulary import fold

LEVELS_UP_TO = 20
"""Columns with no more texts than this are told by listing them."""
_OURS = ("participant_id", "session_id")
AGE = re.compile(r"(?:^|[^a-z])(?:age|alter|âge|edad|età|idade)(?:[^a-z]|$)")
"""Recognises the header of a column of ages, in lower case."""
NAME = re.compile(
    r"(?:(?:patient|patients|patienten|pat)[ _.-]*)?"
    r"(?:(?:sur|last|first|full|given|family|vor|nach)[ _-]*)?name"
    r"|(?:pré)?nom|(?:cog)?nome|apellidos?|nombre"
)
"""Recognises the header of a column of names."""


@dataclass(frozen=True)
class PhenotypeColumn:
    """A column of the table.

    Attributes
    ----------
    name
        Unique in the table, and neither `participant_id` nor `session_id`.
    header
        The header as the source has it.
    levels
        The texts that stand in it, sorted; None where there are many.
    is_age
        Whether it holds ages.
    """

    name: str
    header: str
    levels: tuple[str, ...] | None
    is_age: bool = False


@dataclass(frozen=True)
class PhenotypeRow:
    """The cells of one row, and whose it is; an empty text is a value that was not given."""

    source_id: str
    session: str
    values: tuple[str, ...]


@dataclass(frozen=True)
class Phenotype:
    """What goes to `phenotype/<name>.tsv` and its JSON.

    Attributes
    ----------
    rows
        In the order of the sheet.
    withheld
        Names of columns that stay with the raw data: the card does not list them, or they name
        patients.
    """

    name: str
    columns: tuple[PhenotypeColumn, ...]
    rows: tuple[PhenotypeRow, ...]
    withheld: tuple[str, ...]

    def sidecar(self) -> dict[str, Any]:
        """Return the JSON that describes every column."""
        described: dict[str, Any] = {}
        for column in self.columns:
            described[column.name] = {
                "Description": f"Column {column.header!r} of the table as it is distributed"
            }
            if column.levels is not None:
                described[column.name]["Levels"] = {level: level for level in column.levels}
        return described

    def with_cells(self, cell: Callable[[PhenotypeRow, PhenotypeColumn, str], str]) -> Phenotype:
        """Return the table with other texts in its cells, and the levels that follow from them."""
        rows = tuple(
            replace(
                row,
                values=tuple(
                    cell(row, column, text)
                    for column, text in zip(self.columns, row.values, strict=True)
                ),
            )
            for row in self.rows
        )
        columns = tuple(
            replace(column, levels=tuple(sorted({row.values[i] for row in rows} - {""})))
            if column.levels is not None
            else column
            for i, column in enumerate(self.columns)
        )
        return replace(self, columns=columns, rows=rows)

    def with_headers(self, header: Callable[[str], str]) -> Phenotype:
        """Return the table with other headers; a column whose header changes is only numbered."""
        columns = tuple(
            replace(column, name=f"column_{number}", header=header(column.header))
            if header(column.header) != column.header
            else column
            for number, column in enumerate(self.columns, start=1)
        )
        return replace(self, columns=columns)


def make_phenotype(table: KeyedTable) -> Phenotype:
    """Return the columns of a table that its card publishes, without those that name patients.

    Columns without any cell are left out. A column names patients if it is their key, if its header
    says so (`NAME`), or if each of its cells holds the row's own identifier, as names of files do.
    """
    columns = table.sheet.columns
    names = {table.positions[field] for field in ("subject",) if field in table.positions}
    names |= {i for i in range(len(columns)) if _names_patients(table, i)}
    names |= _columns_of_names(table)
    published = set(matching_columns(table.sheet, table.card.publish)) - names
    filled = [i for i in range(len(columns)) if any(row.cells[i] for row in table.rows)]
    kept = [i for i in filled if i in published]
    return Phenotype(
        table.card.name,
        tuple(_column(table, i) for i in kept),
        tuple(
            PhenotypeRow(row.source_id, row.session, tuple(row.cells[i] for i in kept))
            for row in table.rows
        ),
        tuple(columns[i].name for i in filled if i not in published),
    )


def named_people(table: KeyedTable) -> frozenset[str]:
    """Return the names in a table's columns of names, published or not."""
    columns = _columns_of_names(table)
    return frozenset(row.cells[i] for row in table.rows for i in columns if row.cells[i])


def _columns_of_names(table: KeyedTable) -> set[int]:
    return {i for i, one in enumerate(table.sheet.columns) if NAME.fullmatch(fold(one.header))}


def _column(table: KeyedTable, position: int) -> PhenotypeColumn:
    column = table.sheet.columns[position]
    name = f"source_{column.name}" if column.name.casefold() in _OURS else column.name
    levels = sorted({row.cells[position] for row in table.rows} - {""})
    few = len(levels) <= LEVELS_UP_TO
    is_age = table.positions.get("age_years") == position or bool(AGE.search(fold(column.header)))
    return PhenotypeColumn(name, column.header, tuple(levels) if few else None, is_age)


def _names_patients(table: KeyedTable, position: int) -> bool:
    """Return whether every cell of a column holds the identifier of its row.

    Of at least two patients: a number may stand in a row with the same number once.
    """
    subject = table.positions.get("subject")
    if subject is None:
        return False
    given = [row for row in table.rows if row.cells[position]]
    return len({row.source_id for row in given}) > 1 and all(
        _holds(row.cells[position], row.cells[subject])
        or _holds(row.cells[position], row.source_id)
        for row in given
    )


def _holds(text: str, identifier: str) -> bool:
    return bool(re.search(rf"(?<![^\W_]){re.escape(identifier)}(?![^\W_])", text))
