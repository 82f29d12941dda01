"""Write docs/reference/tables.md from manifests/schemas.toml: python docs/make_reference.py."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).parents[1]
SCHEMAS = REPOSITORY / "manifests" / "schemas.toml"
TARGET = REPOSITORY / "docs" / "reference" / "tables.md"
TYPES = {
    "string": "text",
    "bool": "true or false",
    "int": "whole number",
    "float": "number",
    "strings": "list of text",
    "ints": "list of whole numbers",
    "floats": "list of numbers",
}
HEAD = """\
# Tables

<!-- Written by docs/make_reference.py from manifests/schemas.toml. Change that file instead. -->

Every table is one Parquet file, `manifests/<table>.parquet` in the study. Rows are ordered by the
table's key. Columns of the key always have a value, and so have those whose type says "always";
any other may be null. Types and units are also in the metadata of the Arrow schema.

From Python: `cta_data.open_study(path).<table>()` returns a typed DataFrame. From the terminal:
`cta-data query "select … from <table>"`. A table that has no file yet is empty.

"""


def reference(schemas: dict[str, Any]) -> str:
    """Return the page for these schemas: an overview, then a section a table."""
    overview = ["| table | one row is | key |", "|---|---|---|"]
    for name, table in schemas.items():
        overview.append(f"| [{name}](#{name}) | {table['row']} | {_code(table['key'])} |")
    sections = [_section(name, table) for name, table in schemas.items()]
    return HEAD + "\n".join(overview) + "\n\n" + "\n".join(sections)


def _section(name: str, table: dict[str, Any]) -> str:
    lines = [f"## {name}", "", f"One row is {table['row']}. Key: {_code(table['key'])}.", ""]
    lines += ["| column | type | unit | meaning |", "|---|---|---|---|"]
    for column, about in table["columns"].items():
        meaning = about["description"].replace("|", "\\|").replace("<", "&lt;")
        unit = about.get("unit", "")
        kind = TYPES[about["type"]] + (", always" if about.get("required") else "")
        lines.append(f"| `{column}` | {kind} | {unit} | {meaning} |")
    return "\n".join(lines) + "\n"


def _code(names: list[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def main() -> None:
    """Write the page."""
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    TARGET.write_text(reference(tomllib.loads(SCHEMAS.read_text("utf-8"))), encoding="utf-8")


if __name__ == "__main__":
    main()
