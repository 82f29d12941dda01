"""Tables of a study as Parquet files: typed, ordered by their key, written atomically.

The same rows give the same bytes: no clock, no host and no writer's state go into a file.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from cta_data.errors import CtaError
from cta_data.files import Stamp, file_stamp, written_whole
from cta_data.study import layout
from cta_data.study.session_id import SessionId
from cta_data.study.tables.schemas import table_schemas
from cta_data.study.tables.stored_rows import StoredLists, has_twins, release_memory, stored_rows
from cta_data.study.tables.table_row import TableRow, columns_of
from cta_data.versioning.git_index import is_known

if TYPE_CHECKING:
    import pandas as pd

Stored = TypeVar("Stored", bound=TableRow)
Key = tuple[Any, ...]
"""Values of the columns that identify a row, in the order of its schema."""


class Tables:
    """All tables of one study, held in memory by the one process that may change them.

    Parameters
    ----------
    folder
        The study's `manifests` folder. Tables that have no file yet are empty; one whose file was
        deleted is an error.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._rows: dict[str, dict[Key, Any]] = {}
        self._groups: dict[tuple[str, tuple[str, ...]], dict[Key, list[Any]]] = {}
        self._changed: set[str] = set()
        self._as_read: set[str] = set()
        self._stamps: dict[str, Stamp] = {}

    def rows(self, of: type[Stored]) -> list[Stored]:
        """Return the rows of a table, in no particular order."""
        return list(self._load(of).values())

    def columns(self, of: type[TableRow], *names: str) -> Iterable[tuple[Any, ...]]:
        """Return some columns of all rows, in no particular order: cheaper than to ask each row."""
        rows = self._load(of).values()
        if of.TABLE in self._as_read and rows:
            stored = columns_of(next(iter(rows)))
            return zip(*(stored[name] for name in names), strict=True)
        return (tuple(map(row.column, names)) for row in rows)

    def by_key(self, of: type[Stored]) -> Mapping[Key, Stored]:
        """Return the rows of a table by their key."""
        return self._load(of)

    def replace(
        self,
        of: type[Stored],
        columns: tuple[str, ...],
        scopes: Set[Key],
        rows: Iterable[Stored],
    ) -> None:
        """Drop the rows whose `columns` are in `scopes`, then add `rows`."""
        kept = {
            key: row
            for key, row in self._load(of).items()
            if tuple(map(row.column, columns)) not in scopes
        }
        self._store(of, kept | _complete(of, rows))

    def upsert(self, rows: Sequence[Stored]) -> None:
        """Add rows of one table, each in place of the one with the same key."""
        if rows:
            of = type(rows[0])
            self._store(of, {**self._load(of), **_complete(of, rows)})

    def index(self, of: type[Stored], columns: tuple[str, ...]) -> Mapping[Key, list[Stored]]:
        """Return the rows of a table, grouped by some of its columns."""
        if (of.TABLE, columns) not in self._groups:
            self._groups[of.TABLE, columns] = self._grouped(of, columns)
        return self._groups[of.TABLE, columns]

    def of_session(self, of: type[Stored], session: SessionId) -> list[Stored]:
        """Return the rows of a table about one session."""
        return self.index(of, SessionId._fields).get(session, [])

    def _grouped(self, of: type[Stored], columns: tuple[str, ...]) -> dict[Key, list[Stored]]:
        key = table_schemas()[of.TABLE].key
        groups: dict[Key, list[Stored]] = {}
        if columns == key[: len(columns)]:  # as mostly: nothing has to be looked up in the rows
            for own, row in self._load(of).items():
                groups.setdefault(own[: len(columns)], []).append(row)
            return groups
        for row in self._load(of).values():
            groups.setdefault(tuple(map(row.column, columns)), []).append(row)
        return groups

    def refresh(self) -> None:
        """Forget each table whose file was written since it was read, but those to be written."""
        for table in self._rows.keys() - self._changed:
            if file_stamp(self._file(table)) != self._stamps[table]:
                self._forget_groups(table)
                del self._rows[table]

    def changed(self) -> bool:
        """Return whether any table differs from its file."""
        return bool(self._changed)

    def flush(self) -> list[Path]:
        """Write every changed table; return the files that were written."""
        written = []
        for table in sorted(self._changed):
            rows = self._rows[table]
            write_rows(self.folder, table, [rows[key] for key in sorted(rows)])
            written.append(self._file(table))
            self._stamps[table] = file_stamp(written[-1])
        self._changed.clear()
        return written

    def _store(self, of: type[Stored], rows: dict[Key, Stored]) -> None:
        if rows != self._load(of):
            self._changed.add(of.TABLE)
            self._as_read.discard(of.TABLE)
            self._rows[of.TABLE] = rows
            self._forget_groups(of.TABLE)

    def _forget_groups(self, table: str) -> None:
        self._groups = {key: found for key, found in self._groups.items() if key[0] != table}

    def _file(self, table: str) -> Path:
        return self.folder / f"{table}.parquet"

    def _load(self, of: type[Stored]) -> dict[Key, Stored]:
        if of.TABLE not in self._rows:
            path = self._file(of.TABLE)
            self._stamps[of.TABLE] = file_stamp(path)
            # To make an empty table of Arrow would load pandas.
            there = self._stamps[of.TABLE] is not None
            if not there:
                _require_never_made(path)
            self._rows[of.TABLE] = _read_rows(path, of) if there else {}
            self._as_read.add(of.TABLE)
        return self._rows[of.TABLE]


