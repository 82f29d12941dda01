"""Sheets of workbooks and delimited text as plain rows of text, whoever wrote them."""

from __future__ import annotations

import csv
import io
import re
import struct
import warnings
import zipfile
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from itertools import islice
from pathlib import Path
from typing import Any

from cta_data.errors import DataRefused
from cta_data.patterns import search

WORKBOOKS = (".xlsx", ".xlsm")
DELIMITED = (".csv", ".tsv", ".txt")
EXTENSIONS = WORKBOOKS + DELIMITED

_HEADER_WITHIN = 20
"""Rows among which the header is looked for, below titles and notes."""
_LARGEST_COLUMNS, _LARGEST_ROWS = 2_000, 200_000
"""Past these a sheet is no clinical table, but a sheet that was formatted to its edge."""
_LARGEST_BYTES = 1 << 27
"""Of a table, as a file and unpacked: some ten million cells."""
_OLD_OFFICE = b"\xd0\xcf\x11\xe0"
"""First bytes of the .xls format, and of a workbook with a password."""
_DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    OSError,
    EOFError,
    ArithmeticError,
    LookupError,
    ValueError,
    TypeError,
    AttributeError,
    SyntaxError,  # ElementTree's ParseError is one
    RuntimeError,  # an encrypted archive; NotImplementedError for an unknown compression
)
"""What openpyxl and zipfile raise, depending on where a workbook is broken."""


@dataclass(frozen=True)
class Column:
    """A column: the header as it stands, and a name that no other column has."""

    header: str
    name: str


@dataclass(frozen=True)
class Sheet:
    """A table as text.

    Attributes
    ----------
    title
        Name of the sheet; empty for delimited text.
    columns
        Columns that hold something; one without a header is called `Unnamed: <position>`.
    rows
        Rows that hold something, with a text for every column; empty where a cell is.
    """

    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[str, ...], ...]


def read_sheet(path: Path, sheet: str = "", header: str = "") -> Sheet:
    """Read a sheet of an .xlsx workbook, or a .csv or .tsv file.

    Numbers come without a trailing `.0`, dates in ISO 8601, formulas as the value that was
    stored with them. Blanks around a text are cut, within it they stay.

    Parameters
    ----------
    sheet
        Name of the sheet, without regard to case and surrounding blanks; empty for the first.
    header
        Regular expression found in one cell of the header; it is the first of the upper rows
        with such a cell, or the first that is not empty.

    Raises
    ------
    DataRefused
        The file cannot be read, is damaged, or has no such sheet.
    """
    content = _content(path)
    extension = path.suffix.lower()
    if extension in WORKBOOKS:
        title, rows = _workbook_rows(path, content, sheet)
    elif extension in DELIMITED:
        title, rows = "", _delimited_rows(path, content)
    else:
        raise DataRefused(
            "table_format_unsupported",
            where=path.name,
            extension=extension or "nothing",
            extensions=tuple(EXTENSIONS),
        )
    return _sheet(title, rows, header)


def cell_text(value: Any) -> str:
    """Return a cell as text: `63.0` as `63`, a date without a time as `2014-04-18`."""
    if value is None or value != value:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        whole = value.is_integer() and abs(value) < 1e15
        return str(int(value)) if whole else format(value, ".15g")
    if isinstance(value, datetime):
        return value.date().isoformat() if value.time() == time() else value.isoformat()
    if isinstance(value, (date, time)):
        return value.isoformat()
    return re.sub(r"[\t\r\n\v\f\x85\u2028\u2029]+", " ", str(value)).replace("\xa0", " ").strip()


def _content(path: Path) -> bytes:
    try:
        _require_size(path.stat().st_size, path)
        content = path.read_bytes()
    except OSError as error:
        raise DataRefused(
            "clinical_table_unreadable", where=path.name, error=error.strerror or str(error)
        ) from error
    if not content.strip(b"\0"):
        raise DataRefused("clinical_table_empty", where=path.name)
    if content.startswith(_OLD_OFFICE):
        raise DataRefused("workbook_encrypted_or_old", where=path.name)
    return content


def _require_size(size: int, path: Path) -> None:
    if size > _LARGEST_BYTES:
        raise DataRefused(
            "clinical_table_too_large",
            where=path.name,
            size_mib=size >> 20,
            largest_mib=_LARGEST_BYTES >> 20,
        )


