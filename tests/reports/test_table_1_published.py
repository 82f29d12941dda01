"""The paper's figures that travel with the package are those of the paper."""

from __future__ import annotations

import csv
import importlib.util
import math
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest

from cta_data.scoring.paper import published_table_1

REPOSITORY = Path(__file__).parents[2]
COUNTED = {"SUSM": 156, "UKHD": 308, "YNHH": 200, "UMMC": 47, "internal_mprage_train": 61}


def value(population: str, row: str) -> float:
    frame = published_table_1().set_index(["population", "row"])["value"]
    return float(frame[(population, row)])


def test_it_equals_the_transcribed_table(shared_data: Path) -> None:
    """Every cell of the CSV is there with its value, NA as missing, and nothing else is."""
    path = shared_data.parent / "paper" / "table_1.csv"
    if not path.is_file():
        pytest.skip("the transcribed tables of the paper are not here")
    with path.open(encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))
    expected = {
        (population, line["row"]): None if text == "NA" else float(text)
        for line in lines
        for population, text in line.items()
        if population != "row"
    }
    frame = published_table_1()
    stored = {(p, row): None if math.isnan(v) else v for p, row, v in frame.itertuples(index=False)}
    assert stored == expected
    assert len(frame) == len(expected)


def test_the_script_writes_the_same_bytes(shared_data: Path, tmp_path: Path) -> None:
    """The committed file is what docs/make_published.py makes of the CSV."""
    path = shared_data.parent / "paper" / "table_1.csv"
    if not path.is_file():
        pytest.skip("the transcribed tables of the paper are not here")
    script = REPOSITORY / "docs" / "make_published.py"
    spec = importlib.util.spec_from_file_location("make_published", script)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    made = module.long_form(path, "table_1")
    stored = pq.read_table(REPOSITORY / "manifests" / "published_table_1.parquet")
    assert stored.equals(made)


@pytest.mark.parametrize(("population", "patients"), COUNTED.items())
def test_known_cells(population: str, patients: int) -> None:
    """Patients of each cohort, and their sexes sum to them."""
    assert value(population, "patients") == patients
    assert value(population, "female") + value(population, "male") == patients


def test_what_is_not_printed_is_missing() -> None:
    """UKHD has mean and SD of age and no quartiles; SUSM has neither."""
    assert value("UKHD", "age_sd") == 11
    missing = [("UKHD", "age_q1"), ("SUSM", "age_centre"), ("YNHH", "age_sd")]
    assert all(math.isnan(value(*cell)) for cell in missing)
    assert isinstance(published_table_1(), pd.DataFrame)
