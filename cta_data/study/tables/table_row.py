"""What every typed row of a table can do, and how a row that was read finds its values.

A study of 10,000 sessions has 100,000 rows of up to 26 columns, of which a plan looks at a few. A
row that was read knows its place in the columns of its table, and takes a value when somebody asks.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any, ClassVar, Protocol, Self

from cta_data.study.session_id import SessionId

SESSION = "session"
"""The one field that stands for three columns, in tables whose rows are about a session."""


class Columns(Protocol):
    """The columns of a table: the values of all rows by column, and the session of each row."""

    @property
    def sessions(self) -> Sequence[SessionId | None]:
        """Session of each row; None of a row that is about none."""
        ...

    def __getitem__(self, name: str, /) -> Sequence[Any]: ...


class TableRow:
    """One row. Its classes are frozen dataclasses whose fields are the columns of their table.

    Columns that are never null have a field that is never None; `cohort`, `subject` and `session`
    are one field of type `SessionId`.
    """

    __slots__ = ("_columns", "_place")
    TABLE: ClassVar[str]
    __dataclass_fields__: ClassVar[dict[str, dataclasses.Field[Any]]]

    @classmethod
    def stored(cls, columns: Columns, place: int) -> Self:
        """Return the row at a place of its table's columns, without looking at them."""
        row = object.__new__(cls)
        object.__setattr__(row, "_columns", columns)
        object.__setattr__(row, "_place", place)
        return row

    def __getattr__(self, name: str) -> Any:
        # Called where a slot is empty: a field of a row that was read, asked for the first time.
        if name not in self.__dataclass_fields__:
            raise AttributeError(f"{type(self).__name__} has no {name}")
        columns = self._columns
        value = (columns.sessions if name == SESSION else columns[name])[self._place]
        if type(value) is list:
            return tuple(value)  # not kept: lists are most of a table, and are asked for once
        object.__setattr__(self, name, value)
        return value

    def values(self, names: Sequence[str]) -> dict[str, Any]:
        """Return the values of some fields, but `session`, without keeping them in the row."""
        try:
            columns, place = self._columns, self._place
        except AttributeError:  # a row that was not read
            return {name: getattr(self, name) for name in names}
        found = {name: columns[name][place] for name in names}
        return {
            name: tuple(value) if type(value) is list else value for name, value in found.items()
        }

    def column(self, name: str) -> Any:
        """Return the value of a column of its table."""
        if SESSION in fields_of(type(self)) and name in SessionId._fields:
            session: SessionId | None = getattr(self, SESSION)
            return getattr(session, name) if session else ""
        return getattr(self, name)

    def columns(self) -> dict[str, Any]:
        """Return the values of all columns, in the order of its fields."""
        found: dict[str, Any] = {}
        for name in fields_of(type(self)):
            own = SessionId._fields if name == SESSION else (name,)
            found |= {column: self.column(column) for column in own}
        return found

    def as_stored(self) -> Self:
        """Return the row with values as Parquet gives them back, so that rows compare equal."""
        if not dataclasses.is_dataclass(self):
            raise TypeError(f"{type(self).__name__} is not a dataclass")
        plain = {
            name: new
            for name in fields_of(type(self))
            if (new := _plain(old := getattr(self, name))) is not old
        }
        return dataclasses.replace(self, **plain) if plain else self


def columns_of(row: TableRow) -> Columns:
    """Return the columns of the table that a row was read from."""
    return row._columns


_fields: dict[type, tuple[str, ...]] = {}


def fields_of(row_type: type[Any]) -> tuple[str, ...]:
    """Return the names of a row's fields."""
    if row_type not in _fields:
        _fields[row_type] = tuple(field.name for field in dataclasses.fields(row_type))
    return _fields[row_type]


def _plain(value: Any) -> Any:
    """Turn a value into what Parquet gives back: NaN is null, arrays and lists are tuples."""
    if hasattr(value, "tolist"):  # of numpy, which is not loaded for this
        value = value.tolist()
    if isinstance(value, list | tuple):
        entries = tuple(_plain(entry) for entry in value)
        return value if isinstance(value, tuple) and _are_same(entries, value) else entries
    if isinstance(value, float) and math.isnan(value):
        return None
    return value


def _are_same(entries: tuple[Any, ...], others: tuple[Any, ...]) -> bool:
    return all(one is other for one, other in zip(entries, others, strict=True))
