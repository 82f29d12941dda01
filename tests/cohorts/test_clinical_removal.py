"""Rows of one patient leave the clinical tables as delivered, and all others stay."""

from __future__ import annotations

from pathlib import Path

import openpyxl
import pytest
from helpers.refusals import has_reason

from cta_data.cohorts.clinical.card import ClinicalTable
from cta_data.cohorts.clinical.removal import remove_patient
from cta_data.cohorts.clinical.sheets import read_sheet
from cta_data.errors import DataRefused

CARD = ClinicalTable.model_validate(
    {"file": "table", "name": "table", "keys": {"subject": "^Patient$", "subject_id": "M_{value}"}}
)
ROWS = [["A title"], ["Patient", "Lesions"], ["5", "3"], ["3", "5"], ["5", "1"], ["7", "M_5"]]


@pytest.mark.parametrize("ending", [".csv", ".tsv", ".xlsx"])
def test_rows_of_the_patient_go(tmp_path: Path, ending: str) -> None:
    """By the number as the card reads it in its column: the same number elsewhere is another."""
    path = tmp_path / f"table{ending}"
    if ending == ".xlsx":
        book = openpyxl.Workbook()
        for row in ROWS:
            book.active.append(row)
        book.save(path)
    else:
        separator = {".csv": ";", ".tsv": "\t"}[ending]
        text = "".join(separator.join([*row, "ä\r\n"]) for row in ROWS[1:])
        path.write_bytes(text.encode("cp1252"))
    assert remove_patient(path, [CARD], {"M_5"}) == 2
    left = [row[:2] for row in read_sheet(path, header="Patient").rows]
    assert left == [("3", "5"), ("7", "M_5")]
    assert remove_patient(path, [CARD], {"M_5"}) == 0


def test_a_long_number_goes_wherever_it_stands(tmp_path: Path) -> None:
    """Six characters are no coincidence; the bytes of other rows stay."""
    path = tmp_path / "table.csv"
    path.write_bytes(b'Patient,Twin\n1,"P-123456"\n2,"a\nb"\n')
    assert remove_patient(path, [CARD], {"P-123456"}) == 1
    assert path.read_bytes() == b'Patient,Twin\n2,"a\nb"\n'


def test_what_cannot_be_searched_is_an_error(tmp_path: Path) -> None:
    """Nobody can say what is in it."""
    path = tmp_path / "table.pdf"
    path.write_bytes(b"1")
    with pytest.raises(DataRefused, check=has_reason("clinical_table_not_searched")):
        remove_patient(path, [CARD], {"M_5"})
