"""Workbooks of clinical data, the same bytes every time."""

from __future__ import annotations

import datetime
import io
import re
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from openpyxl import Workbook

Cell = object
_MOMENT = datetime.datetime(2023, 9, 18, 12, 0, 0)


def write_workbook(path: Path, sheets: Mapping[str, Sequence[Sequence[Cell]]]) -> None:
    """Write an xlsx file with these sheets in order; the first row of each holds the headers."""
    book = Workbook()
    book.remove(book.active)
    for title, rows in sheets.items():
        sheet = book.create_sheet(title)
        for row in rows:
            sheet.append(list(row))
    written = io.BytesIO()
    book.save(written)
    with zipfile.ZipFile(written) as source, zipfile.ZipFile(path, "x") as target:
        for name in source.namelist():
            content = source.read(name)
            # openpyxl puts the time of day into the properties and into the archive.
            if name == "docProps/core.xml":
                stamp = _MOMENT.strftime("%Y-%m-%dT%H:%M:%SZ").encode()
                content = re.sub(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", stamp, content)
            entry = zipfile.ZipInfo(name, _MOMENT.timetuple()[:6])
            entry.compress_type = zipfile.ZIP_DEFLATED
            target.writestr(entry, content)


def rows_of(records: Sequence[Mapping[str, Cell]]) -> list[list[Cell]]:
    """Return headers and rows of records that have the same keys."""
    return [list(records[0]), *(list(record.values()) for record in records)]
