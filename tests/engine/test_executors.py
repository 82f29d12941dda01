"""Where units run: mistakes in the options are told as such."""

from __future__ import annotations

import time
from importlib.util import find_spec
from pathlib import Path

import psutil
import pytest
from helpers.refusals import has_reason
from helpers.toy_steps import execute, make_study, reasons, statuses

from cta_data.engine.executors import ExecutorOptions, open_executor, require_executor
from cta_data.errors import ConfigurationError


@pytest.mark.parametrize("address", ["nonsense", "http://host:1"])
def test_an_address_that_is_none_is_told(address: str) -> None:
    """What is no scheduler's address is a mistake of the command line, named at once."""
    with (
        pytest.raises(ConfigurationError, check=has_reason("scheduler_unreachable")),
        open_executor(ExecutorOptions(scheduler=address)),
    ):
        pass


def test_a_slurm_profile_that_is_not_there_is_told(tmp_path: Path) -> None:
    """The profile is named, whether or not what Slurm needs is installed."""
    options = ExecutorOptions(slurm_profile=tmp_path / "profile.toml")
    with (
        pytest.raises(ConfigurationError, check=has_reason("slurm_profile_unreadable")),
        open_executor(options),
    ):
        pass


RIGHT = ("tcp://host:8786", "tls://10.0.0.1:1", "tcp://[::1]:8786", "tcp://a.b-c.de:80/")
WRONG = ("host", "host:8786", "tcp://host", "tcp://:8786", "tcp://a b:1")


def test_an_address_that_is_none_is_seen_before_the_work() -> None:
    """A dry run must not promise what cannot begin; whether somebody answers is seen later."""
    refused = []
    for address in (*RIGHT, *WRONG):
        try:
            require_executor(ExecutorOptions(scheduler=address))
        except ConfigurationError as error:
            assert error.reason.code == "scheduler_address_invalid"
            refused.append(address)
    assert tuple(refused) == WRONG


def test_a_slurm_profile_is_read_before_the_work(tmp_path: Path) -> None:
    """One that is no TOML, or that nobody can use here, is refused before anything is planned."""
    profile = tmp_path / "profile.toml"
    profile.write_text("queue =", "utf-8")
    with pytest.raises(ConfigurationError, check=has_reason("slurm_profile_unreadable")):
        require_executor(ExecutorOptions(slurm_profile=profile))
    profile.write_text("queue = 'short'", "utf-8")
    if find_spec("dask_jobqueue") is None:
        with pytest.raises(ConfigurationError, check=has_reason("slurm_extra_not_installed")):
            require_executor(ExecutorOptions(slurm_profile=profile))


def test_one_job_runs_at_once_in_this_process() -> None:
    """Without workers a call is done when its future is returned."""
    with open_executor(ExecutorOptions()) as executor:
        future = executor.submit(divmod, 7, 2)
        assert future.done()
        assert future.result() == (3, 1)


DIES = """
import os, sys
if "multiprocessing.spawn" in " ".join(sys.orig_argv):
    os._exit(3)
"""


def test_a_worker_that_dies_while_it_starts_is_a_record_of_each_unit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No unit was tried, each says why, and the next command tries them again."""
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(DIES)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "site"))
    study = make_study(tmp_path / "study", s1="one", s2="two")
    report = execute(study, jobs=2)
    assert statuses(report) == {"s1": "error", "s2": "error"}
    assert {one.code for one in reasons(report).values()} == {"worker_start_failed"}
    monkeypatch.delenv("PYTHONPATH")
    assert statuses(execute(study)) == {"s1": "ok", "s2": "ok"}


@pytest.mark.slow
def test_workers_leave_the_processor_to_the_units() -> None:
    """While units run, the processes that watch over them take less than a twentieth of a core."""
    with open_executor(ExecutorOptions(jobs=2)) as executor:
        executor.submit(time.sleep, 0).result()
        units = [executor.submit(time.sleep, 6) for _ in range(2)]
        time.sleep(1)
        this = psutil.Process()
        taking_part = [this, *this.children(recursive=True)]
        before = sum(sum(process.cpu_times()[:2]) for process in taking_part)
        time.sleep(4)
        taken = sum(sum(process.cpu_times()[:2]) for process in taking_part) - before
        assert len(taking_part) > len(units)
        assert taken < 4 / 20
