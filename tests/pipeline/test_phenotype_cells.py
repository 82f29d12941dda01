"""What was typed into published columns of a restricted cohort does not lead back to anybody."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from helpers.clinical_workbook import write_workbook
from helpers.command_line import run_cta
from helpers.plain_study import plain_card, write_plain_patients
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

from cta_data.cohorts.clinical.card import ClinicalTable
from cta_data.cohorts.clinical.people import read_clinical
from cta_data.intake import Inventory, SeriesRow, SubjectRow
from cta_data.intake.identities import identity_of_cohort
from cta_data.intake.pack import write_series

TABLE = r"""
[[clinical]]
file = 'list\.csv$'
name = "list"
publish = ['.']
keys = { subject = '^patient$' }
columns = { age_years = '^age$', sex = '^sex$' }
"""
ROWS = """patient,sex,age,histology,survival,seen by muster,name
muster,f,95,"Adeno (Fr. Muster, *19.2.1924)",12 (gest. 03.04.2021),no,Wilhelmine Zaun
probe,m,59,"SCLC, siehe Muster",7,yes,Otto Rotkehl
drossel,m,aged 91,see Otto,7,yes,n/a
"""


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A converted study of a restricted cohort with such a table, and what `add` printed."""
    work = tmp_path_factory.mktemp("cells")
    write_plain_patients(work / "raw", ("muster", "probe", "drossel"))
    (work / "raw/list.csv").write_text(ROWS, "utf-8")
    card = plain_card("mine", pattern="").replace('"public"', '"restricted"')
    assert 'access = "restricted"' in card
    (work / "mine.toml").write_text(card + TABLE, "utf-8")
    root = work / "study"
    assert run_cta("init", root, "--empty").code == 0
    added = run_cta("add", "mine", work / "raw", "--card", work / "mine.toml", study=root)
    assert added.code == 0, added.text
    assert run_cta("convert", study=root).code == 0
    return root, added.err


def test_cells_and_headers_name_nobody(study: tuple[Path, str]) -> None:
    """Neither the patient of the row, nor another one, nor a date; the disease stays."""
    folder = study[0] / "datasets/mine/phenotype"
    table, sidecar = ((folder / f"list.{end}").read_text("utf-8") for end in ("tsv", "json"))
    for told in ("muster", "otto", "1924", "2021", "95", "91", "rotkehl", "wilhelmine"):
        assert told not in (table + sidecar).lower(), told
    head, *rows = [line.split("\t") for line in table.splitlines()]
    assert head == ["participant_id", "sex", "age", "histology", "survival", "column_5"]
    assert sorted(row[2] for row in rows) == ["59", "89", "aged 89"]
    assert sorted(row[3] for row in rows) == [
        "Adeno (Fr. ***, *[date])",
        "SCLC, siehe ***",
        "see ***",
    ]
    assert set(json.loads(sidecar)["survival"]["Levels"]) == {"12 (gest. [date])", "7"}


def test_columns_that_needed_it_are_told(study: tuple[Path, str]) -> None:
    """When they are added, and by `doctor`."""
    doctor = run_cta("doctor", study=study[0])
    for text in (study[1], doctor.out + doctor.err):
        line = next(one for one in text.splitlines() if "were replaced in" in one)
        assert all(column in line for column in ("'age'", "'histology'", "'survival'"))
        assert "'sex'" not in line


def test_ages_are_capped_in_every_table(study: tuple[Path, str]) -> None:
    """A higher age than 89 singles out a person in a small cohort."""
    ages = run_cta("query", "select max(age_years) as age from subjects", study=study[0])
    assert "89" in ages.text and "95" not in ages.text
    assert "95" not in (study[0] / "datasets/mine/participants.tsv").read_text("utf-8")


def _with_series(folder: Path, name: str) -> Inventory:
    """Return an inventory of one patient whose header says who it is."""
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.SOPClassUID, dataset.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.4", generate_uid()
    dataset.PatientName, dataset.PatientID, dataset.PatientBirthDate = name, "77123", "19240219"
    content = io.BytesIO()
    dataset.save_as(content, enforce_file_format=True)
    staging = folder / "staging"
    staging.mkdir(exist_ok=True)
    write_series([("1.dcm", content.getvalue())], folder / "a.tar", staging)
    row = SeriesRow("001", "1", "a", "a.tar", "MR", "MR", "", 1, "1.2", "1.3", "", "", "", "", {})
    return Inventory(folder, [SubjectRow("001", "77123", "accepted")], [row])


def test_headers_say_who_is_looked_for(tmp_path: Path) -> None:
    """Without them nobody can say that a table is free of names: there is no answer."""
    write_workbook(tmp_path / "t.xlsx", {"s": [["id", "full name"], ["77123", "Li, Bo"]]})
    card = {"file": "t.xlsx", "name": "t", "keys": {"subject": "^id$"}}
    clinical = read_clinical([ClinicalTable.model_validate(card)], tmp_path)
    inventory = _with_series(tmp_path, "Zaun^Eva")
    identity = identity_of_cohort(inventory, clinical, "")
    assert identity is not None
    assert identity.names == {"Zaun^Eva", "Li, Bo"}
    assert identity.numbers == {"77123"} and identity.birth_dates == {"19240219"}
    assert identity_of_cohort(_with_series(tmp_path, "Anonymous"), clinical, "") is not None
    (tmp_path / "a.tar").unlink()
    assert identity_of_cohort(inventory, clinical, "") is None
