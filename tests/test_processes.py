"""Processes that die while they score."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import psutil
import pytest
from helpers.command_line import run_cta
from helpers.dying import DEADLY, die_once, score_or_die, square_or_die

from cta_data.formats.nifti.image import write_voxels
from cta_data.processes import open_workers
from cta_data.scoring import collection


def test_a_process_that_dies_costs_its_item_alone() -> None:
    """Killed twice in ten, at the beginning and at the end: the other eight have results."""
    numbers = [-1, 2, 3, 4, 5, 6, 7, 8, 9, -10]
    with open_workers(2) as workers:
        found = workers.map(square_or_die, numbers, lambda number: number)
        again = workers.map(square_or_die, [3, -4, 5], lambda number: number)
    assert sorted(found) == sorted(n if n < 0 else n * n for n in numbers)
    assert sorted(again) == [-4, 9, 25]


def test_who_lives_when_alone_is_not_lost(tmp_path: Path) -> None:
    """A process that died of a neighbour's memory: the second try gives the result."""
    with open_workers(2) as workers:
        found = workers.map(die_once, [tmp_path / "mark"], lambda mark: "lost")
    assert found == ["done"]


def test_a_case_that_kills_its_process_is_listed_and_the_others_are_scored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit code 3, one line of what, where, why and what next, no traceback."""
    mask = np.zeros((6, 8, 20), np.uint8)
    mask[3, 3, 2:6] = 1
    for folder in ("ref", "pred"):
        (tmp_path / folder).mkdir()
        for name in ("a", "b", DEADLY, "e", "f"):
            write_voxels(mask, np.eye(4), tmp_path / folder / f"{name}.nii.gz")
    monkeypatch.setattr(collection, "_score", score_or_die)
    outcome = run_cta("score", tmp_path / "ref", tmp_path / "pred", "--json", "-j", "2")
    assert outcome.code == 3
    told = json.loads(outcome.out)
    assert [case["case"] for case in told["cases"]] == ["a", "b", "e", "f"]
    assert [one["case"] for one in told["failed"]] == [DEADLY]
    [line] = outcome.err.strip().splitlines()
    for part in (f"not scored: {DEADLY}: ", "the process crashed", "out of memory", "Score it on"):
        assert part in line


def test_a_case_that_memory_does_not_suffice_for_is_listed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the system refuses memory instead of killing, that case fails and says so."""

    def greedy(*files: object, **rules: object) -> None:
        raise MemoryError

    for name in ("a", "b"):
        write_voxels(np.zeros((4, 4, 4), np.uint8), np.eye(4), tmp_path / f"{name}.nii.gz")
    monkeypatch.setattr(collection, "score_files", greedy)
    outcome = run_cta("score", tmp_path / "a.nii.gz", tmp_path / "b.nii.gz")
    assert outcome.code == 3 and "not enough memory" in outcome.text


def test_processes_die_with_the_one_that_opened_them(tmp_path: Path) -> None:
    """Killed in the middle of its work, it leaves no process behind that goes on."""
    script = tmp_path / "work.py"
    script.write_text(
        "import os, sys, time\n"
        "from pathlib import Path\n"
        "from cta_data.processes import open_pool\n"
        "def work(number):\n"
        "    Path(sys.argv[1], f'{os.getpid()}.pid').touch()\n"
        "    time.sleep(60)\n"
        "if __name__ == '__main__':\n"
        "    with open_pool(2) as pool:\n"
        "        list(pool.map(work, range(4)))\n",
        encoding="utf-8",
    )
    folder = tmp_path / "started"
    folder.mkdir()
    parent = subprocess.Popen([sys.executable, str(script), str(folder)])
    _wait_until(lambda: len(list(folder.iterdir())) == 2)
    parent.kill()
    parent.wait()
    numbers = [int(path.stem) for path in folder.iterdir()]
    _wait_until(lambda: not any(map(psutil.pid_exists, numbers)))
    assert len(numbers) == 2


def _wait_until(is_so: Callable[[], bool], seconds: float = 30.0) -> None:
    ends = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < ends, "it did not come to that"
        time.sleep(0.05)
