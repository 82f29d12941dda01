"""SQL over the tables of a study, and over nothing else."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from helpers.refusals import has_reason

from cta_data.errors import CtaError
from cta_data.study.session_id import SessionId
from cta_data.study.tables import MeasuredLesionRow, Tables, query, query_rows, table_schemas


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A study's tables with three lesions."""
    tables = Tables(tmp_path)
    session = SessionId("internal", "001", "1")
    tables.upsert(
        [
            MeasuredLesionRow(
                session=session,
                annotation=quality,
                grid="MPRAGE",
                quality=quality,
                lesion_id=number,
                volume_cm3=volume,
            )
            for quality, number, volume in (("HAQ", 1, 1.0), ("HAQ", 2, 3.0), ("NAQ", 1, 5.0))
        ]
    )
    tables.flush()
    return tmp_path


def test_a_query_over_a_table(folder: Path) -> None:
    """Grouping and medians give the values that follow from the rows."""
    sql = "select quality, count(*) as n, median(volume_cm3) as m from lesions group by all"
    frame = query(folder, f"{sql} order by quality")
    assert frame.to_dict("list") == {"quality": ["HAQ", "NAQ"], "n": [2, 1], "m": [2.0, 5.0]}


def test_every_table_can_be_queried_before_it_has_rows(folder: Path) -> None:
    """All tables of the schema are there, empty or not."""
    for table in table_schemas():
        count = query(folder, f"select count(*) as n from {table}")["n"][0]
        assert count == (3 if table == "lesions" else 0)


@pytest.mark.parametrize(
    "sql", ["select * from lesion", "select volume from lesions", "selct 1", "", "-- nothing"]
)
def test_a_wrong_query_lists_the_tables(folder: Path, sql: str) -> None:
    """A misspelt table, column or statement is one error that names the tables."""
    with pytest.raises(CtaError, check=has_reason("query_failed")):
        query(folder, sql)


@pytest.mark.parametrize(
    "sql",
    [
        "select * from '{file}'",
        "select * from read_csv('{file}')",
        "select * from glob('{folder}/*')",
        "copy lesions to '{folder}/out.csv'",
        "attach '{folder}/new.db'",
        "set enable_external_access = true",
    ],
)
def test_a_query_reaches_no_file(folder: Path, tmp_path: Path, sql: str) -> None:
    """Neither reading nor writing a file, nor opening the door to it, is possible from SQL."""
    secret = tmp_path / "secret.csv"
    secret.write_text("name\nDoe\n")
    before = sorted(path.name for path in tmp_path.iterdir())
    with pytest.raises(CtaError):
        query(folder, sql.format(file=secret, folder=tmp_path))
    assert sorted(path.name for path in tmp_path.iterdir()) == before


def test_a_query_changes_no_table(folder: Path) -> None:
    """Statements that would change a table leave its file as it is."""
    before = (folder / "lesions.parquet").read_bytes()
    with pytest.raises(CtaError):
        query(folder, "delete from lesions")
    assert (folder / "lesions.parquet").read_bytes() == before


@pytest.mark.parametrize(
    "sql",
    [
        "select 1; select 2",
        "create table mine as select 1",
        "drop view lesions",
        "set memory_limit = '100GB'",
        "pragma memory_limit = '100GB'",
        "select list(range) from range(300000000)",
        "select repeat('x', 2000000000)",
    ],
)
def test_a_query_is_one_statement_that_reads_within_a_limit(folder: Path, sql: str) -> None:
    """What would be thrown away, or take the machine's memory, is refused."""
    with pytest.raises(CtaError, check=has_reason("query_failed")):
        query(folder, sql)


def test_tables_can_be_described_and_pivoted(folder: Path) -> None:
    """Other forms of reading than SELECT are statements as well."""
    for sql in ("describe lesions", "summarize lesions", "show tables", "from lesions"):
        assert len(query(folder, sql))
    wide = query(folder, "pivot lesions on quality using count(*) group by cohort")
    assert wide[["HAQ", "NAQ"]].to_numpy().tolist() == [[2, 1]]


def test_a_query_does_not_see_variables_of_the_program(folder: Path) -> None:
    """A name that is no table is an error, even where a DataFrame of that name is around."""
    secrets = pd.DataFrame({"name": ["Doe"]})
    with pytest.raises(CtaError):
        query(folder, "select * from secrets")
    assert len(secrets) == 1


def test_bit_strings_are_text(tmp_path: Path) -> None:
    """What DuckDB prints, not the bytes that it keeps them in."""
    [row] = query(tmp_path, "select '101'::bit as b, 7 as n").to_dict("records")
    assert row == {"b": "101", "n": 7}


def test_rows_of_a_query_are_those_of_its_frame(folder: Path) -> None:
    """The same columns and values, as Python has them."""
    sql = "select quality, lesion_id, volume_cm3, cnr from lesions order by volume_cm3"
    found, frame = query_rows(folder, sql), query(folder, sql)
    assert list(found.columns) == list(frame.columns)
    assert found.rows == [("HAQ", 1, 1.0, None), ("HAQ", 2, 3.0, None), ("NAQ", 1, 5.0, None)]


@pytest.mark.parametrize("sql", ["select 1 from lesions", "from query_table('les' || 'ions')"])
def test_a_damaged_table_is_an_error_of_what_reads_it(folder: Path, sql: str) -> None:
    """However a statement comes to it; what does not read it is answered."""
    (folder / "lesions.parquet").write_bytes(b"garbage")
    with pytest.raises(CtaError, check=has_reason("table_unreadable")):
        query_rows(folder, sql)
    assert query_rows(folder, "select count(*) from images").rows == [(0,)]


def test_a_table_can_be_named_twice(folder: Path) -> None:
    """A join of a table with itself sees the rows on both sides."""
    sql = "select count(*) from lesions a join lesions b using (cohort, subject, lesion_id)"
    assert query_rows(folder, sql).rows == [(5,)]
