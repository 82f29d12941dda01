"""What runs is told to other terminals, and believed as long as its process lives."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from cta_data.engine import Record, UnitId
from cta_data.engine.running import (
    RUNNING,
    Announcement,
    CommandNews,
    Process,
    RunningStep,
    RunningTraining,
    forget_running,
    running_work,
)

TRAINING = RunningTraining("B", 0, "train.log", 1.0, "training", 3, 8, 0.5, 0.6, 0.7, 2, 60.0)
STEP = RunningStep("cta-data train --setting B", "train", 0, 1, 0, 1.0)


def tell(root: Path, name: str, process: Process | None = None) -> Path:
    """Tell of a training; return its file."""
    announcement = Announcement(root / RUNNING / name)
    if process is not None:
        announcement.process = process
    announcement.tell(TRAINING)
    return announcement.path


def test_a_command_and_its_trainings_are_found(tmp_path: Path) -> None:
    """The command stands before what it runs; without any there is nothing."""
    assert running_work(tmp_path) == []
    tell(tmp_path, "a.json")
    Announcement(tmp_path / RUNNING / "b.json").tell(STEP)
    assert running_work(tmp_path) == [STEP, TRAINING]


def test_a_dead_process_is_not_believed(tmp_path: Path) -> None:
    """Neither one that ended, nor one whose number another process has got."""
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    other = Process(Process.this().host, child.pid, psutil.Process(child.pid).create_time())
    tell(tmp_path, "child.json", other)
    assert running_work(tmp_path) == [TRAINING]
    child.kill()
    while psutil.Process(child.pid).status() != psutil.STATUS_ZOMBIE:
        pass
    assert running_work(tmp_path) == []
    child.wait()
    assert running_work(tmp_path) == []
    tell(tmp_path, "child.json", replace(Process.this(), started=1.0))
    assert running_work(tmp_path) == []


def test_another_machine_is_believed_while_it_gives_news(tmp_path: Path) -> None:
    """Its processes cannot be looked at; after an hour of silence they count as dead."""
    path = tell(tmp_path, "far.json", Process("another-machine", os.getpid(), 1.0))
    assert running_work(tmp_path) == [TRAINING]
    content = json.loads(path.read_text("utf-8"))
    path.write_text(json.dumps(content | {"heard": content["heard"] - 4000}), "utf-8")
    assert running_work(tmp_path) == []


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"kind": "Other"}'])
def test_a_file_that_cannot_be_read_hides_no_other(tmp_path: Path, text: str) -> None:
    """Whoever looks sees the rest."""
    tell(tmp_path, "b.json")
    (tmp_path / RUNNING / "a.json").write_text(text, "utf-8")
    assert running_work(tmp_path) == [TRAINING]


def test_a_command_tells_its_step_and_how_far_it_is(tmp_path: Path) -> None:
    """Units that are done are counted, with those that have no result; the end removes the file."""
    news = CommandNews(tmp_path, ["cta-data", "convert"])
    news._announcement._told = -10.0
    news.planned("convert", 3)
    [begun] = running_work(tmp_path)
    assert isinstance(begun, RunningStep)
    assert (begun.command, begun.step, begun.done, begun.units) == (
        "cta-data convert",
        "convert",
        0,
        3,
    )
    news._announcement._told = -10.0
    news.recorded(Record(UnitId("convert"), "error"))
    [later] = running_work(tmp_path)
    assert isinstance(later, RunningStep)
    assert (later.done, later.not_done) == (1, 1)
    news.close()
    assert running_work(tmp_path) == []


def test_what_dead_commands_left_is_removed(tmp_path: Path) -> None:
    """The next command that holds the lock begins with an empty folder."""
    tell(tmp_path, "a.json", replace(Process.this(), started=1.0))
    forget_running(tmp_path)
    assert not (tmp_path / RUNNING).exists()
