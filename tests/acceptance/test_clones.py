"""A clone of the superdataset alone: what a collaborator and a reviewer do first."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers.command_line import Cta
from helpers.stand_in_network import stand_in, write_command

from cta_data.study.study import Study
from cta_data.study.tables import SessionRow

pytestmark = pytest.mark.slow
DEVICE = ("--device", "cpu")
KINDS = ("build", "train", "predict", "evaluate", "audit", "report", "accept")


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=folder, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def clone_of(study: Path, folder: Path) -> Path:
    """Clone the superdataset and nothing else."""
    subprocess.run(["datalad", "clone", study, folder], capture_output=True, check=True)
    return folder


def commits_of(study: Path, kind: str) -> list[str]:
    """Return the commits with a record that a command made, the newest first."""
    return git(study, "log", "--format=%H", f"--grep=RUNCMD. cta-data {kind}").split()


@pytest.fixture(scope="module", autouse=True)
def network() -> Iterator[None]:
    """What stands in for the network, in this process."""
    with pytest.MonkeyPatch.context() as patch:
        stand_in(patch.setattr)
        yield


@pytest.fixture(scope="module")
def verdict(study: Path, cta: Cta) -> tuple[str, ...]:
    """The words of `audit` about a false positive."""
    listed = json.loads(cta("audit", "--all", "--no-page", "--json", study=study).out)
    row = listed["false_positives"][0]
    words = ("audit", row["case"], str(row["predicted_lesion"]), "--model", row["model"])
    return (*words, "--test-set", row["test_set"], "--date", "2026-03-01")


@pytest.fixture(scope="module")
def study(finished: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A trial and an external cohort, through every command up to the report."""
    root = tmp_path_factory.mktemp("clones") / "study"
    return Path(shutil.copytree(finished, root, symlinks=True))


@pytest.fixture(scope="module")
def decided(study: Path, cta: Cta, verdict: tuple[str, ...]) -> Path:
    """The study with the decision of a reader, and of a person about a transfer."""
    assert cta(*verdict, "--reader", "A", "--verdict", "vessel", study=study).code == 0
    words = ("accept", "north", "--subject", "north1", "--reject", "--reason", "as a test")
    words += ("--author", "A", "--date", "2026-03-01")
    assert cta(*words, study=study).code == 0
    return study


def test_every_command_installs_what_it_reads(study: Path, cta: Cta, tmp_path: Path) -> None:
    """Without a step by hand: models are listed, nothing is done twice, scores are the same.

    What is installed is told, and nothing is left modified.
    """
    clone = clone_of(study, tmp_path / "clone")
    head = git(clone, "rev-parse", "HEAD")
    assert cta("status", study=clone).code == 0
    listed = cta("model", "list", study=clone)
    assert listed.code == 0 and "installed the dataset models" in listed.err
    again = cta("predict", "--setting", "A", *DEVICE, study=clone)
    assert again.code == 0 and "2 not needed" in again.out
    assert cta("evaluate", study=clone).code == 0
    drawn = json.loads(cta("audit", "--all", "--json", study=clone).out)
    assert drawn["false_positives"] and drawn["not_drawn"] == []
    assert git(clone, "rev-parse", "HEAD") == head and git(clone, "status", "--short") == ""


def test_a_verdict_in_a_clone_names_the_mask(
    study: Path, cta: Cta, tmp_path: Path, verdict: tuple[str, ...]
) -> None:
    """The key of the mask is known although no prediction was fetched, and the verdict holds."""
    clone = clone_of(study, tmp_path / "clone")
    assert cta(*verdict, "--reader", "B", "--verdict", "vessel", study=clone).code == 0
    [row] = Study(clone).decisions().query("reader == 'B'").to_dict("records")
    mask = study / "evaluation/predictions/A" / verdict[6] / f"{verdict[1]}.nii.gz"
    assert row["content_key"] == mask.readlink().name


@pytest.mark.thorough
def test_every_record_can_be_run_again_in_a_clone(
    decided: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`datalad rerun` of a commit of every kind of command: the same tree, nothing left over."""
    clone = clone_of(decided, tmp_path / "clone")
    last = git(clone, "rev-parse", "HEAD")
    assert all(commits_of(clone, kind) for kind in KINDS)
    first = git(clone, "rev-list", "--reverse", "HEAD", "--grep=RUNCMD").split()[0]
    monkeypatch.setenv("PATH", str(write_command(tmp_path / "bin")), prepend=":")
    # What a person rejected would end otherwise now than it did at its time.
    git(clone, "reset", "--hard", "HEAD~1")
    for words in (("--since", f"{first}^"), ("HEAD",)):
        head = git(clone, "rev-parse", "HEAD^{tree}")
        done = subprocess.run(
            ["datalad", "rerun", *words], cwd=clone, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert git(clone, "rev-parse", "HEAD^{tree}") == head
        assert git(clone, "status", "--short") == ""
        git(clone, "reset", "--hard", last)


def test_a_cohort_that_was_not_pushed_is_a_state(study: Path, cta: Cta, tmp_path: Path) -> None:
    """Status names it, the rest goes on, and what was made of it stays as it is.

    Asked for by name, it is one error; scores are missing, and that is told (exit code 3).
    """
    part = tmp_path / "part"
    shutil.copytree(study, part, symlinks=True)
    (part / "datasets/north").rename(tmp_path / "away")
    clone = clone_of(part, tmp_path / "clone")
    before = dict(Study(clone).tables.by_key(SessionRow))
    told = json.loads(cta("status", "--json", study=clone).out)
    assert set(told["not_available"]) == {"north"}
    assert {row["cohort"] for row in told["sessions"]} == {"north", "trial"}
    assert cta("build", "--setting", "A", study=clone).code == 0
    named = cta("convert", "north", study=clone)
    assert named.code == 1 and "not available here" in named.err
    scored = cta("evaluate", study=clone)
    assert scored.code == 3 and "cohort north is not available here" in scored.err
    assert Study(clone).tables.by_key(SessionRow) == before
    links = sorted((clone / "evaluation/references/north").rglob("*.nii.gz"))
    assert [link.is_symlink() for link in links] == [True]


def test_a_training_cohort_that_was_not_pushed_stops_its_builds(
    study: Path, cta: Cta, tmp_path: Path
) -> None:
    """Nobody can partition patients who are not here: one error, and the build keeps its record."""
    part = tmp_path / "part"
    shutil.copytree(study, part, symlinks=True)
    (part / "datasets/trial").rename(tmp_path / "away")
    clone = clone_of(part, tmp_path / "clone")
    told = json.loads(cta("status", "--json", study=clone).out)
    assert [row["status"] for row in told["builds"]] == ["not available here"]
    before = Study(clone).subjects()["partition"].tolist()
    head = git(clone, "rev-parse", "HEAD")
    stopped = cta("build", "--setting", "A", study=clone)
    assert stopped.code == 1 and stopped.err.count("not available here") == 1
    assert git(clone, "rev-parse", "HEAD") == head and git(clone, "status", "--short") == ""
    assert cta("convert", "north", study=clone).code == 0
    assert Study(clone).subjects()["partition"].tolist() == before
