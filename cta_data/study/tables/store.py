"""Tables of a study as Parquet files: typed, ordered by their key, written atomically.

The same rows give the same bytes: no clock, no host and no writer's state go into a file.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from cta_data.errors import CtaError
from cta_data.files import written_whole
from cta_data.study.tables.schemas import TableSchema, table_schemas
from cta_data.study.tables.stored_rows import StoredRow, has_twins, stored_rows

if TYPE_CHECKING:
    import pandas as pd

Row = dict[str, Any]
"""A row that a step made; columns that it does not name are null."""


class Tables:
    """All tables of one study, held in memory by the one process that may change them.

    Parameters
    ----------
    folder
        The study's `manifests` folder. Tables that have no file yet are empty.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._rows: dict[str, dict[tuple, StoredRow]] = {}
        self._groups: dict[tuple[str, tuple[str, ...]], dict[tuple, list[StoredRow]]] = {}
        self._changed: set[str] = set()

    def rows(self, table: str) -> list[StoredRow]:
        """Return the rows of a table, in no particular order."""
        return list(self._load(table).values())

    def by_key(self, table: str) -> Mapping[tuple, StoredRow]:
        """Return the rows of a table by their key."""
        return self._load(table)

    def replace(
        self, table: str, columns: tuple[str, ...], scopes: set[tuple], rows: Iterable[StoredRow]
    ) -> None:
        """Drop the rows whose `columns` are in `scopes`, then add `rows`.

        Columns that a row does not name become null.
        """
        schema = table_schemas()[table]
        kept = {
            key: row
            for key, row in self._load(table).items()
            if tuple(row[column] for column in columns) not in scopes
        }
        for row in rows:
            complete = _complete(schema, row)
            kept[tuple(complete[column] for column in schema.key)] = complete
        self._store(table, kept)

    def upsert(self, table: str, rows: Iterable[StoredRow]) -> None:
        """Add rows, each in place of the one with the same key."""
        schema = table_schemas()[table]
        complete = [_complete(schema, row) for row in rows]
        if complete:
            added = {tuple(row[column] for column in schema.key): row for row in complete}
            self._store(table, {**self._load(table), **added})

    def index(self, table: str, columns: tuple[str, ...]) -> Mapping[tuple, list[StoredRow]]:
        """Return the rows of a table, grouped by some of its columns."""
        if (table, columns) not in self._groups:
            self._groups[table, columns] = self._grouped(table, columns)
        return self._groups[table, columns]

    def _grouped(self, table: str, columns: tuple[str, ...]) -> dict[tuple, list[StoredRow]]:
        key = table_schemas()[table].key
        groups: dict[tuple, list[StoredRow]] = {}
        if columns == key[: len(columns)]:  # as mostly: nothing has to be looked up in the rows
            for own, row in self._load(table).items():
                groups.setdefault(own[: len(columns)], []).append(row)
            return groups
        for row in self._load(table).values():
            groups.setdefault(tuple(row[column] for column in columns), []).append(row)
        return groups

    def forget(self) -> None:
        """Read every table again when it is next asked for, but those that are to be written."""
        self._rows = {table: self._rows[table] for table in self._changed}
        self._groups.clear()

    def changed(self) -> bool:
        """Tell whether any table differs from its file."""
        return bool(self._changed)

    def flush(self) -> list[Path]:
        """Write every changed table; return the files that were written."""
        written = []
        for table in sorted(self._changed):
            rows = self._rows[table]
            write_rows(self.folder, table, [rows[key] for key in sorted(rows)])
            written.append(self.folder / f"{table}.parquet")
        self._changed.clear()
        return written

    def _store(self, table: str, rows: dict[tuple, StoredRow]) -> None:
        if rows != self._load(table):
            self._changed.add(table)
            self._rows[table] = rows
            self._groups = {key: found for key, found in self._groups.items() if key[0] != table}

    def _load(self, table: str) -> dict[tuple, StoredRow]:
        if table not in self._rows:
            path = self.folder / f"{table}.parquet"
            # To make an empty table of Arrow would load pandas.
            self._rows[table] = _read_rows(path, table) if path.exists() else {}
        return self._rows[table]


def write_rows(folder: Path, table: str, rows: list[StoredRow]) -> None:
    """Write one table atomically, in the order given.

    Raises
    ------
    CtaError
        A value does not fit its column's type.
    """
    schema = table_schemas()[table]
    try:
        content = pa.Table.from_pylist(rows, schema=schema.arrow)
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError) as error:
        raise CtaError(
            "a row does not fit its table", where=f"manifests/{table}.parquet", why=str(error)
        ) from error
    folder.mkdir(parents=True, exist_ok=True)
    with written_whole(folder / f"{table}.parquet") as unfinished:
        pq.write_table(content, unfinished, compression="zstd")


