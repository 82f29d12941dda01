"""One command, one commit, with a record that DataLad can repeat."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from cta_data.versioning.datasets import Fetched, create_dataset, fetch, save, write_attributes
from cta_data.versioning.provenance import MOST_IN_MESSAGE, REPLAY, commit_run

SCRIPT = 'mkdir -p builds; echo made > builds/a.json; echo "$0" > .replayed'
COMMAND = ["sh", "-c", SCRIPT]


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=folder, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A DataLad dataset with one dataset inside it, as a study has them; tests copy it."""
    root = tmp_path_factory.mktemp("made") / "study"
    root.mkdir()
    write_attributes(root, ())
    (root / ".gitignore").write_text(".replayed\n")
    create_dataset(root)
    inner = root / "inner"
    inner.mkdir()
    write_attributes(inner, ["*.nii.gz"])
    create_dataset(inner, root)
    save(root, "start")
    return root


@pytest.fixture
def dataset(made: Path, tmp_path: Path) -> Path:
    """A copy that a test may change."""
    return Path(shutil.copytree(made, tmp_path / "study", symlinks=True))


def reported(dataset: Path) -> dict[str, Any]:
    """What `datalad rerun` says that it would do with the last commit."""
    command = ["datalad", "-f", "json", "rerun", "--report"]
    done = subprocess.run(command, cwd=dataset, capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[0])
    return found


@pytest.mark.slow
def test_a_command_is_one_commit_that_datalad_can_repeat(dataset: Path) -> None:
    """The record holds command and exit code; a rerun gives the same tree and adds no commit.

    The recorded command carries the option that makes it recompute and leave the commit alone.
    What it made itself is no input.
    """
    before = int(git(dataset, "rev-list", "--count", "HEAD"))
    (dataset / "builds").mkdir()
    (dataset / "builds" / "a.json").write_text("made\n")
    (dataset / "inner" / "x.nii.gz").write_bytes(b"image")
    read = [".gitattributes", "builds/a.json"]
    commit_run(dataset, COMMAND, "toy: 2 ok", ["builds", "inner"], 0, inputs=read)
    assert int(git(dataset, "rev-list", "--count", "HEAD")) == before + 1
    assert git(dataset, "status", "--porcelain") == ""
    assert (dataset / "inner" / "x.nii.gz").is_symlink()

    message = git(dataset, "log", "-1", "--format=%B")
    assert message.startswith("[DATALAD RUNCMD] toy: 2 ok")
    start, end = "Do not change lines below ===", "^^^ Do not change lines above"
    record = json.loads(message.split(start)[1].split(end)[0])
    assert record["exit"] == 0
    assert record["cmd"].endswith(f" {REPLAY}")
    assert record["inputs"] == [".gitattributes"] and record["pwd"] == "."
    assert record["outputs"] == ["builds/a.json", "inner/x.nii.gz"]
    assert record["cta_data"]["after"] == git(dataset, "rev-parse", "HEAD~1")

    assert reported(dataset)["rerun_action"] == "run"
    tree = git(dataset, "rev-parse", "HEAD^{tree}")
    subprocess.run(["datalad", "rerun"], cwd=dataset, capture_output=True, check=True)
    assert (dataset / ".replayed").read_text().strip() == REPLAY
    assert git(dataset, "rev-parse", "HEAD^{tree}") == tree
    assert int(git(dataset, "rev-list", "--count", "HEAD")) == before + 1


@pytest.mark.slow
def test_nothing_to_save_is_no_commit_and_others_changes_are_left(dataset: Path) -> None:
    """A command that changed nothing leaves no commit; files beside its own stay uncommitted."""
    (dataset / "notes.txt").write_text("the user's own")
    head = git(dataset, "rev-parse", "HEAD")
    commit_run(dataset, COMMAND, "toy: nothing", ["inner"], 0)
    assert git(dataset, "rev-parse", "HEAD") == head
    (dataset / "inner" / "y.txt").write_text("y")
    commit_run(dataset, COMMAND, "toy: 1 error", ["inner"], 3)
    assert git(dataset, "rev-parse", "HEAD~1") == head
    assert '"exit": 3' in git(dataset, "log", "-1", "--format=%B")
    assert git(dataset, "status", "--porcelain") == "?? notes.txt"


@pytest.mark.slow
def test_content_that_no_source_has_is_named(dataset: Path) -> None:
    """Fetching what is here does nothing; what nobody has is told by its path, with a reason."""
    image = dataset / "inner" / "x.nii.gz"
    image.write_bytes(b"image")
    (dataset / "study.txt").write_text("in git")
    save(dataset, "an image")
    assert fetch(dataset, ["inner/x.nii.gz"]) == Fetched((), {})
    subprocess.run(
        ["git", "annex", "drop", "--force", "x.nii.gz"],
        cwd=dataset / "inner",
        capture_output=True,
        check=True,
    )
    fetched = fetch(dataset, ["inner/x.nii.gz", "study.txt"])
    assert fetched.paths == ()
    assert set(fetched.failed) == {"inner/x.nii.gz"}
    assert fetched.failed["inner/x.nii.gz"]


@pytest.mark.slow
def test_a_long_record_is_a_file_and_names_mean_themselves(dataset: Path) -> None:
    """Of many files the commit names the record alone; braces and brackets are no patterns."""
    (dataset / "builds").mkdir()
    names = [f"builds/{n}.json" for n in range(MOST_IN_MESSAGE)] + ["builds/[a]{b}.json"]
    for name in names:
        (dataset / name).write_text("made")
    commit_run(dataset, COMMAND, "toy: many", ["builds"], 0)
    assert len(git(dataset, "log", "-1", "--format=%B")) < 500
    assert git(dataset, "status", "--porcelain") == ""
    record = reported(dataset)["run_info"]
    assert len(record["outputs"]) == len(names) and "builds/[[]a]{{b}}.json" in record["outputs"]
