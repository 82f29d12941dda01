"""Schema of every table, read from the reference data that travels with the package."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import pyarrow as pa

ARROW_TYPES: dict[str, pa.DataType] = {
    "string": pa.string(),
    "bool": pa.bool_(),
    "int": pa.int64(),
    "float": pa.float64(),
    "strings": pa.list_(pa.string()),
    "ints": pa.list_(pa.int64()),
    "floats": pa.list_(pa.float64()),
}


@dataclass(frozen=True)
class TableSchema:
    """One table: what a row is, which columns identify it, and all columns with their units."""

    name: str
    row: str
    key: tuple[str, ...]
    arrow: pa.Schema


@cache
def table_schemas() -> dict[str, TableSchema]:
    """Return the schema of every table of a study by its name."""
    text = files("cta_data_reference.manifests").joinpath("schemas.toml").read_text("utf-8")
    return {name: _schema(name, entry) for name, entry in tomllib.loads(text).items()}


def _schema(name: str, entry: dict) -> TableSchema:
    fields = [
        pa.field(
            column,
            ARROW_TYPES[about["type"]],
            nullable=column not in entry["key"] and not about.get("required", False),
            metadata={k: v for k, v in about.items() if k in ("unit", "description")},
        )
        for column, about in entry["columns"].items()
    ]
    return TableSchema(
        name, entry["row"], tuple(entry["key"]), pa.schema(fields, metadata={"row": entry["row"]})
    )
