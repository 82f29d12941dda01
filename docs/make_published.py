"""Write manifests/published_*.parquet: python docs/make_published.py FOLDER_OF_CSV."""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

MANIFESTS = Path(__file__).parents[1] / "manifests"
SOURCE = {"source": "doi:10.1186/s41747-025-00554-5"}
SCHEMA = pa.schema(
    [
        pa.field("table", pa.string(), False, {"description": "table of the paper"}),
        pa.field("population", pa.string(), False, {"description": "column of that table"}),
        pa.field("row", pa.string(), False, {"description": "row; its unit is in its name"}),
        pa.field("value", pa.float64(), True, {"description": "null where none is printed"}),
    ],
    metadata=SOURCE,
)
SCORE_SCHEMA = pa.schema(
    [
        pa.field("table", pa.string(), False, {"description": "table of the paper"}),
        pa.field("test_set", pa.string(), False, {"description": "test set, as it is printed"}),
        pa.field("model", pa.string(), True, {"description": "A, B or C; null for A against B"}),
        pa.field("metric", pa.string(), False, {"description": "what is scored"}),
        pa.field("statistic", pa.string(), False, {"description": "mean, sd, …, or p_value"}),
        pa.field("value", pa.float64(), False, {"description": "as printed, see unit"}),
        pa.field("unit", pa.string(), False, {"description": "percent or fraction"}),
    ],
    metadata=SOURCE,
)
FOUND_SCHEMA = pa.schema(
    [
        pa.field("test_set", pa.string(), False, {"description": "test set, as it is printed"}),
        pa.field("found_only_by", pa.string(), False, {"description": "A or B"}),
        pa.field(
            "lesions",
            pa.int64(),
            False,
            {"description": "reference lesions that this model found and the other did not"},
        ),
        pa.field(
            "additional_per_patient",
            pa.float64(),
            False,
            {"description": "lesions that B found in addition, per patient, as printed"},
        ),
    ],
    metadata=SOURCE,
)
ADDITIONAL_PER_PATIENT = {
    "SUSM": 0.84,
    "YNHH": 0.405,
    "UMMC": 0.17,
    "UKHD": 0.08,
    "SPACE": 0.4,
    "MPRAGE": 0.07,
}
"""As the paper's text rounds them; they are (only B − only A) ÷ patients."""
SCORE_FILES = (
    ("tables_2_3.csv", None),
    ("table_4.csv", "table_4"),
    ("segmentation_space_test_set.csv", "segmentation_space"),
)
"""Files of scores, and the table that each holds; None where a column tells it."""
SPACE_ONLY = "SPACE"
P_VALUE = "p_value_a_vs_b"


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


def score_form(folder: Path) -> pa.Table:
    """Return the scores of Tables 2 to 4 and of SPACE's segmentation, one row a printed number."""
    rows: dict[tuple[str | None, ...], dict[str, object]] = {}
    for name, table in SCORE_FILES:
        with (folder / name).open(encoding="utf-8", newline="") as file:
            for line in csv.DictReader(file):
                for row in _scores(line, table or f"table_{line['table']}"):
                    key = tuple(row[column] for column in SCORE_SCHEMA.names[:5])
                    if rows.setdefault(key, row) != row:
                        raise ValueError(f"{name}: two values of {key}")
    return pa.Table.from_pylist(list(rows.values()), schema=SCORE_SCHEMA)


def _scores(line: dict[str, str], table: str) -> list[dict[str, object]]:
    """Return the numbers of one line; a p-value is printed once for both models."""
    about = ("table", "test_set", "model", "metric")
    found = []
    for column, text in line.items():
        if column in about:
            continue
        is_p = column == P_VALUE
        statistic = "p_value" if is_p else column.removesuffix("_percent")
        found.append(
            {
                "table": table,
                "test_set": line.get("test_set", SPACE_ONLY),
                "model": None if is_p else line["model"],
                "metric": line["metric"],
                "statistic": statistic,
                "value": float(text),
                "unit": "percent" if column.endswith("_percent") else "fraction",
            }
        )
    return found


def found_form(path: Path) -> pa.Table:
    """Return the lesions that one model alone found, one row a test set and model."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = [
            {
                "test_set": line["test_set"],
                "found_only_by": model,
                "lesions": int(line[f"found_only_by_{model.lower()}"]),
                "additional_per_patient": ADDITIONAL_PER_PATIENT[line["test_set"]],
            }
            for line in csv.DictReader(file)
            for model in ("B", "A")
        ]
    return pa.Table.from_pylist(rows, schema=FOUND_SCHEMA)


def main() -> None:
    """Write the files."""
    folder = Path(sys.argv[1])
    for name, content in (
        ("published_table_1.parquet", long_form(folder / "table_1.csv", "table_1")),
        ("published_scores.parquet", score_form(folder)),
        ("published_found_instances.parquet", found_form(folder / "found_instances.csv")),
    ):
        pq.write_table(content, MANIFESTS / name, compression="zstd")
        print(f"{name}: {len(content)} values")


if __name__ == "__main__":
    main()