def write_rows(folder: Path, table: str, rows: Sequence[TableRow]) -> None:
    """Write one table atomically, in the order given.

    Raises
    ------
    CtaError
        A value does not fit its column's type.
    """
    schema = table_schemas()[table]
    try:
        content = pa.Table.from_pylist([row.columns() for row in rows], schema=schema.arrow)
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError) as error:
        raise CtaError("table_rows_invalid", where=layout.table(table), error=str(error)) from error
    folder.mkdir(parents=True, exist_ok=True)
    with written_whole(folder / f"{table}.parquet") as unfinished:
        pq.write_table(content, unfinished, compression="zstd")


def read_arrow(folder: Path, table: str) -> pa.Table:
    """Read one table with its present schema; a table that was never made is empty.

    Raises
    ------
    CtaError
        The file was deleted, is damaged, lacks a column, or holds what its column may not: never is
        something that cannot be read taken for nothing.
    """
    path = folder / f"{table}.parquet"
    if not path.exists():
        _require_never_made(path)
        # Arrow's own empty table would load pandas.
        return pa.Table.from_batches([], schema=table_schemas()[table].arrow)
    content, _ = _read_checked(path, table)
    key = table_schemas()[table].key
    if has_twins(content, key):
        raise _twins(path, key)
    return content


def _require_never_made(path: Path) -> None:
    """Check that a table without a file has none because nothing was written yet.

    Raises
    ------
    CtaError
        The study has it, and somebody deleted the file.
    """
    name = layout.table(path.stem)
    if is_known(path.parent.parent, name):
        raise CtaError("table_deleted", where=name)


def _read_rows(path: Path, of: type[Stored]) -> dict[Key, Stored]:
    """Return the rows of a file; lists are most of some tables, and are read when asked for."""
    content, file = _read_checked(path, of.TABLE)
    schema = table_schemas()[of.TABLE]
    lists = {field.name: field for field in schema.arrow if pa.types.is_list(field.type)}

    def lists_of(name: str) -> StoredLists:
        return StoredLists(file, name, lambda column: _column(path, column, lists[name]))

    rows = stored_rows(of, content.drop_columns(list(lists)), schema.key, lists_of)
    if len(rows) < content.num_rows:
        raise _twins(path, schema.key)
    del content
    release_memory()
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
        raise CtaError("table_unreadable", where=path, error=why) from error
    absent = [name for name in schema.names if name not in stored.column_names]
    if absent:
        raise CtaError("table_columns_missing", where=path, table=table, columns=absent)
    repeated = [name for name in schema.names if stored.column_names.count(name) > 1]
    if repeated:
        raise CtaError("table_columns_repeated", where=path, table=table, columns=repeated)
    columns = [_column(path, stored[field.name], field) for field in schema]
    return pa.Table.from_arrays(columns, schema=schema), file


def _column(path: Path, stored: pa.ChunkedArray, field: pa.Field) -> pa.ChunkedArray:
    """Return a column as its schema has it."""
    try:
        if _kind(stored.type) not in (_kind(field.type), _kind(pa.null())):
            raise pa.ArrowTypeError("it would be converted without a word")
        # To convert loads Arrow's functions, which mostly nothing needs.
        column = stored if stored.type == field.type else stored.cast(field.type)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowTypeError) as error:
        raise CtaError(
            "table_column_type_differs",
            where=path,
            column=field.name,
            stored_type=stored.type,
            expected_type=field.type,
        ) from error
    if column.null_count and not field.nullable:
        raise CtaError(
            "table_values_missing", where=path, column=field.name, n_rows=column.null_count
        )
    return column


def _kind(stored: pa.DataType) -> str:
    """Return what values of a type are: text is no number, though Arrow would convert it."""
    if pa.types.is_dictionary(stored):
        return _kind(stored.value_type)
    if pa.types.is_list(stored) or pa.types.is_large_list(stored):
        return f"list of {_kind(stored.value_type)}"
    if pa.types.is_integer(stored) or pa.types.is_floating(stored):
        return "number"
    return str(pa.string() if pa.types.is_large_string(stored) else stored)


def _twins(path: Path, key: tuple[str, ...]) -> CtaError:
    return CtaError("table_key_not_unique", where=path, key=key)


def read_frame(folder: Path, table: str) -> pd.DataFrame:
    """Read one table as a pandas DataFrame with nullable, typed columns."""
    import pandas as pd  # few commands need it

    mapping = {
        pa.string(): pd.StringDtype(),
        pa.bool_(): pd.BooleanDtype(),
        pa.int64(): pd.Int64Dtype(),
    }
    return read_arrow(folder, table).to_pandas(types_mapper=mapping.get)


def _complete(of: type[Stored], rows: Iterable[Stored]) -> dict[Key, Stored]:
    """Return rows by their key, with values as Parquet gives them back.

    Raises
    ------
    CtaError
        A row is one of another table, lacks a value, or holds a fraction where a number is whole.
    """
    schema = table_schemas()[of.TABLE]
    complete: dict[Key, Stored] = {}
    for row in rows:
        if type(row) is not of:
            raise CtaError("row_of_another_table", table=row.TABLE, expected_table=of.TABLE)
        plain = row.as_stored()
        for field in schema.arrow:
            value = plain.column(field.name)
            if value is None and not field.nullable:
                raise CtaError("row_value_missing", where=of.TABLE, field=field.name)
            # Arrow would cut the fraction off without a word.
            if field.type == pa.int64() and isinstance(value, float):
                why = f"{field.name} is {value!r}, not a whole number"
                raise CtaError("row_value_invalid", where=of.TABLE, why=why)
        complete[tuple(map(plain.column, schema.key))] = plain
    return complete
