"""The columns of a table as it was read, each converted when a row is first asked for it.

Equal texts of a column are one object in memory; columns of lists are read when somebody asks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

import pyarrow as pa

from cta_data.study.tables.table_row import TableRow

Stored = TypeVar("Stored", bound=TableRow)


def stored_rows(
    row_type: type[Stored],
    content: pa.Table,
    key: tuple[str, ...],
    read: Callable[[str], pa.ChunkedArray],
) -> dict[tuple, Stored]:
    """Return the rows of a table by their key, in the order of the table.

    Parameters
    ----------
    read
        Gives columns that are not in `content`.
    """
    if not content.num_rows:
        return {}
    columns = _Columns(content, read)
    return {own: row_type.stored(columns, place) for place, own in enumerate(_keys(columns, key))}


def has_twins(content: pa.Table, key: tuple[str, ...]) -> bool:
    """Return whether two rows of a table have one key."""
    # Arrow's own grouping would load pandas for it.
    texts = (_values(content[name]) for name in key)
    return len(set(zip(*texts, strict=True))) < content.num_rows


def _keys(columns: _Columns, key: tuple[str, ...]) -> Iterator[tuple]:
    return zip(*(columns[name] for name in key), strict=True)


class _Columns(dict[str, Sequence[Any]]):
    """The columns of a table by name, each converted when it is first asked for."""

    def __init__(self, content: pa.Table, read: Callable[[str], pa.ChunkedArray]) -> None:
        super().__init__()
        self._content = content
        self._read = read

    def __missing__(self, name: str) -> Sequence[Any]:
        here = name in self._content.column_names
        self[name] = values = _values(self._content[name] if here else self._read(name))
        return values


def _values(column: pa.ChunkedArray) -> Sequence[Any]:
    if pa.types.is_list(column.type):
        return _Lists(column)
    if not pa.types.is_string(column.type):
        return column.to_pylist()
    encoded = column.combine_chunks().dictionary_encode()
    texts = encoded.dictionary.to_pylist()
    return [None if place is None else texts[place] for place in encoded.indices.to_pylist()]


class _Lists(Sequence[Any]):
    """A column of lists; each is made when it is asked for."""

    def __init__(self, column: pa.ChunkedArray) -> None:
        self._array = column.combine_chunks()

    def __getitem__(self, place: Any) -> Any:
        return self._array[place].as_py()

    def __len__(self) -> int:
        return len(self._array)
