"""SQL over the tables of a study, with DuckDB."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from cta_data.errors import CtaError
from cta_data.memory import GIBIBYTE, memory_bounded
from cta_data.study.tables.schemas import table_schemas
from cta_data.study.tables.store import read_arrow

if TYPE_CHECKING:
    import duckdb
    import pandas as pd
    import pyarrow as pa

MOST_KEPT = "512MiB"
"""Of what DuckDB keeps for one statement; by its own default it takes 80 % of the machine."""
MOST_MEMORY = GIBIBYTE
"""Bytes of all that a statement takes: long texts are beyond what DuckDB counts."""
READING = ("SELECT", "EXPLAIN", "MULTI")
"""Types of statements that only read; PIVOT is MULTI."""
Taken = TypeVar("Taken")


@dataclass(frozen=True)
class QueryRows:
    """What a statement gives: the names of its columns, and its rows as values of Python."""

    columns: tuple[str, ...]
    rows: list[tuple[Any, ...]]


def query(folder: Path, sql: str) -> pd.DataFrame:
    """Run one SQL statement over the tables in `folder`.

    The statement sees every table of the study by its name and nothing else: files and the
    network are closed to it, and it cannot write, change settings or take more memory.

    Raises
    ------
    CtaError
        The statement is not valid SQL, names a table or column that does not exist, is none that
        reads, or is more than one; or a table that it reads is damaged.
    """
    return _run(folder, sql, _frame)


def query_rows(folder: Path, sql: str) -> QueryRows:
    """Run one SQL statement as `query` does; pandas, most of its time, is not loaded.

    Raises
    ------
    CtaError
        As `query`.
    """
    return _run(folder, sql, _rows)


def _run(folder: Path, sql: str, take: Callable[[duckdb.DuckDBPyConnection], Taken]) -> Taken:
    import duckdb  # few commands need it

    tables = [_QueriedTable(folder, table) for table in table_schemas()]
    with duckdb.connect(":memory:") as connection:
        for table in tables:
            connection.register(table.name, table)
        connection.execute(f"SET memory_limit = '{MOST_KEPT}'")
        connection.execute("SET temp_directory = ''")
        connection.execute("SET enable_external_access = false")
        try:
            _require_one_that_reads(connection.extract_statements(sql))
            with memory_bounded(MOST_MEMORY):
                return take(connection.execute(sql))
        except (duckdb.Error, MemoryError) as error:
            for damaged in (table.damage for table in tables if table.damage):
                raise damaged from error
            raise CtaError(
                "query_failed", error=str(error), table_schemas=tuple(table_schemas())
            ) from error


class _QueriedTable:
    """A table that is read when a statement asks for its rows, and not before.

    DuckDB asks through Arrow's stream interface, and reports an error of reading in its own words.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self.name = name
        self.damage: CtaError | None = None
        self._folder = folder

    def __arrow_c_schema__(self) -> object:
        return table_schemas()[self.name].arrow.__arrow_c_schema__()

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        try:
            return self._content.__arrow_c_stream__(requested_schema)
        except CtaError as error:
            self.damage = error
            raise

    @cached_property
    def _content(self) -> pa.Table:
        return read_arrow(self._folder, self.name)


def _rows(result: duckdb.DuckDBPyConnection) -> QueryRows:
    return QueryRows(tuple(name for name, *_ in result.description), result.fetchall())


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
