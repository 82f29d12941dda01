"""Books are kept where sessions change, and nowhere else."""

from __future__ import annotations

from pathlib import Path

import pytest
from helpers.command_line import run_cta
from helpers.light_study import add_patient, make_light_study, train, use_stand_in

from cta_data.cohorts.clinical import people
from cta_data.cohorts.clinical.people import Clinical
from cta_data.engine import ExecutorOptions, RunOptions
from cta_data.pipeline.build import build_step
from cta_data.pipeline.runner import execute
from cta_data.study import layout
from cta_data.study.session_id import SessionId
from cta_data.study.sourcedata import CLINICAL, SeriesRow, write_series
from cta_data.study.study import Study
from cta_data.study.tables import UnitRow
from cta_data.study.unit_id import UnitId
from cta_data.training import runner
from cta_data.training.machine import machine_for
from cta_data.training.runner import TrainingRequest, train_models

GONE = SessionId("susm", "s0", "1")
WORDS = ("--on", "susm", "--device", "cpu", "--setting", "A")
PARTICIPANTS = f"{layout.cohort('susm')}/participants.tsv"


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Folders of clinical tables in the order in which they are read."""
    folders: list[Path] = []

    def read_clinical(tables: object, folder: Path) -> Clinical:
        folders.append(folder)
        return Clinical(())

    monkeypatch.setattr(people, "read_clinical", read_clinical)
    return folders


def light_study(path: Path) -> Study:
    """A study with a build that is up to date and a trained model."""
    study = make_light_study(path)
    for number in range(5):
        add_patient(study, "internal", f"n{number}", "NAQ", number)
    add_patient(study, "susm", "s0", "NAQ", 900)
    execute(study, [build_step(study, "A")], RunOptions(command=("cta-data", "build")))
    train(study, "A", (0, 1))
    return study


def let_vanish(study: Study) -> str:
    """Have sourcedata hold somebody else than what was converted; return what that one left."""
    row = study.tables.by_key(UnitRow)[UnitId("convert", GONE).key]
    output = f"{layout.derivatives('susm')}/sub-s0/MPRAGE_brain.nii.gz"
    study.tables.upsert([UnitRow.of(row.id, key="k", status="ok", outputs=(output,))])
    study.tables.flush()
    source = study.root / study.sourcedata_path("susm")
    (source / CLINICAL).mkdir()
    other = SeriesRow(
        *("other", "1", "a", "sub-other/a.tar", "MR", "MR", "", 1, "1.2", "1.3", "1.4", "", "", "")
    )
    write_series(source, [other])
    (study.root / PARTICIPANTS).write_text("participant_id\nsub-kept\n", "utf-8")
    return output


@pytest.mark.thorough
def test_training_predicting_and_evaluating_change_no_session(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, read: list[Path]
) -> None:
    """They read no clinical table, leave lists of participants, and remove nothing of a session
    that left sourcedata; the next step on subjects does.
    """
    study = light_study(tmp_path / "study")
    output = let_vanish(study)
    read.clear()
    monkeypatch.setattr(runner, "steps_of", lambda study, request: [])
    monkeypatch.setattr(runner, "check_training", lambda *arguments: [])
    request = TrainingRequest(
        settings=("A",),
        folds=(0, 1),
        training=study.configuration.training,
        machine=machine_for("cpu", 0, 1),
        executor=ExecutorOptions(1),
        command=("cta-data", "train"),
    )
    assert train_models(Study(study.root), request).report is not None
    use_stand_in(monkeypatch)
    said = ""
    for words in (("predict", *WORDS), ("evaluate",)):
        done = run_cta(*words, study=study.root)
        assert done.code == 0, done.text
        said += done.text
    assert str(GONE) not in said
    assert read == []
    assert (study.root / output).is_file()
    assert (study.root / PARTICIPANTS).read_text("utf-8") == "participant_id\nsub-kept\n"
    assert GONE in {row.session for row in Study(study.root).tables.rows(UnitRow)}

    done = run_cta("measure", "--cohort", "susm", study=study.root)

    assert str(GONE) in done.text
    assert read
    assert not (study.root / output).exists()
    assert GONE not in {row.session for row in Study(study.root).tables.rows(UnitRow)}
