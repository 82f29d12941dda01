"""SQL over the tables of a study, with DuckDB."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from cta_data.errors import CtaError
from cta_data.memory import GIBIBYTE, memory_bounded
from cta_data.study.tables.schemas import table_schemas
from cta_data.study.tables.store import read_arrow

if TYPE_CHECKING:
    import duckdb
    import pandas as pd

MOST_KEPT = "512MiB"
"""Of what DuckDB keeps for one statement; by its own default it takes 80 % of the machine."""
MOST_MEMORY = GIBIBYTE
"""Bytes of all that a statement takes: long texts are beyond what DuckDB counts."""
READING = ("SELECT", "EXPLAIN", "MULTI")
"""Types of statements that only read; PIVOT is MULTI."""


def query(folder: Path, sql: str) -> pd.DataFrame:
    """Run one SQL statement over the tables in `folder`.

    The statement sees every table of the study by its name and nothing else: files and the
    network are closed to it, and it cannot write, change settings or take more memory.

    Raises
    ------
    CtaError
        The statement is not valid SQL, names a table or column that does not exist, is none that
        reads, or is more than one.
    """
    import duckdb  # few commands need it

    with duckdb.connect(":memory:") as connection:
        for table in table_schemas():
            connection.register(table, read_arrow(folder, table))
        connection.execute(f"SET memory_limit = '{MOST_KEPT}'")
        connection.execute("SET temp_directory = ''")
        connection.execute("SET enable_external_access = false")
        try:
            _require_one_that_reads(connection.extract_statements(sql))
            with memory_bounded(MOST_MEMORY):
                return _frame(connection.execute(sql))
        except (duckdb.Error, MemoryError) as error:
            raise CtaError(
                "query_failed", error=str(error), table_schemas=tuple(table_schemas())
            ) from error


def _frame(result: duckdb.DuckDBPyConnection) -> pd.DataFrame:
    """Return the rows with their types; bit strings as text: pandas gets them as bytes."""
    import pandas as pd

    columns = [(name, str(kind)) for name, kind, *_ in result.description]
    if all(kind != "BIT" for _, kind in columns):
        return result.df()
    return pd.DataFrame(result.fetchall(), columns=[name for name, _ in columns])


def _require_one_that_reads(statements: list[duckdb.Statement]) -> None:
    import duckdb

    if len(statements) != 1:
        count = f"are {len(statements)} statements" if statements else "is no statement"
        raise duckdb.InvalidInputException(f"there {count}, and one is wanted")
    kind = statements[0].type.name
    if kind not in READING:
        raise duckdb.InvalidInputException(f"this is {kind}, and only reading is allowed")
