"""A clinical table as it leaves the raw data: every column but who it is about."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from helpers.clinical_workbook import write_workbook

from cta_data.cohorts.clinical.card import ClinicalTable
from cta_data.cohorts.clinical.people import read_clinical
from cta_data.cohorts.clinical.phenotype import Phenotype, PhenotypeColumn, PhenotypeRow


def phenotype(folder: Path, *rows: list[Any], **changes: Any) -> Phenotype:
    """Return the only phenotype of a workbook with these rows, the header first."""
    write_workbook(folder / "t.xlsx", {"Data": rows})
    card = {"file": "t.xlsx", "name": "t", "keys": {"subject": "^BraTS_MET_ID$"}}
    card |= {"publish": [""], **changes}
    (only,) = read_clinical([ClinicalTable.model_validate(card)], folder).phenotypes()
    return only


def test_every_filled_column_that_is_published_is_kept_in_its_order(tmp_path: Path) -> None:
    """But the key; columns without a cell are left out, an empty cell is an empty text."""
    found = phenotype(
        tmp_path,
        ["Death", "BraTS_MET_ID", "empty", "Volume", "participant_id"],
        [1.0, "BraTS-MET-00086-000", None, 0.12, "x"],
        [None, "BraTS-MET-00089-000", None, 1.5, "x"],
    )
    assert found.columns == (
        PhenotypeColumn("Death", "Death", ("1",)),
        PhenotypeColumn("Volume", "Volume", ("0.12", "1.5")),
        PhenotypeColumn("source_participant_id", "participant_id", ("x",)),
    )
    assert found.rows == (
        PhenotypeRow("BraTS-MET-00086-000", "", ("1", "0.12", "x")),
        PhenotypeRow("BraTS-MET-00089-000", "", ("", "1.5", "x")),
    )
    assert found.withheld == ("BraTS_MET_ID",)
    assert found.sidecar()["Death"]["Levels"] == {"1": "1"}


def test_levels_are_listed_up_to_twenty(tmp_path: Path) -> None:
    """A column with more is described without them."""
    rows = [[f"p{i}", i % 20, i] for i in range(21)]
    found = phenotype(tmp_path, ["BraTS_MET_ID", "few", "many"], *rows)
    assert [len(c.levels or ()) for c in found.columns] == [20, 0]
    assert "Levels" not in found.sidecar()["many"]


def test_columns_that_name_patients_are_withheld(tmp_path: Path) -> None:
    """A second identifier and names of files, whatever the card says; a chance number is not."""
    found = phenotype(
        tmp_path,
        ["BraTS_MET_ID", "file", "again", "Age"],
        [103, "GK.103_1_LR atrium", "GK_103", 60],
        [60, "GK.60_1_LL atrium", "GK_60", 60],
        keys={"subject": "^BraTS_MET_ID$", "subject_id": "GK_{value}"},
    )
    assert [column.name for column in found.columns] == ["Age"]
    assert found.withheld == ("BraTS_MET_ID", "file", "again")


def test_only_columns_that_the_card_lists_are_published(tmp_path: Path) -> None:
    """A column that nobody thought of stays with the raw data, whatever it is called."""
    rows = ["BraTS_MET_ID", "name", "Physician", "Death"], [1, "Li, Bo", "Dr. No", 0]
    assert phenotype(tmp_path, *rows, publish=["^death$"]).columns == (
        PhenotypeColumn("Death", "Death", ("0",)),
    )
    nothing = phenotype(tmp_path, *rows, publish=[])
    assert nothing.columns == () and nothing.withheld == tuple(rows[0])


def test_a_table_of_lesions_is_no_phenotype(tmp_path: Path) -> None:
    """What its card publishes goes with the lesion rows, and nothing else does."""
    head = ["BraTS_MET_ID", "visit", "lesion", "outcome", "comment"]
    write_workbook(tmp_path / "x.xlsx", {"s": [head, [1, 1, "R atrium", "stable", "seen by X"]]})
    card = ClinicalTable.model_validate(
        {
            "file": "xlsx$",
            "name": "lesions",
            "keys": {"subject": "^BraTS_MET_ID$", "session": "^visit$"},
            "lesions": {"name": "^lesion$", "publish": ["^outcome$"]},
        }
    )
    clinical = read_clinical([card], tmp_path)
    assert clinical.phenotypes() == []
    assert [row.values for row in clinical.lesion_rows("1", "1")] == [{"outcome": "stable"}]
