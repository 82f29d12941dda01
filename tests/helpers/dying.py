"""Work whose process dies, as the system ends one that takes too much memory."""

from __future__ import annotations

import os
import signal
from pathlib import Path

DEADLY = "deadly"


def square_or_die(number: int) -> int:
    """Square a number; the process is killed by a negative one."""
    if number < 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return number * number


def die_once(mark: Path) -> str:
    """End the process unless the file is there, which the first call makes."""
    if not mark.exists():
        mark.touch()
        os._exit(1)
    return "done"


def score_or_die(item, **rules):  # type: ignore[no-untyped-def]
    """Score a case; the process is killed by the one with the deadly name."""
    if item[0] == DEADLY:
        os.kill(os.getpid(), signal.SIGKILL)
    # Here, since each new process would otherwise import what few of them need.
    from cta_data.scoring.collection import _score

    return _score(item, **rules)


def read_batch_or_die(files, **rules):  # type: ignore[no-untyped-def]
    """Read the headers of a batch; the process is killed by the file with the deadly name."""
    if any(one.name == DEADLY for one in files):
        os.kill(os.getpid(), signal.SIGKILL)
    from cta_data.intake.headers import _read_batch

    return _read_batch(files, **rules)
