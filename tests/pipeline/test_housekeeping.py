"""Books are kept when files are added: who left sourcedata leaves the study."""

from __future__ import annotations

from pathlib import Path

from helpers.command_line import run_cta
from helpers.new_study import new_study
from helpers.plain_study import write_plain_patients

from cta_data.study.sourcedata import write_series
from cta_data.study.study import Study
from cta_data.study.tables import ImageRow, UnitRow
from cta_data.versioning.git_settings import run_git


def sessions(study: Study) -> set[str]:
    """Subjects that tables tell of."""
    return {row.session.subject for row in study.tables.rows(ImageRow)}


def test_what_was_made_of_a_session_that_left_sourcedata_goes_with_the_next_addition(
    tmp_path: Path,
) -> None:
    """Its rows and outputs go, `add` names it, and all of that is committed."""
    study = new_study(tmp_path / "study", own="mine")
    root = study.root
    raw = write_plain_patients(tmp_path / "raw", ("ann", "bob"))
    assert run_cta("add", "mine", raw, study=root).code == 0
    assert run_cta("convert", study=root).code == 0
    study = Study(root)
    assert sessions(study) == {"ann", "bob"}
    gone = next(row.session for row in study.tables.rows(UnitRow) if row.id.subject == "ann")
    outputs = [path for row in study.tables.of_session(UnitRow, gone) for path in row.outputs]
    assert outputs
    inventory = study.inventory("mine")
    assert inventory is not None
    kept = [row for row in inventory.series if row.subject != "ann"]
    write_series(root / study.sourcedata_path("mine"), kept)

    done = run_cta("add", "mine", write_plain_patients(tmp_path / "more", ("cyd",)), study=root)

    assert done.code == 0, done.text
    assert str(gone) in done.text
    study = Study(root)
    assert sessions(study) == {"bob"}
    assert not any((root / path).exists() for path in outputs)
    assert run_git(root, "status", "--porcelain").stdout == ""


def test_an_addition_to_a_new_cohort_commits_no_tables(tmp_path: Path) -> None:
    """Where nothing changed for any session, nothing is written."""
    study = new_study(tmp_path / "study", own="mine")
    raw = write_plain_patients(tmp_path / "raw", ("ann",))
    assert run_cta("add", "mine", raw, study=study.root).code == 0
    assert not list((study.root / "manifests").glob("*"))
    assert run_git(study.root, "status", "--porcelain").stdout == ""
