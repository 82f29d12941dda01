"""Stopped by a user or a batch system, or killed: one line, its exit code, nothing left over."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from helpers.command_line import run_cta
from helpers.interrupts import heed_interrupts
from helpers.plain_study import write_plain_card, write_plain_patients

from cta_data.cli.interruption import MESSAGE
from cta_data.study.creation import create_study
from cta_data.versioning.leftovers import MARK
from cta_data.versioning.tools import use_environment_tools

pytestmark = pytest.mark.slow
CODES = [(signal.SIGINT, 130), (signal.SIGTERM, 143)]


@pytest.fixture(scope="module")
def added(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study with raw files, of which nothing was made yet; tests work on copies."""
    use_environment_tools()
    work = tmp_path_factory.mktemp("signals")
    raw = write_plain_patients(work / "raw", [f"p{letter}" for letter in "abcdefgh"])
    create_study(work / "study", "signals", ())
    card = write_plain_card(work / "own.toml", "own")
    assert run_cta("add", "own", raw, "--card", card, study=work / "study").code == 0
    return work / "study"


@pytest.fixture
def study(added: Path, tmp_path: Path) -> Path:
    """A copy of that study."""
    return Path(shutil.copytree(added, tmp_path / "study", symlinks=True))


def start(*words: str) -> subprocess.Popen[str]:
    """Start `cta-data` in a process of its own, as a shell does."""
    command = [sys.executable, "-m", "cta_data", *words]
    return subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=heed_interrupts,
    )


@pytest.mark.parametrize(("number", "code"), CODES)
@pytest.mark.parametrize("after", [0.3, 0.8])
def test_while_it_starts(study: Path, number: int, code: int, after: float) -> None:
    """Before a command has begun: its one line and no traceback, or nothing before Python has."""
    process = start("status", "--study", str(study))
    time.sleep(after)
    process.send_signal(number)
    _, said = process.communicate(timeout=60)
    # A command that is done says what comes next; it may be hit while Python ends.
    said = "\n".join(line for line in said.splitlines() if not line.startswith("Next: "))
    assert (process.returncode, said.strip()) in [
        (code, MESSAGE),
        (0, ""),
        (-number, ""),
    ]


PLACES = {
    "a class made from text": 'exec("import os; os.kill(os.getpid(), {number})")',
    "a callback": """
    import gc, os, time, weakref
    class Gone: pass
    one = Gone()
    watch = weakref.ref(one, lambda _: os.kill(os.getpid(), {number}))
    del one
    time.sleep(30)""",
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(("number", "code"), CODES)
def test_in_a_place_of_python_s_own(tmp_path: Path, number: int, code: int, place: str) -> None:
    """As imports have them: one line, and the exit code of the signal."""
    head = "from cta_data.cli.interruption import interruptible\nwith interruptible():\n    "
    (tmp_path / "stopped.py").write_text(head + PLACES[place].format(number=number))
    command = [sys.executable, "-m", "stopped"]
    ended = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, preexec_fn=heed_interrupts
    )
    assert (ended.returncode, ended.stderr.strip()) == (code, MESSAGE)


@pytest.mark.parametrize(("number", "code"), CODES)
@pytest.mark.parametrize("jobs", ["1", "2"])
def test_while_units_run(study: Path, number: int, code: int, jobs: str) -> None:
    """In a unit, the whole group as a terminal does: the study can be worked on at once."""
    process = start("convert", "-j", jobs, "--study", str(study))
    wait_for(process, lambda: any((study / ".cta").rglob("staging/*")))
    os.killpg(process.pid, number)
    _, said = process.communicate(timeout=60)
    if process.returncode != 0:  # it may have been quicker
        assert process.returncode == code
        assert "Traceback" not in said and said.strip().endswith(MESSAGE)
    assert not of_command(process.pid)
    assert run_cta("convert", study=study).code == 0


def test_locks_of_git_that_nobody_holds_are_removed(study: Path) -> None:
    """In the study and in a dataset inside, said in a line each; the command does its work."""
    locks = [study / ".git/index.lock", study / "datasets/own/.git/index.lock"]
    for lock in locks:
        lock.touch()
    outcome = run_cta("convert", study=study)
    assert outcome.code == 0
    assert not any(lock.exists() for lock in locks)
    assert outcome.text.count("index.lock") == 2


@pytest.mark.parametrize("place", ["", "sourcedata", "derivatives/cta"])
def test_a_lock_of_a_dataset_that_was_being_made_is_removed(tmp_path: Path, place: str) -> None:
    """A command died while it made a cohort: no commit knows of its datasets yet."""
    study = tmp_path / "study"
    create_study(study, "signals", ())
    begun = study / "datasets" / "own" / place
    subprocess.run(["git", "init", "-q", str(begun)], check=True)
    (begun / ".git/index.lock").touch()
    raw = write_plain_patients(tmp_path / "raw", ["pa"])
    card = write_plain_card(tmp_path / "own.toml", "own")
    assert run_cta("add", "own", raw, "--card", card, study=study).code == 0
    assert run_cta("doctor", study=study).code == 0


def test_a_lock_that_git_may_hold_is_left(study: Path, tmp_path: Path) -> None:
    """While a process of git works in the study its lock is its own."""
    sleeper = tmp_path / "git-sleep"
    shutil.copyfile(shutil.which("sleep") or "", sleeper)
    sleeper.chmod(0o755)
    lock = study / ".git/index.lock"
    lock.touch()
    with subprocess.Popen([str(sleeper), "60"], cwd=study) as alive:
        try:
            outcome = run_cta("convert", study=study)
        finally:
            alive.kill()
    assert outcome.code == 1 and "a git command is running on this study" in outcome.text
    assert lock.exists()


def test_what_a_killed_command_started_ends(study: Path) -> None:
    """The main process alone is killed: no process that it started goes on."""
    process = start("convert", "-j", "2", "--study", str(study))
    wait_for(process, lambda: any((study / ".cta").rglob("staging/*")))
    process.kill()
    process.communicate(timeout=60)
    for _ in range(100):
        if not of_command(process.pid):
            break
        time.sleep(0.1)
    assert not of_command(process.pid)
    assert run_cta("convert", study=study).code == 0


def wait_for(process: subprocess.Popen[str], reached: object) -> None:
    """Wait until a command has come so far, or has ended."""
    for _ in range(1200):
        if reached() or process.poll() is not None:  # type: ignore[operator]
            return
        time.sleep(0.05)


def of_command(number: int) -> list[psutil.Process]:
    """The living processes that a command started."""
    return [
        process
        for process in psutil.process_iter(["environ"])
        if (process.info["environ"] or {}).get(MARK) == str(number)
    ]
