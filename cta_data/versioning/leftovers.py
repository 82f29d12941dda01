"""What killed commands leave: processes that go on alone, and git's locks that nobody holds.

Every process that a command starts carries a mark. Where the command dies, a watcher ends those
processes; where it could not, the next command does. A lock of git that no process of git is left
to hold is removed then.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from cta_data.errors import CtaError

if TYPE_CHECKING:
    import psutil

MARK = "CTA_DATA_COMMAND"
"""Variable of all processes that a command starts: the process number of the command."""
_GRACE_SECONDS = 3.0
_LOCKS = ("*.lock", "annex/*.lock", "refs/heads/*.lock", "refs/heads/**/*.lock")
_WATCHER = """
import os, signal, sys
if not os.read(0, 1) and os.path.isdir("/proc"):
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/environ", "rb") as file:
                if sys.argv[1].encode() in file.read().split(b"\\0"):
                    os.kill(int(name), signal.SIGTERM)
        except OSError:
            pass
"""


@contextmanager
def children_that_end() -> Iterator[None]:
    """Have all processes that are started meanwhile end when this one is killed."""
    if MARK in os.environ:  # a command that a command of ours started
        yield
        return
    mark = f"{MARK}={os.getpid()}"
    watcher = subprocess.Popen(
        [sys.executable, "-S", "-E", "-c", _WATCHER, mark],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    assert watcher.stdin is not None
    os.environ[MARK] = str(os.getpid())
    try:
        yield
    finally:
        del os.environ[MARK]
        with suppress(BrokenPipeError):
            watcher.stdin.write(b".")
            watcher.stdin.close()
        watcher.wait()


def clear_leftovers(root: Path, places: Iterable[str]) -> list[str]:
    """End what killed commands left running in a study, and remove git's locks that it left.

    To be called while the study's lock is held.

    Parameters
    ----------
    places
        Where repositories may lie, as patterns from the top of the study.

    Returns
    -------
    list of str
        What was done, for the user.

    Raises
    ------
    CtaError
        git works in the study and holds a lock: it was not started by a command of this package.
    """
    locks = _locks_in(root, places)
    if not locks:
        return []
    _end_orphans()
    living = [process for process in _of_git(root) if process.pid != os.getpid()]
    there = [lock for lock in locks if lock.exists()]
    if there and living:
        names = ", ".join(f"{process.name()} ({process.pid})" for process in living[:3])
        raise CtaError("git_busy", where=there[0], names=names)
    told = []
    for lock in there:
        lock.unlink(missing_ok=True)
        told.append(f"removed {lock.relative_to(root)}, which a command that was killed had left")
    return told


def stale_locks(root: Path, places: Iterable[str]) -> list[str]:
    """Return the locks of git in a study, from its top, while no process of git works there."""
    locks = _locks_in(root, places)
    if not locks or _of_git(root):
        return []
    return [lock.relative_to(root).as_posix() for lock in locks if lock.exists()]


def _locks_in(root: Path, places: Iterable[str]) -> list[Path]:
    """The locks of all repositories of a study, of those too that were being made."""
    patterns = (f"{place}/.git/{lock}".lstrip("/") for place in places for lock in _LOCKS)
    found = (root.glob(pattern) for pattern in patterns)
    return sorted(set(chain.from_iterable(found)))


def _end_orphans() -> None:
    """End marked processes whose command is gone."""
    import psutil  # here and below: commands that only print help do not pay for it

    # What a process does not let us see is None; who is gone meanwhile is not listed.
    marks = {
        process: (process.info["environ"] or {}).get(MARK, "")
        for process in psutil.process_iter(["environ"])
    }
    orphans = [process for process, mark in marks.items() if _is_of_the_dead(mark)]
    for process in orphans:
        _send(process, kill=False)
    _, left = psutil.wait_procs(orphans, timeout=_GRACE_SECONDS)
    for process in left:
        _send(process, kill=True)
    if left:
        time.sleep(0.1)


def _is_of_the_dead(mark: str) -> bool:
    """Return whether the command that a mark names is gone."""
    import psutil

    return mark.isdigit() and int(mark) != os.getpid() and not psutil.pid_exists(int(mark))


def _send(process: psutil.Process, *, kill: bool) -> None:
    import psutil

    with suppress(psutil.Error):
        (process.kill if kill else process.terminate)()


def _of_git(root: Path) -> list[psutil.Process]:
    """The processes of git that work inside a study."""
    import psutil

    return [
        process
        for process in psutil.process_iter(["name", "cwd"])
        if (process.info["name"] or "").startswith("git")
        and process.info["cwd"]
        and Path(process.info["cwd"]).is_relative_to(root)
    ]