def _workbook_rows(path: Path, content: bytes, sheet: str) -> tuple[str, list[list[str]]]:
    import openpyxl  # a fifth of a second that only workbooks have to pay

    try:
        with zipfile.ZipFile(io.BytesIO(content)) as packed:
            # No member is read beyond the size that is stated of it.
            _require_size(sum(member.file_size for member in packed.infolist()), path)
        with warnings.catch_warnings():
            # It warns of validations and extensions that it does not read, and we do not need.
            warnings.simplefilter("ignore")
            book = openpyxl.load_workbook(io.BytesIO(content), read_only=True, data_only=True)
            titles = [worksheet.title for worksheet in book.worksheets]
            wanted = [t for t in titles if t.strip().casefold() == sheet.strip().casefold()]
            chosen = (wanted if sheet.strip() else titles)[:1]
            if chosen:
                worksheet = book[chosen[0]]
                # The extent that a sheet states of itself may be wrong, and rows would be lost.
                worksheet.reset_dimensions()
                found = worksheet.iter_rows(values_only=True, max_col=_LARGEST_COLUMNS)
                rows = [[cell_text(c) for c in row] for row in islice(found, _LARGEST_ROWS)]
                return chosen[0], rows
    except _DAMAGE as error:
        raise DataRefused(
            "workbook_damaged", where=path.name, error_type=type(error).__name__, error=error
        ) from error
    raise DataRefused(
        "sheet_not_found" if sheet.strip() else "sheet_missing",
        where=path.name,
        sheet=sheet,
        why=f"its sheets are {', '.join(titles)}" if titles else "it has none",
    )


def _delimited_rows(path: Path, content: bytes) -> list[list[str]]:
    text = decoded(content)
    delimiter = "\t" if path.suffix.lower() == ".tsv" else delimiter_of(text)
    try:
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
        return [[cell_text(cell) for cell in row] for row in islice(reader, _LARGEST_ROWS)]
    except csv.Error as error:
        raise DataRefused("clinical_table_damaged", where=path.name, error=str(error)) from error


def decoded(content: bytes) -> str:
    """Return the text: UTF-8 or UTF-16 with its mark, UTF-8, or what Windows writes in Europe."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return content.decode("utf-16", errors="replace")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("cp1252", errors="replace")


def delimiter_of(text: str) -> str:
    """Return what separates cells: of comma, semicolon and tab the commonest in the first line."""
    first = next((line for line in text.splitlines() if line.strip()), "")
    return max(",;\t", key=first.count)


def _sheet(title: str, rows: list[list[str]], header: str) -> Sheet:
    filled = [row for row in rows if any(row)]
    if not filled:
        return Sheet(title, (), ())
    at = _header_at(filled, header)
    below = filled[at + 1 :]
    width = max(len(row) for row in filled[at:])
    headers = [" ".join(text.split()) for text in _padded(filled[at], width)]
    body = [_padded(row, width) for row in below]
    kept = [i for i in range(width) if _counts(headers[i]) or any(row[i] for row in body)]
    columns = _named([(headers[i], i) for i in kept])
    cells = (tuple(row[i] for i in kept) for row in body)
    return Sheet(title, columns, tuple(row for row in cells if any(row)))


def _counts(header: str) -> bool:
    """Return whether a column is one by its header alone, not by being filled."""
    return bool(header) and not re.match(r"(?i)unnamed\b", header)


def _header_at(rows: Sequence[Sequence[str]], header: str) -> int:
    if header:
        for at, row in enumerate(rows[:_HEADER_WITHIN]):
            if any(search(header, " ".join(cell.split())) for cell in row if cell):
                return at
    return 0


def _padded(row: Sequence[str], width: int) -> list[str]:
    return [*row, *[""] * (width - len(row))][:width]


def _named(headers: Iterable[tuple[str, int]]) -> tuple[Column, ...]:
    """Give every column a name of its own: a header that comes again gets its count."""
    columns: list[Column] = []
    taken: set[str] = set()
    for header, position in headers:
        stem = header or f"Unnamed: {position}"
        name, count = stem, 1
        while name.casefold() in taken:
            count += 1
            name = f"{stem}_{count}"
        taken.add(name.casefold())
        columns.append(Column(header, name))
    return tuple(columns)
