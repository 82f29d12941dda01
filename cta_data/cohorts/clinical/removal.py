"""Rows of a patient out of clinical tables as they were delivered."""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Sequence
from pathlib import Path

from cta_data.cohorts.clinical.card import ClinicalTable
from cta_data.cohorts.clinical.keyed_rows import identifier_in
from cta_data.cohorts.clinical.sheets import (
    DELIMITED,
    WORKBOOKS,
    cell_text,
    decoded,
    delimiter_of,
)
from cta_data.errors import DataRefused
from cta_data.files import write_bytes
from cta_data.patterns import search

SHORTEST = 6
"""Characters; a shorter number stands in other cells by chance."""


def remove_patient(path: Path, cards: Sequence[ClinicalTable], numbers: Collection[str]) -> int:
    """Remove the rows in which a patient number stands; return how many they were.

    A number stands in the column of patients, as the card of the table reads it; a number of six
    characters or more also in any other cell by itself. A workbook loses what openpyxl does not
    keep (pictures, macros); other files keep every other byte.

    Parameters
    ----------
    numbers
        PatientIDs or names in the source.

    Raises
    ------
    DataRefused
        The file is of another kind, so that nobody can say what is in it, or is damaged.
    """
    wanted = {number for number in numbers if number}
    extension = path.suffix.lower()
    if extension in DELIMITED:
        return _from_text(path, cards, wanted)
    if extension in WORKBOOKS:
        return _from_workbook(path, cards, wanted)
    raise DataRefused("clinical_table_not_searched", where=path.name)


class _Rows:
    """Tells, row after row of a sheet, which are of a patient."""

    def __init__(self, cards: Sequence[ClinicalTable], wanted: set[str]) -> None:
        self._cards = cards
        self._wanted = wanted
        self._long = {number for number in wanted if len(number) >= SHORTEST}
        self._columns: dict[str, set[int]] = {}

    def is_of(self, cells: Sequence[str]) -> bool:
        """Return whether a row is of the patient; rows come in the order of the sheet."""
        own = any(
            at < len(cells) and identifier_in(card, cells[at]) in self._wanted
            for card in self._cards
            for at in self._columns.get(card.name, ())
        )
        for card in self._cards:  # a header comes before its rows
            if card.name not in self._columns:
                found = {
                    at
                    for at, cell in enumerate(cells)
                    if cell and search(card.keys.subject, " ".join(cell.split()), ignore_case=True)
                }
                self._columns |= {card.name: found} if found else {}
        return own or not self._long.isdisjoint(cells)


def _from_text(path: Path, cards: Sequence[ClinicalTable], wanted: set[str]) -> int:
    content = path.read_bytes()
    text = decoded(content)
    delimiter = "\t" if path.suffix.lower() == ".tsv" else delimiter_of(text)
    lines = list(io.StringIO(text, newline=""))
    kept: list[str] = []
    removed, begin, rows = 0, 0, _Rows(cards, wanted)
    reader = csv.reader(lines, delimiter=delimiter)
    for row in reader:
        own = lines[begin : reader.line_num]
        begin = reader.line_num
        if rows.is_of([cell_text(cell) for cell in row]):
            removed += 1
        else:
            kept += own
    if removed:
        encoding = _encoding(content)
        write_bytes("".join(kept).encode(encoding), path)
    return removed


def _encoding(content: bytes) -> str:
    """Return what a text is written in; see `decoded`."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    if content.startswith(b"\xef\xbb\xbf"):
        return "utf-8-sig"
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        return "cp1252"
    return "utf-8"


def _from_workbook(path: Path, cards: Sequence[ClinicalTable], wanted: set[str]) -> int:
    import openpyxl  # a fifth of a second that only workbooks have to pay

    try:
        book = openpyxl.load_workbook(path)
    except Exception as error:  # whatever openpyxl raises of a damaged file
        raise DataRefused(
            "workbook_damaged", where=path.name, error_type=type(error).__name__, error=error
        ) from error
    removed = 0
    for sheet in book.worksheets:
        rows = _Rows(cards, wanted)
        cells = enumerate(sheet.iter_rows(values_only=True), start=1)
        gone = [number for number, row in cells if rows.is_of([cell_text(c) for c in row])]
        for number in reversed(gone):
            sheet.delete_rows(number)
        removed += len(gone)
    if removed:
        stream = io.BytesIO()
        book.save(stream)
        write_bytes(stream.getvalue(), path)
    return removed
