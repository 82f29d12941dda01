"""SQL over the tables of a study, with DuckDB."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from cta_data.errors import CtaError
from cta_data.study.tables.schemas import table_schemas
from cta_data.study.tables.store import read_arrow

if TYPE_CHECKING:
    import pandas as pd


def query(folder: Path, sql: str) -> pd.DataFrame:
    """Run one SQL statement over the tables in `folder`.

    The statement sees every table of the study by its name and nothing else: files and the
    network are closed to it.

    Raises
    ------
    CtaError
        The statement is not valid SQL, or names a table or column that does not exist.
    """
    import duckdb  # few commands need it

    with duckdb.connect(":memory:") as connection:
        for table in table_schemas():
            connection.register(table, read_arrow(folder, table))
        connection.execute("SET enable_external_access = false")
        try:
            if not connection.extract_statements(sql):
                raise duckdb.InvalidInputException("there is no statement")
            return connection.execute(sql).df()
        except duckdb.Error as error:
            raise CtaError(
                "query_failed", error=str(error), table_schemas=tuple(table_schemas())
            ) from error
