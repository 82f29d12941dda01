"""Sheets as rows of text: whatever wrote them, and whatever became of the file."""

from __future__ import annotations

import csv
import os
import zipfile
from datetime import date, datetime, time
from pathlib import Path

import openpyxl
import pytest
from helpers.clinical_workbook import write_workbook
from helpers.refusals import has_reason
from hypothesis import given
from hypothesis import strategies as st

from cta_data.cohorts.clinical.sheets import cell_text, read_sheet
from cta_data.errors import DataRefused


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (63.0, "63"),
        (63, "63"),
        (0.1 + 0.2, "0.3"),
        (float("nan"), ""),
        (None, ""),
        (True, "true"),
        (datetime(2014, 4, 18), "2014-04-18"),
        (datetime(2014, 4, 18, 9, 30), "2014-04-18T09:30:00"),
        (date(2014, 4, 18), "2014-04-18"),
        (time(9, 30), "09:30:00"),
        (" Post op  Cavity\t", "Post op  Cavity"),
        ("two\r\nlines\xa0", "two lines"),
    ],
)
def test_cells_become_clean_text(value: object, text: str) -> None:
    """Numbers without `.0`, dates in ISO 8601, blanks cut around and kept within."""
    assert cell_text(value) == text


def test_a_sheet_is_found_by_name_and_the_first_without(tmp_path: Path) -> None:
    """Case does not matter, hidden sheets are sheets, and the order is the workbook's."""
    path = write_workbook(tmp_path / "a.xlsx", {"One": [["x"], [1]], "Two": [["y"], [2.0]]})
    book = openpyxl.load_workbook(path)
    book["Two"].sheet_state = "hidden"
    book.save(path)
    assert read_sheet(path).title == "One"
    sheet = read_sheet(path, "two ")
    assert (sheet.title, sheet.columns[0].name, sheet.rows) == ("Two", "y", (("2",),))


def test_headers_are_made_unique_and_empty_unnamed_columns_dropped(tmp_path: Path) -> None:
    """A filled column without a header stays; a header without cells is a column."""
    rows = [
        ["id", "Age ", "age", None, "Unnamed: 4", None, "note"],
        [1, 60, 61, None, None, "left over", None],
        [None] * 7,
    ]
    sheet = read_sheet(write_workbook(tmp_path / "a.xlsx", {"s": rows}))
    names = [column.name for column in sheet.columns]
    assert names == ["id", "Age", "age_2", "Unnamed: 5", "note"]
    assert sheet.columns[2].header == "age"
    assert sheet.rows == (("1", "60", "61", "left over", ""),)


def test_a_title_above_the_header_is_skipped(tmp_path: Path) -> None:
    """The header is the first row with the cell that is looked for."""
    rows = [["Clinical data, version 2"], [], ["No.", "unique_pt_id"], [1, 103]]
    path = write_workbook(tmp_path / "a.xlsx", {"s": rows})
    sheet = read_sheet(path, header="(?i)^unique_pt_id$")
    assert [column.name for column in sheet.columns] == ["No.", "unique_pt_id"]
    assert sheet.rows == (("1", "103"),)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize(("name", "delimiter"), [("a.csv", ","), ("b.csv", ";"), ("c.tsv", "\t")])
def test_delimited_text_is_read_whatever_wrote_it(
    tmp_path: Path, encoding: str, name: str, delimiter: str
) -> None:
    """Delimiter and encoding are found; short rows are filled up."""
    text = delimiter.join(["id", "Größe"]) + "\r\n5\r\n" + delimiter.join(["6", '"a, b"']) + "\r\n"
    (tmp_path / name).write_bytes(text.encode(encoding))
    sheet = read_sheet(tmp_path / name)
    assert [column.name for column in sheet.columns] == ["id", "Größe"]
    assert sheet.rows == (("5", ""), ("6", "a, b"))


CELLS = st.text(alphabet=st.characters(codec="utf-8", categories=["L", "N", "P"]), max_size=6)


