"""An export in which seven patients are damaged in six ways: what is lost, and what comes back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from helpers.command_line import Cta, Outcome, copy_patients, edit, files_of
from pydicom import dcmread
from pydicom.dataset import Dataset

from cta_data.study.study import Study

pytestmark = [pytest.mark.slow, pytest.mark.thorough]

DAMAGES = ("good", "gap", "pixels", "stranger", "roi", "two", "header")
REASONS = {
    "gap": "SPACE (late): slices are missing (slice steps from 2.5 to 5.0 mm, 1 of 70 missing",
    "pixels": "a series of it (MR, 1 of 70 instances are damaged; the first is truncated: ",
    "stranger": "the structure set belongs to another image",
    "roi": "ROI 1: no rule of the card matches its name",
    "two": "two patients under one PatientID: PatientName differ between files",
    "header": "MPRAGE (early): slices are missing",
}


def refer_elsewhere(dataset: Dataset) -> None:
    """Have a structure set refer to an image that nobody has."""
    own = dataset.SeriesInstanceUID
    for item in dataset.iterall():
        named = item.keyword.startswith("Referenced") or "FrameOfReference" in item.keyword
        named = named or item.keyword == "SeriesInstanceUID"
        if item.VR == "UI" and "Class" not in item.keyword and named:
            item.value = f"{item.value}.99"[-60:].lstrip(".0")
    dataset.SeriesInstanceUID = own


def damage(patients: dict[str, Path]) -> None:
    """Damage one patient in each way; the folder's order of names is as good as any."""
    space = files_of(patients["gap"], "space_sag")
    for path in [p for p in space if p.read_bytes() == space[35].read_bytes()]:
        path.unlink()
    cut = files_of(patients["pixels"], "KM_10min")[10]
    cut.write_bytes(cut.read_bytes()[:-3000])
    edit(files_of(patients["stranger"], "RTSTRUCT")[0], refer_elsewhere)
    edit(files_of(patients["roi"], "RTSTRUCT")[0], rename_first_roi)
    for path in files_of(patients["two"], "KM_2min"):
        edit(path, rename_patient)
    cut = files_of(patients["header"], "KM_2min")[10]
    cut.write_bytes(cut.read_bytes()[:700])


def rename_first_roi(dataset: Dataset) -> None:
    """Give the first ROI a name that no rule knows."""
    dataset.StructureSetROISequence[0].ROIName = "Zielvolumen"


def rename_patient(dataset: Dataset) -> None:
    """Give a file another patient's name."""
    dataset.PatientName = "Verwechselt^Vera"


@pytest.fixture(scope="module")
def damaged(
    cta: Cta,
    new_study: Callable[[str], Path],
    patients: list[Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[Path, dict[str, str], Outcome, Outcome]:
    """A study with the damaged export added and converted, and each patient's label."""
    study, raw = new_study("damaged"), tmp_path_factory.mktemp("raw")
    copies = dict(zip(DAMAGES, copy_patients(patients, raw), strict=True))
    damage(copies)
    added = cta("add", "internal", raw, study=study)
    converted = cta("convert", "internal", study=study)
    table = (study / "datasets/internal/sourcedata/subjects.tsv").read_text("utf-8")
    labels = {row.split("\t")[1]: row.split("\t")[0] for row in table.splitlines()[1:]}
    names = {}
    for name, folder in copies.items():
        header = dcmread(next(p for p in folder.rglob("*") if p.is_file()))
        names[name] = labels[header.PatientID]
    return study, names, added, converted


def reason(study: Path, subject: str) -> str:
    """Why a subject is excluded; empty where it is not."""
    rows = Study(study).subjects()
    (row,) = rows[rows["subject"] == subject].to_dict("records")
    return row["exclusion_reason"] if row["partition"] == "excluded" else ""


def test_add_names_what_it_refuses(damaged: tuple[Path, dict[str, str], Outcome, Outcome]) -> None:
    """Exit code 3; damaged files by their paths, refused subjects in one line each."""
    _, names, added, _ = damaged
    assert added.code == 3
    lines = added.err.splitlines()
    assert sum(line.startswith("not read: ") for line in lines) == 2
    assert any("is truncated: it ends at byte 700, inside an element" in line for line in lines)
    refused = [line for line in lines if line.startswith("refused: ")]
    assert len(refused) == 2
    assert any(f"sub-{names['two']}: two patients under one PatientID" in line for line in refused)
    assert any(f"MR series of sub-{names['pixels']}: 1 of 70" in line for line in refused)
    assert "run `add` again" in added.text
    assert "6 accepted, 1 refused" in added.text


@pytest.mark.parametrize("name", DAMAGES)
def test_every_patient_is_converted_or_excluded_with_the_reason(
    damaged: tuple[Path, dict[str, str], Outcome, Outcome], name: str
) -> None:
    """The others are done and kept; nothing takes the place of a series that was refused."""
    study, names, _, converted = damaged
    assert converted.code == 3
    told = reason(study, names[name])
    assert REASONS.get(name, "") in told
    assert bool(told) == (name != "good")
    has_images = (study / "datasets" / "internal" / f"sub-{names[name]}").exists()
    assert has_images == (name in ("good", "roi", "stranger"))
    if told:
        assert any(word in told for word in ("Export", "add it again", "card"))


def test_subjects_in_are_subjects_out(
    damaged: tuple[Path, dict[str, str], Outcome, Outcome],
) -> None:
    """Seven came; the table has seven, of which six are excluded."""
    subjects = Study(damaged[0]).subjects()
    assert len(subjects) == 7
    assert (subjects["partition"] == "excluded").sum() == 6


def test_what_is_mended_comes_back(
    cta: Cta,
    damaged: tuple[Path, dict[str, str], Outcome, Outcome],
    patients: list[Path],
    tmp_path: Path,
) -> None:
    """Adding whole files again takes in what was refused, and no row of the refusal stays."""
    study, names, _, _ = damaged
    copy_patients(patients, tmp_path)
    again = cta("add", "internal", tmp_path, "--replace", study=study)
    assert again.code == 0, again.text
    outcome = cta("convert", study=study)
    assert outcome.code == 0, outcome.text
    subjects = Study(study).subjects()
    assert sorted(subjects["subject"]) == sorted(names.values())
    assert subjects["exclusion_reason"].isna().all()


def test_a_wrong_label_costs_nobody(
    cta: Cta,
    new_study: Callable[[str], Path],
    patients: list[Path],
) -> None:
    """A patient added under another's label is refused, then welcome under a label of their own."""
    study = new_study("label")
    assert cta("add", "internal", patients[0], "--id", "001", study=study).code == 0
    wrong = cta("add", "internal", patients[1], "--id", "001", study=study)
    assert wrong.code == 3
    assert "not the patient added before under this label" in wrong.text
    outcome = cta("convert", study=study)
    assert outcome.code == 3
    assert reason(study, "001") == ""
    assert "not the patient" in reason(study, "unknown1")
    assert cta("add", "internal", patients[1], study=study).code == 0
    assert cta("convert", study=study).code == 0
    assert sorted(Study(study).subjects()["subject"]) == ["001", "002"]
