"""Rows of tables from the few columns that a test is about."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

import pyarrow as pa

from cta_data.study.session_id import SessionId
from cta_data.study.tables import TableRow, Tables, table_schemas
from cta_data.study.tables.table_row import SESSION, fields_of

Made = TypeVar("Made", bound=TableRow)
ANYTHING: dict[pa.DataType, Any] = {pa.string(): "", pa.bool_(): True, pa.int64(): 0}
"""Stands in columns that always have a value, where a test does not look at it."""


def typed(of: type[Made], columns: Mapping[str, Any]) -> Made:
    """Return a row with these columns; others that are not null hold `ANYTHING`."""
    schema, content = table_schemas()[of.TABLE], dict(columns)
    for field in schema.arrow:
        if not field.nullable and field.name not in schema.key:
            content.setdefault(field.name, ANYTHING.get(field.type, ()))
    if SESSION in fields_of(of):
        labels = [content.pop(name) for name in SessionId._fields]
        content[SESSION] = SessionId(*labels) if labels[0] else None
    return of(**content)


def upsert(tables: Tables, of: type[TableRow], rows: Iterable[Mapping[str, Any]]) -> None:
    """Add rows that are given as columns."""
    tables.upsert([typed(of, row) for row in rows])
