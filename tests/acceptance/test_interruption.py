"""Killed, or out of disk space: nothing half-done looks finished, and a second run finishes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from helpers.command_line import Cta

from cta_data.engine.driver import UNCOMMITTED
from cta_data.study.study import Study
from cta_data.versioning import datasets
from cta_data.versioning.tools import use_environment_tools

pytestmark = pytest.mark.slow


def start(study: Path, *words: str) -> subprocess.Popen[bytes]:
    """Start `cta-data` in a process of its own."""
    use_environment_tools()
    command = [sys.executable, "-m", "cta_data", *words, "--study", str(study)]
    quiet = subprocess.DEVNULL
    return subprocess.Popen(command, stdout=quiet, stderr=quiet, start_new_session=True)


def kill_when(process: subprocess.Popen[bytes], reached: Callable[[], bool]) -> None:
    """Kill a process, and only it, as soon as it has come so far; never wait for ever."""
    for _ in range(1200):
        if reached() or process.poll() is not None:
            break
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()


def uncommitted(study: Path) -> str:
    """What git knows to be changed, in all datasets."""
    command = ["git", "status", "--porcelain"]
    return subprocess.run(command, cwd=study, capture_output=True, text=True, check=True).stdout


def healthy(cta: Cta, study: Path) -> bool:
    """Whether doctor finds nothing wrong with the study's own files."""
    outcome = cta("doctor", study=study)
    bad = [line for line in outcome.out.splitlines() if not line.startswith("ok")]
    study_s = ("outputs", "units", "content", "commit", "cohort")
    return not [line for line in bad if line.split()[1].rstrip(":") in study_s]


@pytest.fixture
def filled(
    cta: Cta, new_study: Callable[[str], Path], patients: list[Path], request: pytest.FixtureRequest
) -> Path:
    """A study with patients added: the first two, or those that the test asks for."""
    study = new_study("interrupted")
    for patient in patients[getattr(request, "param", slice(2))]:
        assert cta("add", "internal", patient, study=study).code == 0
    return study


@pytest.mark.parametrize("filled", [slice(3)], indirect=True)
def test_convert_killed_between_two_subjects(cta: Cta, filled: Path) -> None:
    """Killed with one subject in place and the next in staging; the second run does the rest."""
    process = start(filled, "convert")
    kill_when(process, lambda: any((filled / "datasets/internal").glob("sub-*/ses-*/anat/*.gz")))
    assert process.returncode == -signal.SIGKILL
    placed = {p.name for p in (filled / "datasets/internal").glob("sub-*/ses-*/anat/*")}
    assert not [name for name in placed if name.endswith(".part") or name.startswith(".")]
    assert (filled / UNCOMMITTED).exists()
    assert not (filled / "manifests" / "units.parquet").exists() or len(Study(filled).units()) < 3
    again = cta("convert", study=filled)
    assert again.code == 0, again.text
    assert uncommitted(filled) == "" and healthy(cta, filled)
    assert len(Study(filled).units()) == 3
    third = cta("convert", study=filled)
    assert "3 not needed" in third.text
    assert uncommitted(filled) == ""


@pytest.mark.parametrize("filled", [slice(1, 4, 2)], indirect=True, ids=["HAQ"])
@pytest.mark.thorough
def test_build_on_two_workers_killed(cta: Cta, filled: Path) -> None:
    """The driver is killed while its workers register; no worker stays, nothing is half done."""
    toml = (filled / "study.toml").read_text("utf-8")
    toml = toml.replace("folds = 5", "folds = 2").replace(
        "test_fraction = 0.2", "test_fraction = 0"
    )
    (filled / "study.toml").write_text(toml, "utf-8")
    process = start(filled, "build", "--setting", "B", "-j", "2")
    staging = filled / ".cta" / "staging"
    table = filled / "manifests" / "units.parquet"
    kill_when(process, lambda: table.exists() and staging.exists() and any(staging.iterdir()))
    assert process.returncode == -signal.SIGKILL
    for _ in range(200):
        if not _session_members(process.pid):
            break
        time.sleep(0.1)
    assert _session_members(process.pid) == []
    again = cta("build", "--setting", "B", "-j", "2", study=filled)
    assert "0 failed" in again.text
    assert uncommitted(filled) == "" and healthy(cta, filled)
    assert not staging.exists() or list(staging.iterdir()) == []
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=filled, capture_output=True, check=True)
    cta("build", "--setting", "B", study=filled)
    same = subprocess.run(["git", "rev-parse", "HEAD"], cwd=filled, capture_output=True, check=True)
    assert head.stdout == same.stdout


