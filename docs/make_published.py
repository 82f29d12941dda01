"""Write manifests/published_table_1.parquet: python docs/make_published.py FOLDER_OF_CSV."""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

TARGET = Path(__file__).parents[1] / "manifests" / "published_table_1.parquet"
SCHEMA = pa.schema(
    [
        pa.field("table", pa.string(), False, {"description": "table of the paper"}),
        pa.field("population", pa.string(), False, {"description": "column of that table"}),
        pa.field("row", pa.string(), False, {"description": "row; its unit is in its name"}),
        pa.field("value", pa.float64(), True, {"description": "null where none is printed"}),
    ],
    metadata={"source": "doi:10.1186/s41747-025-00554-5"},
)


def long_form(path: Path, table: str) -> pa.Table:
    """Return a wide CSV (column `row`, then one column a population) in long form."""
    with path.open(encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))
    populations = [name for name in lines[0] if name != "row"]
    rows = [
        {
            "table": table,
            "population": population,
            "row": line["row"],
            "value": None if line[population] == "NA" else float(line[population]),
        }
        for population in populations
        for line in lines
    ]
    return pa.Table.from_pylist(rows, schema=SCHEMA)


def main() -> None:
    """Write the file."""
    content = long_form(Path(sys.argv[1]) / "table_1.csv", "table_1")
    pq.write_table(content, TARGET, compression="zstd")
    print(f"{TARGET.name}: {len(content)} values")


if __name__ == "__main__":
    main()
