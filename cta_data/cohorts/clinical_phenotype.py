"""A clinical table in the form in which it leaves the raw data: the columns that its card lists."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from cta_data.cohorts.clinical_rows import KeyedTable, matching_columns

LEVELS_UP_TO = 20
"""Columns with no more texts than this are told by listing them."""
_OURS = ("participant_id", "session_id")


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
    """

    name: str
    header: str
    levels: tuple[str, ...] | None


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


def make_phenotype(table: KeyedTable) -> Phenotype:
    """Return the columns of a table that its card publishes, without those that name patients.

    Columns without any cell are left out. A column names patients if it is their key, or if each
    of its cells holds the row's own identifier, as names of files do.
    """
    columns = table.sheet.columns
    names = {table.positions[field] for field in ("subject",) if field in table.positions}
    names |= {i for i in range(len(columns)) if _names_patients(table, i)}
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


def _column(table: KeyedTable, position: int) -> PhenotypeColumn:
    column = table.sheet.columns[position]
    name = f"source_{column.name}" if column.name.casefold() in _OURS else column.name
    levels = sorted({row.cells[position] for row in table.rows} - {""})
    few = len(levels) <= LEVELS_UP_TO
    return PhenotypeColumn(name, column.header, tuple(levels) if few else None)


def _names_patients(table: KeyedTable, position: int) -> bool:
    """Tell whether every cell of a column holds the identifier of its row.

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
