"""Training with seeds, and after a kill; preprocessing by content."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from helpers.made_once import made_once
from helpers.refusals import has_reason
from helpers.tiny_training_set import (
    CASES,
    NAME,
    OPTIONS,
    environment_of,
    job_of,
    label_of,
    write_training_set,
)

from cta_data.errors import DataRefused
from cta_data.training.nnunet.process import run_job

pytestmark = [pytest.mark.slow, pytest.mark.train]
pytest.importorskip("nnunetv2", reason="needs the extra `train`")

PARENT = """
import json, sys
from pathlib import Path
from cta_data.training.nnunet.process import run_job
job, environment, folder = json.loads(sys.argv[1])
run_job("train", job, Path(folder), environment)
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    def make(folder: Path) -> Path:
        write_training_set(folder)
        return folder

    return made_once(tmp_path_factory, "training", make)


@pytest.fixture(scope="module")
def first(place: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Fold 0, trained without an interruption."""
    return made_once(tmp_path_factory, "trained_first", lambda _: train(place, "first"))


def train(place: Path, name: str, **options: Any) -> Path:
    job = job_of(place, name, **options)
    return Path(run_job("train", job, place / f"{name}.jobs", environment_of(job))["fold_folder"])


def weights(fold: Path) -> dict[str, Any]:
    import torch  # here: a process that only collects this file would load it, too

    content = torch.load(fold / "checkpoint_final.pth", weights_only=False, map_location="cpu")
    return dict(content["network_weights"])


def same(one: Path, other: Path) -> bool:
    import torch

    first, second = weights(one), weights(other)
    assert first.keys() == second.keys() and first
    return all(torch.equal(first[name], second[name]) for name in first)


def test_the_same_seed_gives_the_same_weights_and_scores(place: Path, first: Path) -> None:
    """Bit for bit: masks, and the files of weights and curves; another seed gives others."""
    second = train(place, "second")
    assert same(first, second)
    for name in ("validation/c4.nii.gz", "checkpoint_final.pth", "progress.png"):
        once, again = ((fold / name).read_bytes() for fold in (first, second))
        assert once == again, name
    assert not same(first, train(place, "other", seed=8))


@pytest.mark.thorough
def test_a_killed_training_goes_on_as_if_it_had_not_been(place: Path, first: Path) -> None:
    """Killed in its second epoch with its parent: each epoch once, the same weights in the end."""
    job = job_of(place, "killed")
    folder = place / "killed.jobs"
    arguments = json.dumps([job, environment_of(job), str(folder)])
    parent = subprocess.Popen([sys.executable, "-c", PARENT, arguments])
    fold = place / "killed" / first.relative_to(place / "first")
    wait_for(lambda: (fold / "sessions.json").is_file(), parent)
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    wait_for(lambda: not children_of(folder), None)
    assert not (fold / "checkpoint_final.pth").exists()
    again = train(place, "killed")
    sessions = json.loads((again / "sessions.json").read_text())
    assert len(sessions) == 2 and sessions[1]["first_epoch"] > 0
    assert sum(one["epochs"] for one in sessions) == OPTIONS["epochs"]
    assert same(first, again)


def wait_for(condition: Any, parent: subprocess.Popen[bytes] | None) -> None:
    for _ in range(6000):  # five minutes: on a busy machine the import of nnU-Net alone takes one
        if condition():
            return
        assert parent is None or parent.poll() is None
        time.sleep(0.05)
    raise AssertionError("it never came")


def children_of(folder: Path) -> list[int]:
    """Return the processes that work on a job of a folder."""
    found = set()
    for path in Path("/proc").glob("[0-9]*/fd/*"):
        with suppress(OSError):  # it has just ended, or closed the file
            if path.readlink().is_relative_to(folder):  # its log
                found.add(int(path.parts[2]))
    return sorted(found)


def test_a_damaged_checkpoint_is_told_with_what_to_do(place: Path, first: Path) -> None:
    """It is not silently trained from the start: the file is named, and what helps."""
    fold = place / "damaged" / first.relative_to(place / "first")
    fold.mkdir(parents=True)
    whole = (first / "checkpoint_final.pth").read_bytes()
    (fold / "checkpoint_latest.pth").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataRefused, check=has_reason("checkpoint_unreadable")):
        train(place, "damaged")


@pytest.mark.thorough
def test_a_changed_label_costs_that_case_alone(place: Path, first: Path) -> None:
    """Of another label, one case is preprocessed; all others are links to what is there."""
    job = job_of(place, "changed", keys={"c2": "redrawn"})
    done = run_job("plan", job, place / "changed.jobs", environment_of(job))
    assert done["preprocessed"] == 1
    before = Path(job_of(place, "first")["prepared"]) / NAME
    for case in CASES:
        [old] = before.rglob(f"{case}.b2nd")
        [new] = Path(done["folder"]).rglob(f"{case}.b2nd")
        assert old.samefile(new) == (case != "c2")
    again = run_job("plan", job, place / "changed.jobs", environment_of(job))
    assert again["preprocessed"] == 0


def test_what_nnunet_reads_of_a_prepared_set_is_whole(place: Path, first: Path) -> None:
    """Labels lead to the build's own files; no image is there a second time."""
    folder = Path(job_of(place, "first")["prepared"]) / NAME
    for case in CASES:
        label = folder / "gt_segmentations" / f"{case}.nii.gz"
        assert label.samefile(place / "raw" / NAME / label_of(case))
    assert list(folder.rglob("*_0000.nii.gz")) == []
