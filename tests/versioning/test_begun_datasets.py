"""A dataset that a command was making when it died is made by the next."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from cta_data.study.creation import create_study
from cta_data.training.models import ensure_dataset
from cta_data.versioning.datasets import create_dataset, write_attributes

pytestmark = pytest.mark.slow


def git(folder: Path, *words: str) -> str:
    return subprocess.run(
        ["git", *words], cwd=folder, capture_output=True, text=True, check=True
    ).stdout


@pytest.mark.parametrize("died", ["staging", "in git init"])
def test_a_dataset_without_a_commit_is_begun_anew(tmp_path: Path, died: str) -> None:
    """Inside of a dataset that is whole, and whatever git had staged or not written yet."""
    write_attributes(tmp_path, ())
    create_dataset(tmp_path)
    inner = tmp_path / "inner"
    inner.mkdir()
    write_attributes(inner, ("*.gz",))
    (inner / "salt").write_text("5")
    git(inner, "init", "--quiet")
    if died == "staging":
        (inner / ".datalad").mkdir()
        (inner / ".datalad" / "config").write_text("[datalad]\n")
        git(inner, "add", ".datalad")
    else:
        (inner / ".git" / "HEAD").unlink()
    create_dataset(inner)
    assert "[datalad" in git(inner, "show", "HEAD:.datalad/config")
    assert git(inner, "rev-parse", "--show-toplevel").strip() == str(inner)
    assert (inner / "salt").read_text() == "5"


@pytest.mark.parametrize("died", ["without a commit", "before it was registered"])
def test_a_dataset_inside_of_a_study_is_made_to_the_end(tmp_path: Path, died: str) -> None:
    """Models have a dataset of their own, made by the first command that needs it."""
    study = create_study(tmp_path / "study", "killed", ())
    folder = study.root / "models"
    folder.mkdir()
    git(folder, "init", "--quiet")
    if died == "before it was registered":
        write_attributes(folder, ("*.pth",))
        create_dataset(folder)
    ensure_dataset(study, "models", ("*.pth",))
    assert "160000" in git(study.root, "ls-tree", "HEAD", "models")
    assert "models" in git(study.root, "show", "HEAD:.gitmodules")
    assert not git(study.root, "status", "--porcelain")
