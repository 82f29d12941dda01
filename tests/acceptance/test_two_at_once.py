"""Two commands at once, and commands that died: who is who stays as it was planned."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from helpers.command_line import run_cta
from helpers.plain_study import write_plain_card, write_plain_patients
from helpers.refusals import has_reason

from cta_data.errors import CtaError
from cta_data.intake import AdditionOptions
from cta_data.intake.add import add_source, open_addition
from cta_data.pipeline.doctor import diagnose
from cta_data.study import creation
from cta_data.study.creation import create_study, ensure_cohort
from cta_data.study.sourcedata import ACCEPTED, read_inventory
from cta_data.study.study import Study

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """A study with the cohort and no patient."""
    folder = tmp_path_factory.mktemp("two")
    with pytest.MonkeyPatch.context() as patch:
        for role in ("AUTHOR", "COMMITTER"):
            patch.setenv(f"GIT_{role}_NAME", "Test Author")
            patch.setenv(f"GIT_{role}_EMAIL", "test@example.org")
        made = create_study(folder / "study", "two", ())
        return ensure_cohort(made, "mine", write_plain_card(folder / "mine.toml"))


def errors_of(study: Study) -> set[str]:
    """Return what doctor finds wrong with the study."""
    return {f.message for f in diagnose(study.root) if f.level == "error"}


def test_nothing_is_planned_beside_an_addition(study: Study, tmp_path: Path) -> None:
    """From its plan to its end an addition holds the lock: a second one is refused before it
    planned; afterwards it sees who was added meanwhile. A dry run needs no lock."""
    first = write_plain_patients(tmp_path / "first", ("anna", "berta"))
    second = write_plain_patients(tmp_path / "second", ("carla", "dora"))
    source = study.sourcedata_path("mine")
    with open_addition(study, "mine", study.card("mine"), first, AdditionOptions()) as plan:
        refused = run_cta("add", "mine", second, study=study.root)
        assert refused.code == 1 and "another cta-data command" in refused.text
        assert run_cta("add", "mine", second, "--dry-run", study=study.root).code == 0
        add_source(study, "mine", plan)
    assert run_cta("add", "mine", second, study=study.root).code == 0
    rows = read_inventory(study.root / source).subjects
    assert {row.subject for row in rows if row.status == ACCEPTED} == {
        "anna",
        "berta",
        "carla",
        "dora",
    }
    assert errors_of(study) == set()


def test_doctor_holds_tables_of_raw_files_against_the_files(study: Study, tmp_path: Path) -> None:
    """A file that no table lists, a listed one that is gone, instances of another series, and a
    subject who vanished from subjects.tsv are errors, each with one of those it concerns."""
    if not read_inventory(study.root / study.sourcedata_path("mine")).series:
        raw = write_plain_patients(tmp_path / "raw", ("anna", "berta"))
        assert run_cta("add", "mine", raw, study=study.root).code == 0
    source = study.root / study.sourcedata_path("mine")
    series = read_inventory(source).series
    by_subject = {row.subject: row for row in series}
    stray = source / by_subject["anna"].file.replace("series-", "series-f")
    stray.write_bytes(b"of another patient")
    gone = source / by_subject["berta"].file
    away = tmp_path / "away"
    gone.rename(away)
    table = source / "sub-anna" / "sub-anna_instances.tsv"
    instances = table.read_text("utf-8")
    table.write_text(instances.replace("anna/t1", "anna/t2"), "utf-8")
    subjects = (source / "subjects.tsv").read_text("utf-8")
    kept = [line for line in subjects.splitlines(keepends=True) if not line.startswith("berta")]
    (source / "subjects.tsv").write_text("".join(kept), "utf-8")
    found = " ".join(errors_of(study))
    for name in (stray, gone):
        assert name.relative_to(source).as_posix() in found
    assert "such as berta" in found
    assert any(row.file in found for row in series if row.subject == "anna")
    assert "in no commit" in found
    stray.unlink()
    away.rename(gone)
    table.write_text(instances, "utf-8")
    (source / "subjects.tsv").write_text(subjects, "utf-8")
    assert errors_of(study) == set()


def test_a_cohort_that_was_made_in_half_is_completed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever stops the making of a cohort, the same command finishes it."""
    study = create_study(tmp_path / "study", "half", ())
    card = write_plain_card(tmp_path / "mine.toml")
    real = creation.create_dataset

    def dying(path: Path) -> None:
        if path.name == "cta":
            raise CtaError("disk_full", least_free_mib=16)
        real(path)

    with monkeypatch.context() as patch:
        patch.setattr(creation, "create_dataset", dying)
        with pytest.raises(CtaError, check=has_reason("disk_full")):
            ensure_cohort(study, "mine", card)
    assert Study(study.root).cohorts == []
    whole = ensure_cohort(Study(study.root), "mine", card)
    assert whole.cohorts == ["mine"] and errors_of(whole) == set()


def test_a_study_that_could_not_be_made_leaves_its_folder_empty(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same command can be given again."""

    def fails(*arguments: object) -> None:
        raise CtaError("git_identity_missing")

    with monkeypatch.context() as patch:
        patch.setattr(creation, "save", fails)
        with pytest.raises(CtaError, check=has_reason("git_identity_missing")):
            create_study(tmp_path / "study", "again", ())
    assert list((tmp_path / "study").iterdir()) == []
    assert create_study(tmp_path / "study", "again", ()).cohorts == []


def test_without_git_annex_nothing_is_written(
    study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A clear error before anything is made, of a new study and of one that is there."""
    real = shutil.which
    monkeypatch.setattr(
        "cta_data.versioning.datasets.shutil.which",
        lambda name: None if name == "git-annex" else real(name),
    )
    for words in (("init", tmp_path / "new", "--empty"), ("convert", "--study", study.root)):
        outcome = run_cta(*words)
        assert outcome.code == 1 and "git-annex was not found" in outcome.text
    assert not any((tmp_path / "new").iterdir())
