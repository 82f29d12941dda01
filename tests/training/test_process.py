"""A piece of nnU-Net's work in a process of its own: its answer, its errors, and its death."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from helpers import process_jobs
from helpers.process_jobs import KINDS, stand_in
from helpers.refusals import has_reason

from cta_data.errors import CtaError
from cta_data.processes import CAN_FORK
from cta_data.training.nnunet import process
from cta_data.training.nnunet.process import run_job

Do = Callable[..., dict[str, Any]]


@pytest.fixture()
def do(tmp_path: Path) -> Do:
    """Run the stand-in's job in a child process."""
    environment = stand_in(tmp_path / "site")

    def run(deed: str, **content: Any) -> dict[str, Any]:
        return run_job("plan", {"do": deed, **content}, tmp_path / "work", environment)

    return run


@pytest.fixture()
def do_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Do:
    """Run the stand-in's job without a child, where only its words matter."""

    def run_here(arguments: list[str], *_: Any) -> int:
        process.main(arguments)
        return 0

    monkeypatch.setattr(process, "_run", run_here)
    monkeypatch.setitem(sys.modules, "cta_data.training.nnunet.planning", process_jobs)

    def run(deed: str, **content: Any) -> dict[str, Any]:
        return run_job("plan", {"do": deed, **content}, tmp_path)

    return run


def test_a_job_s_answer_comes_back(tmp_path: Path) -> None:
    """Content and variables reach another process, and what it returns comes back as it was."""
    environment = stand_in(tmp_path / "site") | {"CTA_TEST": "seen"}
    value = {"text": "Zürich", "numbers": [1, 2.5, None], "nested": {"a": []}}
    done = run_job("plan", {"do": "answer", "value": value}, tmp_path / "work", environment)
    assert done["got"] == value
    assert done["variable"] == "seen"
    assert done["pid"] != os.getpid()
    assert "CTA_TEST" not in os.environ
    assert "the job has begun" in (tmp_path / "work" / "plan.log").read_text("utf-8")


@pytest.mark.skipif(not CAN_FORK, reason="processes are copied on Linux alone")
def test_jobs_are_copies_of_one_process_each_with_variables_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a job finds in its environment and where it works is its own; what dies is a copy."""
    work, environment = tmp_path / "work", stand_in(tmp_path / "site")

    def answer(**variables: str) -> dict[str, Any]:
        job = {"do": "answer", "value": 1, "variable": "nnUNet_results"}
        return run_job("plan", job, work, environment | variables)

    first = answer(nnUNet_results="here")
    monkeypatch.chdir(tmp_path)
    second = answer()
    assert (first["variable"], second["variable"]) == ("here", None)
    assert second["folder"] == str(tmp_path)
    assert first["parent"] == second["parent"] != os.getpid()
    assert first["pid"] != second["pid"]
    with pytest.raises(CtaError, check=has_reason("nnunet_process_died")):
        run_job("plan", {"do": "killed"}, work, environment)
    assert answer()["parent"] == first["parent"]
    assert answer(OMP_NUM_THREADS="7")["parent"] != first["parent"]


@pytest.mark.skipif(not CAN_FORK, reason="processes are copied on Linux alone")
def test_a_process_that_is_gone_is_started_again(tmp_path: Path) -> None:
    """Whoever killed it: the next job has another one."""
    environment = stand_in(tmp_path / "site")
    job = {"do": "answer", "value": 1}
    gone = run_job("plan", job, tmp_path, environment)["parent"]
    os.kill(gone, signal.SIGKILL)
    assert wait_until(lambda: not lives(gone))
    assert run_job("plan", job, tmp_path, environment)["parent"] != gone


@pytest.mark.parametrize("kind", ["DataRefused", "ConfigurationError"])
def test_the_child_s_error_is_raised_with_all_its_parts(do: Do, kind: str) -> None:
    """Kind, code, where and values are those of the child's own error."""
    parts = {"where": "sub-01", "why": "3 of them"}
    with pytest.raises(KINDS[kind], check=has_reason("slices_missing", **parts)) as caught:
        do("refuse", kind=kind, code="slices_missing", parts=parts)
    assert type(caught.value) is KINDS[kind]
    assert caught.value.why == "3 of them"
    assert caught.value.next_step


