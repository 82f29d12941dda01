"""How the cores of a machine are shared between units that work at the same time."""

from __future__ import annotations

import os

import pytest

from cta_data.training.machine import machine_for


@pytest.mark.parametrize(("jobs", "threads"), [(1, 6), (2, 3), (4, 1), (9, 1)])
def test_units_share_the_cores_that_the_process_may_use(
    monkeypatch: pytest.MonkeyPatch, jobs: int, threads: int
) -> None:
    """Six of a machine's many cores, as a batch system gives them; a unit has one at least."""
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 96)
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(6)), raising=False)
    assert machine_for("cpu", 0, jobs).threads == threads


@pytest.mark.parametrize(("most", "threads"), [("1", 1), ("2", 2), ("8", 6), ("4,2", 6), ("", 6)])
def test_no_more_threads_than_the_environment_allows(
    monkeypatch: pytest.MonkeyPatch, most: str, threads: int
) -> None:
    """A number in OMP_NUM_THREADS is a limit; what is no number is none."""
    monkeypatch.setenv("OMP_NUM_THREADS", most)
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(6)), raising=False)
    assert machine_for("cpu", 0, 1).threads == threads
