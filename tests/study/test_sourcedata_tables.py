"""Tables of a cohort's sourcedata: headers are read when somebody asks, and kept as they are."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from helpers.refusals import has_reason

from cta_data.errors import CtaError
from cta_data.study.sourcedata import (
    SERIES,
    SESSION_STUDY,
    SOURCE_FILE,
    SeriesRow,
    StoredHeader,
    read_inventory,
    write_series,
)

DICOM = SeriesRow(
    *("001", "1", "a", "sub-001/a.tar", "MR", "MR", "1.2", 3, "1.2.3", "1.2.4", "", "20200101"),
    *("20200101120000.000000", "digest"),
    header={"SeriesDescription": 'größe\t"x"', "EchoTime": "4"},
)
PLAIN = replace(
    DICOM,
    series="b",
    file="sub-001/b.nii.gz",
    study_uid=f"{SESSION_STUDY}1",
    header={SOURCE_FILE: "P1/t1.nii.gz"},
)


def test_rows_come_back_as_they_were_written(tmp_path: Path) -> None:
    """Headers, too, whatever they hold; and a table written from what was read is the same."""
    write_series(tmp_path, [DICOM, PLAIN])
    rows = read_inventory(tmp_path).series
    assert rows == [DICOM, PLAIN]
    assert dict(rows[0].header) == DICOM.header
    assert write_series(tmp_path, rows) == []


def test_the_place_of_a_plain_file_reads_no_header_of_dicom(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A study has tens of thousands of these, each of kilobytes."""
    write_series(tmp_path, [DICOM, PLAIN])
    read: list[str] = []
    content = StoredHeader._content
    monkeypatch.setattr(
        StoredHeader, "_content", lambda self: (read.append(self.text), content(self))[1]
    )
    assert [row.source_file for row in read_inventory(tmp_path).series] == ["", "P1/t1.nii.gz"]
    assert len(read) == 1 and "P1" in read[0]


@pytest.mark.parametrize("damaged", ["", "[1]", "{", '"x"', "[" * 100_000])
def test_a_damaged_header_is_refused_when_somebody_asks(tmp_path: Path, damaged: str) -> None:
    """It is never taken for one without attributes, and the table is named."""
    table = tmp_path / SERIES
    refused = has_reason("sourcedata_table_unreadable", where=str(table))
    with pytest.raises(CtaError, check=refused):
        StoredHeader(table, damaged).get("EchoTime", "")