@given(st.lists(st.lists(CELLS, min_size=3, max_size=3), max_size=5))
def test_a_written_table_comes_back(tmp_path_factory: pytest.TempPathFactory, rows: list) -> None:
    """Of a TSV every row with a text returns, in its order."""
    path = tmp_path_factory.mktemp("table") / "a.tsv"
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, delimiter="\t").writerows([["a", "b", "c"], *rows])
    assert read_sheet(path).rows == tuple(tuple(row) for row in rows if any(row))


def test_an_empty_table_has_no_columns(tmp_path: Path) -> None:
    """It is no error: there is nothing in it."""
    (tmp_path / "a.csv").write_text("\n\n")
    assert read_sheet(tmp_path / "a.csv").columns == ()
    assert read_sheet(write_workbook(tmp_path / "a.xlsx", {"s": []})).rows == ()


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("a.xlsx", b"PK\x03\x04 half a workbook", "workbook_damaged"),
        ("a.tsv", b"", "clinical_table_empty"),
        ("a.csv", bytes(4096), "clinical_table_empty"),
        ("a.xlsx", b"", "clinical_table_empty"),
        ("a.xlsx", b"\xd0\xcf\x11\xe0 locked", "workbook_encrypted_or_old"),
        ("a.ods", b"anything", "table_format_unsupported"),
    ],
)
def test_what_is_no_table_is_refused(tmp_path: Path, name: str, content: bytes, code: str) -> None:
    """With what is wrong, where, and what to do."""
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataRefused, check=has_reason(code)) as refusal:
        read_sheet(tmp_path / name)
    assert refusal.value.where == name
    assert refusal.value.why
    assert refusal.value.next_step


def test_a_missing_sheet_or_file_is_refused(tmp_path: Path) -> None:
    """A missing sheet with the sheets that there are; a link without its content likewise."""
    path = write_workbook(tmp_path / "a.xlsx", {"course_level": [["x"]]})
    with pytest.raises(DataRefused, check=has_reason("sheet_not_found")):
        read_sheet(path, "lesions")
    (tmp_path / "b.xlsx").symlink_to(tmp_path / "annexed")
    with pytest.raises(DataRefused, check=has_reason("clinical_table_unreadable")):
        read_sheet(tmp_path / "b.xlsx")


@given(st.data())
def test_a_mangled_workbook_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """Whatever became of its bytes, there is no other error."""
    folder = tmp_path_factory.mktemp("mangled")
    path = write_workbook(folder / "a.xlsx", {"s": [["id", "sex"], [1, "F"], [2, "M"]]})
    content = bytearray(path.read_bytes())
    # A workbook holds the time, so that its length varies: what is drawn must not depend on it.
    places = st.integers(0, 2**20)
    for _ in range(data.draw(st.integers(1, 8))):
        content[data.draw(places) % len(content)] = data.draw(st.integers(0, 255))
    path.write_bytes(content[: data.draw(places) % (len(content) + 1)] or b"x")
    try:
        sheet = read_sheet(path)
    except DataRefused:
        return
    assert all(len(row) == len(sheet.columns) for row in sheet.rows)


def test_a_workbook_that_unpacks_to_much_is_refused_unread(tmp_path: Path) -> None:
    """Members are counted as they say, since none is read beyond that."""
    path = tmp_path / "a.xlsx"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("xl/sharedStrings.xml", bytes(1 << 28))
    with pytest.raises(DataRefused, check=has_reason("clinical_table_too_large")):
        read_sheet(path)


def test_a_table_with_a_hole_is_refused_unread(tmp_path: Path) -> None:
    """A sparse file takes no disk, and as much memory as it says."""
    path = tmp_path / "a.tsv"
    path.touch()
    os.truncate(path, 1 << 40)
    with pytest.raises(DataRefused, check=has_reason("clinical_table_too_large")):
        read_sheet(path)