def test_an_error_without_parts_has_none(do_here: Do) -> None:
    """Parts that the child did not give are empty."""
    with pytest.raises(CtaError, check=has_reason("git_not_found", where="")) as caught:
        do_here("refuse", kind="CtaError", code="git_not_found", parts={})
    assert (caught.value.where, caught.value.why) == ("", "")


def test_an_unexpected_error_names_its_kind_and_its_traceback_is_in_the_log(
    do: Do, tmp_path: Path
) -> None:
    """What no one foresaw is told in one line; the log has the place in the code."""
    with pytest.raises(
        CtaError,
        check=has_reason("unforeseen_error_in_training", error="RuntimeError: shapes differ"),
    ):
        do("fail", message="shapes differ")
    log = (tmp_path / "work" / "plan.log").read_text("utf-8")
    assert "Traceback" in log
    assert "process_jobs.py" in log


def test_a_full_disk_is_told_as_such(do_here: Do) -> None:
    """The user reads what to do, not an error number."""
    with pytest.raises(CtaError, check=has_reason("disk_full_in_training")) as caught:
        do_here("fill")
    assert "Free some space" in caught.value.next_step


@pytest.mark.parametrize("message", ["CUDA out of memory. Tried to allocate", "Out Of Memory"])
def test_a_gpu_without_memory_is_told_as_such(do_here: Do, message: str) -> None:
    """What torch says of memory becomes advice about the plan."""
    with pytest.raises(CtaError) as caught:
        do_here("fail", message=message)
    assert caught.value.what == "out of memory"
    assert "training.patch_size" in caught.value.next_step


def test_a_killed_child_is_told_as_out_of_memory(do: Do) -> None:
    """The kernel ends a process that takes too much memory by SIGKILL, and says nothing."""
    with pytest.raises(CtaError, check=has_reason("nnunet_process_died")) as caught:
        do("killed")
    assert "killed" in caught.value.why
    assert "memory" in caught.value.next_step


def test_a_child_that_dies_tells_what_it_printed_last(do: Do, tmp_path: Path) -> None:
    """A crash is an error with the last lines of the log, whatever came before or comes after.

    An answer of an earlier run is not taken for one, nor is exit code 0 without an answer; the
    log keeps what every run printed.
    """
    assert do("answer", value=1)["got"] == 1
    for code in (7, 0):
        with pytest.raises(CtaError, check=has_reason("nnunet_process_died")) as caught:
            do("exit", code=code, lines=["one", "two", f"three {code}", "four"])
        assert f"two / three {code} / four" in caught.value.why
        assert caught.value.where == "plan.log"
    log = (tmp_path / "work" / "plan.log").read_text("utf-8")
    assert log.count("the job has begun") == 3
    assert "three 7" in log


def lives(pid: int) -> bool:
    """Return whether a process is there and no zombie."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text("ascii").rsplit(")", 1)[1].split()[0]
    except OSError:
        return False
    return state not in "ZX"


def wait_until(true: Callable[[], bool], seconds: float = 30.0) -> bool:
    """Return whether something came true in time."""
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        if true():
            return True
        time.sleep(0.05)
    return true()


@pytest.mark.skipif(sys.platform != "linux", reason="a child dies with its parent on Linux alone")
@pytest.mark.parametrize("who", ["parent", "child"])
def test_nothing_goes_on_after_its_parent_was_killed(tmp_path: Path, who: str) -> None:
    """Whether the command or its child is killed, the child and what it forked end with it."""
    environment = stand_in(tmp_path / "site")
    told = tmp_path / "told"
    job = json.dumps({"do": "hang", "told": str(told)})
    code = (
        "import json, pathlib\nfrom cta_data.training.nnunet.process import run_job\n"
        f"run_job('plan', json.loads({job!r}), pathlib.Path({str(tmp_path / 'work')!r}))\n"
    )
    command = [sys.executable, "-c", code]
    parent = subprocess.Popen(command, env=os.environ | environment, stderr=subprocess.PIPE)
    try:
        assert wait_until(told.is_file)
        child, forked = (int(word) for word in told.read_text("utf-8").split())
        assert lives(child)
        assert lives(forked)
        os.kill(parent.pid if who == "parent" else child, signal.SIGKILL)
        assert wait_until(lambda: not lives(child) and not lives(forked))
        _, printed = parent.communicate(timeout=30)
    finally:
        parent.kill()
        parent.wait()
    if who == "child":
        assert b"runs out of memory" in printed
