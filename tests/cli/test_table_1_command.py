"""`cta-data report` on a study: what it prints, writes and commits."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pandas as pd
import pytest
from helpers.command_line import run_cta
from helpers.table_frames import session
from helpers.typed_rows import upsert

import cta_data
from cta_data.reports.table_1 import table_1
from cta_data.study.creation import create_study
from cta_data.study.study import Study
from cta_data.study.tables import ROW_TYPES
from cta_data.versioning.datasets import save
from cta_data.versioning.tools import use_environment_tools

pytestmark = pytest.mark.slow
FILES = ["citations.md", "table_1.csv", "table_1.html", "table_1.tex"]


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study without a subject; tests must not change it."""
    with pytest.MonkeyPatch.context() as patch:
        for role in ("AUTHOR", "COMMITTER"):
            patch.setenv(f"GIT_{role}_NAME", "Test Author")
            patch.setenv(f"GIT_{role}_EMAIL", "test@example.org")
        use_environment_tools()
        return create_study(tmp_path_factory.mktemp("empty") / "study", "toy", ("internal",)).root


@pytest.fixture
def study(empty: Path, tmp_path: Path) -> Path:
    """A copy with two patients in its tables, committed."""
    root = Path(shutil.copytree(empty, tmp_path / "study", symlinks=True))
    tables = Study(root).tables
    of = {row_type.TABLE: row_type for row_type in ROW_TYPES}
    for one in (
        session("internal", "001", (0.5, 1.0), partition="train", sex="female", age_years=63),
        session("internal", "002", (2.0,), partition="test", quality="HAQ", sex="male"),
    ):
        for name, rows in one.items():
            upsert(tables, of[name], rows)
    tables.flush()
    save(root, "tables")
    return root


def commits(root: Path) -> list[str]:
    done = subprocess.run(
        ["git", "log", "--format=%s"], cwd=root, capture_output=True, text=True, check=True
    )
    return done.stdout.splitlines()


def status(root: Path) -> str:
    done = subprocess.run(
        ["git", "status", "--porcelain"], cwd=root, capture_output=True, text=True, check=True
    )
    return done.stdout


def test_a_study_without_subjects_has_nothing_to_report(empty: Path) -> None:
    """The exit code is 2, the message says what to do, and no file is made."""
    outcome = run_cta("report", study=empty)
    assert outcome.code == 2
    assert "there is no subject in the tables: `cta-data status`" in outcome.text
    assert not (empty / "evaluation").exists()


@pytest.mark.parametrize(
    "words", [("report",), ("pictures",), ("export", "seg", "--to"), ("edit", "out", "--to")]
)
def test_what_finds_nothing_says_so_in_json_too(
    words: tuple[str, ...], empty: Path, tmp_path: Path
) -> None:
    """A script that asked for JSON reads one value, also where the exit code is 2."""
    to = (tmp_path / "out",) if words[-1] == "--to" else ()
    outcome = run_cta(*words, *to, "--json", study=empty)
    assert outcome.code == 2
    assert not any(json.loads(outcome.out).get(name) for name in ("table1", "files", "folders"))


def test_the_table_and_the_sources_are_printed_and_written(study: Path) -> None:
    """Ours beside the paper's, the DOI and licence of the cohort, and the files that are there."""
    outcome = run_cta("report", "table1", study=study)
    assert outcome.code == 0
    lines = {
        line.split("  ")[1].strip(): line.split()
        for line in outcome.out.splitlines()
        if line.startswith("  ")
    }
    assert lines["Patients"][1:] == ["1", "61", "1", "15"]
    assert lines["Female"][1:] == ["1", "31", "0", "6"]
    assert "MPRAGE, training" in outcome.out
    assert "DOI: https://doi.org/10.1186/s41747-025-00554-5" in outcome.out
    assert "Licence: not public" in outcome.out
    assert sorted(path.name for path in (study / "evaluation").iterdir()) == FILES
    assert all(f"evaluation/{name}" in outcome.out for name in FILES)
    assert "CYBER-SPACE" in (study / "evaluation" / "citations.md").read_text("utf-8")


def test_all_is_committed_once_with_a_record(study: Path) -> None:
    """One commit that `datalad rerun` can repeat; a second run makes none."""
    before = len(commits(study))
    assert run_cta("report", study=study).code == 0
    assert len(commits(study)) == before + 1
    assert commits(study)[0].startswith("[DATALAD RUNCMD] cta-data report:")
    assert status(study) == ""
    assert run_cta("report", study=study).code == 0
    assert len(commits(study)) == before + 1


def test_json_is_what_other_programs_read(study: Path) -> None:
    """Valid JSON, in which a missing value is null, and nothing else is printed."""
    outcome = run_cta("report", "--json", study=study)
    content = json.loads(outcome.out, parse_constant=pytest.fail)
    rows = {(row["population"], row["row"]): row for row in content["table1"]}
    lost = rows[("internal_mprage_train", "lesions_lost")]
    assert (lost["ours"], lost["published"], lost["n"]) == (0, None, 2)
    assert content["citations"][0]["doi"] == "10.1186/s41747-025-00554-5"
    both = sorted([*FILES, "checklist.csv", "checklist.html"])
    assert sorted(content["files"]) == [f"evaluation/{name}" for name in both]


def test_the_frame_for_users_is_what_the_csv_holds(study: Path) -> None:
    """`table_1` of an opened study and the file agree."""
    run_cta("report", study=study)
    frame = table_1(cta_data.open_study(study))
    stored = pd.read_csv(study / "evaluation" / "table_1.csv")
    assert list(stored["ours"].fillna(-1)) == pytest.approx(list(frame["ours"].fillna(-1)))
    assert list(stored["row"]) == list(frame["row"])


def test_what_does_not_exist_is_said(study: Path) -> None:
    """A cohort without subjects: nothing matches (2); an unknown report: a mistake (1)."""
    outcome = run_cta("report", "--cohort", "susm", study=study)
    assert (outcome.code, "nothing matches cohort susm" in outcome.text) == (2, True)
    outcome = run_cta("report", "table9", study=study)
    assert (outcome.code, "there is no report 'table9'" in outcome.text) == (1, True)
    assert not (study / "evaluation").exists()