def read_arrow(folder: Path, table: str) -> pa.Table:
    """Read one table with its present schema; a table without a file is empty.

    Raises
    ------
    CtaError
        The file is damaged, lacks a column, or holds what its column may not: never is something
        that cannot be read taken for nothing.
    """
    path = folder / f"{table}.parquet"
    if not path.exists():
        return table_schemas()[table].arrow.empty_table()
    content, _ = _read_checked(path, table)
    key = table_schemas()[table].key
    if has_twins(content, key):
        raise _twins(path, key)
    return content


def _read_rows(path: Path, table: str) -> dict[tuple, StoredRow]:
    """Return the rows of a file; lists are most of some tables, and are read when asked for."""
    content, file = _read_checked(path, table)
    schema = table_schemas()[table]
    lists = {field.name: field for field in schema.arrow if pa.types.is_list(field.type)}

    def read_lists(name: str) -> pa.ChunkedArray:
        column = file.read(columns=[name], use_threads=False)[name]
        return _column(path, column, lists[name])

    rows = stored_rows(
        content.drop_columns(list(lists)), schema.key, schema.arrow.names, read_lists
    )
    if len(rows) < content.num_rows:
        raise _twins(path, schema.key)
    del content
    # What was checked and is not kept goes back to the system only where Arrow is told.
    pa.default_memory_pool().release_unused()
    return rows


def _read_checked(path: Path, table: str) -> tuple[pa.Table, pq.ParquetFile]:
    """Return what a file holds with the present schema, all but its keys checked, and the file.

    The open file stays as it was read, also where another one takes its place.
    """
    schema = table_schemas()[table].arrow
    try:
        file = pq.ParquetFile(path)
        # Threads would each keep memory of their own.
        stored = file.read(use_threads=False)
        stored.validate(full=True)
    except (pa.ArrowException, OSError) as error:
        why = f"{error}".splitlines()[0].split(":")[-1].strip()
        raise _damaged(path, "the table cannot be read", why) from error
    absent = [name for name in schema.names if name not in stored.column_names]
    if absent:
        why = f"it has no column {', '.join(absent)}"
        raise _damaged(path, f"this is not the table {table} of this version", why)
    columns = [_column(path, stored[field.name], field) for field in schema]
    return pa.Table.from_arrays(columns, schema=schema), file


def _column(path: Path, stored: pa.ChunkedArray, field: pa.Field) -> pa.ChunkedArray:
    """Return a column as its schema has it."""
    try:
        column = stored.cast(field.type)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowTypeError) as error:
        why = f"column {field.name} holds {stored.type}, not {field.type}"
        raise _damaged(path, "the table is damaged", why) from error
    if column.null_count and not field.nullable:
        why = f"column {field.name} is part of the key, and {column.null_count} rows lack it"
        raise _damaged(path, "the table is damaged", why)
    return column


def _twins(path: Path, key: tuple[str, ...]) -> CtaError:
    return _damaged(path, "the table is damaged", f"two rows have one {', '.join(key)}")


def _damaged(path: Path, what: str, why: str) -> CtaError:
    next_step = "Restore it with `git checkout -- manifests` and run the command again"
    return CtaError(what, where=str(path), why=why, next_step=next_step)


def read_frame(folder: Path, table: str) -> pd.DataFrame:
    """Read one table as a pandas DataFrame with nullable, typed columns."""
    import pandas as pd  # few commands need it

    mapping = {
        pa.string(): pd.StringDtype(),
        pa.bool_(): pd.BooleanDtype(),
        pa.int64(): pd.Int64Dtype(),
    }
    return read_arrow(folder, table).to_pandas(types_mapper=mapping.get)


def _complete(schema: TableSchema, row: StoredRow) -> Row:
    unknown = set(row) - set(schema.arrow.names)
    if unknown:
        raise CtaError(f"table {schema.name} has no column {', '.join(sorted(unknown))}")
    complete = {name: _plain(row.get(name)) for name in schema.arrow.names}
    absent = [column for column in schema.key if complete[column] is None]
    if absent:
        raise CtaError(f"a row of table {schema.name} lacks {', '.join(absent)} of its key")
    for field in schema.arrow:
        # Arrow would cut the fraction off without a word.
        if field.type == pa.int64() and isinstance(complete[field.name], float):
            why = f"{field.name} is {complete[field.name]!r}, not a whole number"
            raise CtaError("a row does not fit its table", where=schema.name, why=why)
    return complete


def _plain(value: Any) -> Any:
    """Turn a value into what Parquet gives back, so that rows compare equal: NaN is null."""
    if isinstance(value, np.generic | np.ndarray):
        value = value.tolist()
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    if isinstance(value, float) and math.isnan(value):
        return None
    return value
