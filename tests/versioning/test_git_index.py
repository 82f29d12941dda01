"""Whether git knows a file, told from its index."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from cta_data.versioning import git_index
from cta_data.versioning.git_index import is_known

NAMES = ("manifests/lesions.parquet", "manifests/aé.parquet", f"long/{'x' * 200}/{'y' * 200}.txt")


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    for name in (*NAMES, "archive/manifests/units.parquet"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x", "utf-8")
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", ".")
    return tmp_path


def git(folder: Path, *words: str) -> None:
    subprocess.run(["git", *words], cwd=folder, check=True)


@pytest.mark.parametrize("version", ["2", "3", "4"])
def test_a_file_is_known_until_git_is_told(
    dataset: Path, version: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether or not it is still there; a name is the whole name. Of the usual form git is not
    asked.
    """
    git(dataset, "update-index", "--index-version", version)
    if version == "2":
        monkeypatch.setattr(git_index, "_asked", None)
    (dataset / NAMES[0]).unlink()
    assert all(is_known(dataset, name) for name in NAMES)
    for other in ("lesions.parquet", "manifests/units.parquet", "manifests", "manifests/lesions"):
        assert not is_known(dataset, other)
    git(dataset, "rm", "-q", "--cached", NAMES[0])
    assert not is_known(dataset, NAMES[0]) and is_known(dataset, NAMES[1])


def test_where_there_is_no_git_nothing_is_known(tmp_path: Path) -> None:
    """A folder of tables alone, and a repository without an index, are no error."""
    assert not is_known(tmp_path, NAMES[0])
    git(tmp_path, "init", "-q")
    assert not is_known(tmp_path, NAMES[0])
