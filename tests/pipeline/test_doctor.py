"""What `doctor` finds of content, locks and tables, in a study of plain files."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from helpers.typed_rows import upsert

from cta_data.pipeline.doctor import diagnose
from cta_data.study.creation import create_study
from cta_data.study.study import Study
from cta_data.study.tables import ImageRow
from cta_data.versioning.datasets import save
from cta_data.versioning.lost_content import lost_content

FILES = ("one.nii.gz", "two.nii.gz", "three.nii.gz")
ANATOMY = Path("datasets/internal/sub-1/anat")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study with three annexed files of its own."""
    root = tmp_path_factory.mktemp("doctor") / "study"
    environment = {
        f"GIT_{role}_{key}": value
        for role in ("AUTHOR", "COMMITTER")
        for key, value in (("NAME", "Test Author"), ("EMAIL", "test@example.org"))
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        create_study(root, "study", ("internal",))
        (root / ANATOMY).mkdir(parents=True)
        for name in FILES:
            (root / ANATOMY / name).write_bytes(name.encode())
        save(root, "files")
    return root


@pytest.fixture()
def study(made: Path, tmp_path: Path) -> Path:
    shutil.copytree(made, tmp_path / "study", symlinks=True)
    return tmp_path / "study"


def lose(path: Path) -> None:
    """Remove a file's content behind git-annex's back."""
    content = path.resolve()
    content.parent.chmod(0o755)
    content.unlink()


def errors(root: Path, subject: str) -> list[str]:
    return [f.message for f in diagnose(root) if f.subject == subject and f.level != "ok"]


def test_content_that_nobody_has_is_found(study: Path) -> None:
    """It is named, whatever git-annex remembers of this copy; what is here is not."""
    assert not errors(study, "content")
    lose(study / ANATOMY / "two.nii.gz")
    assert lost_content(study / "datasets/internal") == ["sub-1/anat/two.nii.gz"]
    [told] = errors(study, "content")
    assert "1 files is lost" in told and f"{ANATOMY}/two.nii.gz" in told


def test_content_that_a_sibling_has_is_not_lost(study: Path, tmp_path: Path) -> None:
    """A clone without content asks for it elsewhere; that is what a clone is."""
    source = study / "datasets/internal"
    subprocess.run(["git", "clone", "-q", str(source), str(tmp_path / "clone")], check=True)
    environment = os.environ | {"GIT_CONFIG_COUNT": "0"}
    run = {"cwd": tmp_path / "clone", "check": True, "env": environment, "capture_output": True}
    subprocess.run(["git", "annex", "init", "-q"], **run)  # type: ignore[call-overload]
    assert not (tmp_path / "clone/sub-1/anat/one.nii.gz").exists()
    assert lost_content(tmp_path / "clone") == []


def test_locks_that_nobody_holds_are_found(study: Path) -> None:
    """With what becomes of them; a study without has none."""
    assert not errors(study, "git")
    (study / "datasets/internal/.git/index.lock").touch()
    [told] = errors(study, "git")
    assert "datasets/internal/.git/index.lock" in told


def test_rows_about_files_that_are_gone_are_found(study: Path) -> None:
    """Also where no unit accounts for the file; a link to content that is elsewhere is there."""
    key = {"cohort": "internal", "subject": "1", "session": "1", "technique": "MPRAGE"}
    rows = [
        key | {"contrast_phase": phase, "description": "", "path": f"{ANATOMY}/{name}"}
        for phase, name in (("post", FILES[0]), ("none", "gone.nii.gz"))
    ]
    opened = Study(study)
    upsert(opened.tables, ImageRow, rows)
    opened.tables.flush()
    lose(study / ANATOMY / FILES[0])
    [told] = errors(study, "tables")
    assert "1 files that the table images names" in told and "gone.nii.gz" in told


def test_tables_that_cannot_be_read_are_found(study: Path) -> None:
    """Each of them, whether or not a check needs its rows."""
    assert not errors(study, "tables")
    (study / "manifests").mkdir(exist_ok=True)
    (study / "manifests/lesions.parquet").write_bytes(b"PAR1")
    (study / "manifests/rois.parquet").mkdir()
    told = errors(study, "tables")
    assert [name for name in ("lesions", "rois") for one in told if f"{name}.parquet" in one] == [
        "lesions",
        "rois",
    ]
