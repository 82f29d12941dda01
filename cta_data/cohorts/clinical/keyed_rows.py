"""Rows of a clinical table with whose they are, and what kept others from being used."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from cta_data.cohorts.clinical.card import ClinicalTable
from cta_data.cohorts.clinical.sheets import Sheet
from cta_data.patterns import search

SECOND = "_fallback"
"""Ends what the column of a field's fallback is called among the positions of a table."""
Kind = Literal[
    "no_file",
    "several_files",
    "unreadable",
    "no_column",
    "several_columns",
    "no_key",
    "duplicate_key",
    "unmapped",
    "contradiction",
    "lesion_number",
]


@dataclass(frozen=True)
class CellProblem:
    """Something in a table that could not be used, and so stays missing.

    Attributes
    ----------
    table
        Name of the table; several are joined with a comma.
    column
        Header or field that it concerns.
    value
        The text that stands there, or the texts; never an identifier of a patient.
    count
        How many rows it concerns; 0 where it is not about rows.
    kind
        What happened, in one word.
    message
        What happened, in a sentence.
    source_id
        Whom it concerns, where it is one patient; it does not leave the raw data.
    """

    table: str
    column: str
    value: str
    count: int
    kind: Kind
    message: str
    source_id: str = ""


@dataclass(frozen=True)
class KeyedRow:
    """One row, whose it is, and its cells in the order of the sheet's columns."""

    source_id: str
    session: str
    cells: tuple[str, ...]


@dataclass(frozen=True)
class KeyedTable:
    """A sheet as its card reads it.

    Attributes
    ----------
    positions
        Position of the column of each field, `subject` and `session` and those of `columns`;
        a field without a column is not there.
    """

    card: ClinicalTable
    sheet: Sheet
    positions: dict[str, int]
    rows: tuple[KeyedRow, ...]
    problems: tuple[CellProblem, ...]

    def cell(self, row: KeyedRow, field: str) -> str:
        """Return what a row holds for a field; empty where the table has no such column."""
        return row.cells[self.positions[field]] if field in self.positions else ""

    def header(self, field: str) -> str:
        """Return the name of a field's column."""
        return self.sheet.columns[self.positions[field]].name


def key_rows(card: ClinicalTable, sheet: Sheet) -> KeyedTable:
    """Find the columns that a card names, and the patient and session of every row.

    A pattern that fits no column or several finds none, and that is reported; columns with the
    same cells count as one. Without a column for the patient no row is used, and without one for
    the session that the card names no row has a session.
    """
    problems: list[CellProblem] = []
    positions: dict[str, int] = {}
    for field, pattern in _patterns(card).items():
        found = _position(card, sheet, field, pattern)
        if isinstance(found, CellProblem):
            problems.append(found)
        else:
            positions[field] = found
    rows: list[KeyedRow] = []
    nameless: Counter[str] = Counter()
    for cells in sheet.rows if "subject" in positions else ():
        session = cells[positions["session"]] if "session" in positions else ""
        identifier = identifier_in(card, cells[positions["subject"]])
        if identifier:
            rows.append(KeyedRow(identifier, _session(card, session), cells))
        else:
            nameless["empty" if not cells[positions["subject"]] else "not recognised"] += 1
    problems += [
        CellProblem(card.name, card.keys.subject, "", n, "no_key", f"the patient's cell is {why}")
        for why, n in sorted(nameless.items())
    ]
    table = KeyedTable(card, sheet, positions, tuple(rows), ())
    return KeyedTable(card, sheet, positions, tuple(rows), (*problems, *_duplicates(table)))


def matching_columns(sheet: Sheet, patterns: Iterable[str]) -> tuple[int, ...]:
    """Return positions of columns whose header any pattern fits, in the order of the sheet."""
    wanted = list(patterns)
    return tuple(
        i
        for i, column in enumerate(sheet.columns)
        if any(search(pattern, column.header, ignore_case=True) for pattern in wanted)
    )


def plain_value(text: str) -> str:
    """Return a key as text without the `.0` of a whole number that was read as a fraction."""
    return re.sub(r"^(\d+)\.0+$", r"\1", text.strip())


def _patterns(card: ClinicalTable) -> dict[str, str]:
    patterns = {"subject": card.keys.subject}
    if card.keys.session:
        patterns["session"] = card.keys.session
    patterns |= card.columns.given()
    patterns |= {f"{field}{SECOND}": f.column for field, f in card.fallback.given().items()}
    if card.lesions:
        named = {f: getattr(card.lesions, f) for f in ("number", "name", "location")}
        patterns |= {f"lesion_{field}": pattern for field, pattern in named.items() if pattern}
    return patterns


def _position(card: ClinicalTable, sheet: Sheet, field: str, pattern: str) -> int | CellProblem:
    found = matching_columns(sheet, [pattern])
    if not found:
        message = f"no column's header fits the pattern of {field}"
        return CellProblem(card.name, field, pattern, 0, "no_column", message)
    if len({tuple(row[i] for row in sheet.rows) for i in found}) > 1:
        names = ", ".join(sheet.columns[i].name for i in found)
        message = f"the headers of several columns fit the pattern of {field}: {names}"
        return CellProblem(card.name, field, pattern, 0, "several_columns", message)
    return found[0]


def identifier_in(card: ClinicalTable, cell: str) -> str:
    """Return the identifier in the source that a cell names; empty where it names none."""
    value = plain_value(cell)
    if card.keys.subject_value:
        found = search(card.keys.subject_value, value)
        value = (found[1] if found.re.groups else found[0]) if found else ""
    return card.keys.subject_id.format(value=value) if value else ""


def _session(card: ClinicalTable, cell: str) -> str:
    value = plain_value(cell)
    return card.keys.session_id.format(value=value) if value else ""


def _duplicates(table: KeyedTable) -> list[CellProblem]:
    """Report keys of several rows, where a row is a patient or session and not a lesion."""
    if table.card.lesions:
        return []
    counts = Counter((row.source_id, row.session) for row in table.rows)
    return [
        CellProblem(
            table.card.name,
            "session" if session else "subject",
            session,
            n,
            "duplicate_key",
            f"{n} rows have the same key",
            source_id,
        )
        for (source_id, session), n in counts.items()
        if n > 1
    ]
