"""The columns of a table as it was read, each converted when a row is first asked for it.

Equal texts of a column are one object in memory; columns of lists are read when somebody asks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cache, cached_property, lru_cache
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from cta_data.study.session_id import SessionId
from cta_data.study.tables.table_row import TableRow

Stored = TypeVar("Stored", bound=TableRow)
_TOGETHER = 1 << 16
"""Rows whose texts are in memory before equal ones become one."""


def stored_rows(
    row_type: type[Stored],
    content: pa.Table,
    key: tuple[str, ...],
    lists: Callable[[str], StoredLists],
) -> dict[tuple, Stored]:
    """Return the rows of a table by their key, in the order of the table.

    Parameters
    ----------
    lists
        Gives the columns of lists, which are not in `content`.
    """
    if not content.num_rows:
        return {}
    columns = _Columns(content, lists)
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

    def __init__(self, content: pa.Table, lists: Callable[[str], StoredLists]) -> None:
        super().__init__()
        self._content = content
        self._lists = lists

    def __missing__(self, name: str) -> Sequence[Any]:
        here = name in self._content.column_names
        self[name] = values = _values(self._content[name]) if here else self._lists(name)
        return values

    @cached_property
    def sessions(self) -> Sequence[SessionId | None]:
        """Session of each row, equal ones as one object; None of a row that is about none."""
        one_of_all = cache(SessionId)
        labels = zip(*(self[name] for name in SessionId._fields), strict=True)
        return [one_of_all(*own) if own[0] else None for own in labels]


def _values(column: pa.ChunkedArray) -> list[Any]:
    if not pa.types.is_string(column.type):
        return column.to_pylist()
    # Arrow's own encoding would load all of its functions: a fifth of what a small query takes.
    once: dict[str | None, str | None] = {}
    pieces = (column.slice(start, _TOGETHER) for start in range(0, len(column), _TOGETHER))
    return [once.setdefault(text, text) for piece in pieces for text in piece.to_pylist()]


class StoredLists(Sequence[Any]):
    """A column of lists in a file: kept as Arrow has it for who asks for some, else read in pieces.

    Plans ask in the order of the table, so that the lists of neighbours are converted together.

    Parameters
    ----------
    checked
        Returns values as the column's schema has them, or raises `CtaError`.
    """

    TOGETHER = 1024
    """Rows that are read at a time."""
    NEIGHBOURS = 64
    """Rows that are converted at a time."""

    def __init__(
        self,
        file: pq.ParquetFile,
        name: str,
        checked: Callable[[pa.ChunkedArray], pa.ChunkedArray],
    ) -> None:
        self._file = file
        self._name = name
        self._checked = checked
        # A plan walks along several steps of a table at once.
        self._piece = lru_cache(maxsize=8)(self._converted)

    def __len__(self) -> int:
        return int(self._file.metadata.num_rows)

    def __getitem__(self, place: Any) -> Any:
        piece, within = divmod(place, self.NEIGHBOURS)
        return self._piece(piece)[within]

    def _converted(self, piece: int) -> list[Any]:
        return list(_lists(self._whole.slice(piece * self.NEIGHBOURS, self.NEIGHBOURS)))

    def __iter__(self) -> Iterator[Any]:
        pieces = self._file.iter_batches(self.TOGETHER, columns=[self._name], use_threads=False)
        for piece in pieces:
            yield from _lists(self._checked(pa.chunked_array([piece.column(0)])).combine_chunks())
        release_memory()

    @cached_property
    def _whole(self) -> pa.Array:
        column = self._file.read(columns=[self._name], use_threads=False)[self._name]
        whole = self._checked(column).combine_chunks()
        del column
        release_memory()
        return whole


def release_memory() -> None:
    """Give back what reading took and nothing holds: Arrow keeps it unless told."""
    pa.default_memory_pool().release_unused()


def _lists(array: pa.ListArray) -> Iterator[Any]:
    """Yield the lists of an array: several times as fast as one by one."""
    ends = array.offsets.to_pylist()
    values = array.values.slice(ends[0], ends[-1] - ends[0]).to_pylist()
    for valid, begin, end in zip(_valid(array), ends, ends[1:], strict=False):
        yield values[begin - ends[0] : end - ends[0]] if valid else None


def _valid(array: pa.Array) -> list[int]:
    """Return 0 for each null of an array and 1 for each value, from the bits that say so."""
    if not array.null_count:
        return [1] * len(array)
    bits = np.unpackbits(np.frombuffer(array.buffers()[0], np.uint8), bitorder="little")
    places: list[int] = bits[array.offset : array.offset + len(array)].tolist()
    return places