def _session_members(leader: int) -> list[int]:
    """Processes of the session of a process that was started as its leader, zombies aside."""
    members = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            after_name = (folder / "stat").read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue  # it ended while we looked
        if int(after_name[3]) == leader and after_name[0] != "Z":
            members.append(int(folder.name))
    return members


def test_add_killed_while_it_unpacks_and_writes(
    cta: Cta, new_study: Callable[[str], Path], patients: list[Path]
) -> None:
    """The second run takes in everything and removes what the first had unpacked."""
    study = new_study("add")
    source = study / "datasets/internal/sourcedata"
    process = start(study, "add", "internal", str(patients[0].parent))
    kill_when(process, lambda: any(source.glob("sub-*/**/*.tar")))
    assert cta("add", "internal", patients[0].parent, study=study).code == 0
    assert uncommitted(study) == ""
    assert not list((study / ".cta" / "unpacked").iterdir())
    assert "6 sessions of" in cta("status", study=study).text


def test_a_full_disk_stops_the_commit_and_nothing_is_lost(
    cta: Cta, filled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Too little space to commit safely is said so; with space again the same command commits."""
    with monkeypatch.context() as full:
        full.setattr(datasets, "LEAST_FREE_BYTES", 1 << 62)
        outcome = cta("convert", study=filled)
        assert outcome.code == 1
        assert "the disk is full" in outcome.text and "Free some space" in outcome.text
        assert uncommitted(filled) != ""
    assert "a command was interrupted before its commit" in cta("doctor", study=filled).text
    again = cta("convert", study=filled)
    assert again.code == 0 and "2 not needed" in again.text
    assert uncommitted(filled) == "" and healthy(cta, filled)


def test_an_addition_on_a_full_disk_is_committed_later(
    cta: Cta,
    new_study: Callable[[str], Path],
    patients: list[Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Tars that were written and not committed are committed by the second run."""
    study = new_study("full")
    with monkeypatch.context() as full:
        full.setattr(datasets, "LEAST_FREE_BYTES", 1 << 62)
        outcome = cta("add", "internal", patients[0], study=study)
        assert outcome.code == 1 and "the disk is full" in outcome.text
    assert cta("add", "internal", patients[0], study=study).code == 0
    assert uncommitted(study) == ""
    tars = list((study / "datasets/internal/sourcedata").glob("sub-*/**/*.tar"))
    assert len(tars) >= 7 and all(path.is_symlink() and path.exists() for path in tars)


def test_outputs_that_git_annex_emptied_are_made_again(cta: Cta, filled: Path) -> None:
    """On a full disk git-annex may leave empty files where it took their content away."""
    assert cta("convert", study=filled).code == 0
    images = sorted((filled / "datasets/internal").glob("sub-*/ses-*/anat/*.nii.gz"))[:2]
    before = [os.readlink(path) for path in images]
    for path in images:
        path.unlink()
        path.touch()
    (filled / UNCOMMITTED).touch()
    again = cta("convert", study=filled)
    assert again.code == 0 and "1 ok, 1 not needed" in again.text
    assert [os.readlink(path) for path in images] == before
    assert uncommitted(filled) == "" and healthy(cta, filled)
