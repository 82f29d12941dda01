"""What runs at the moment: files below `.cta/running`, for whoever looks from another terminal.

A file is written whole, by the process that does the work, and is believed only as long as that
process lives. Nothing is committed, and no result depends on it.
"""

from __future__ import annotations

import contextlib
import json
import platform
import shlex
import shutil
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from cta_data.engine.records import Record
from cta_data.errors import DataRefused
from cta_data.files import read_json_object, write_text

RUNNING = Path(".cta") / "running"
_SAME_START_SECONDS = 2.0
"""Clocks are corrected: two readings of the start of one process may differ by so much."""
_SILENCE_SECONDS = 3600.0
"""A process of another machine cannot be looked at: it is believed so long after its last news."""
_PAUSE_SECONDS = 0.5


@dataclass(frozen=True)
class Process:
    """A process that cannot be mistaken for a later one of the same number."""

    host: str
    pid: int
    started: float

    @classmethod
    def this(cls) -> Process:
        """Return the process that asks."""
        import psutil  # what only prints help loads none

        own = psutil.Process()
        return cls(platform.node(), own.pid, own.create_time())

    def lives(self, heard: float) -> bool:
        """Tell whether it is still there.

        Parameters
        ----------
        heard
            When it last gave news (seconds since 1970).
        """
        if self.host != platform.node():
            return time.time() - heard < _SILENCE_SECONDS
        import psutil

        try:
            process = psutil.Process(self.pid)
            started, ended = process.create_time(), process.status() == psutil.STATUS_ZOMBIE
        except psutil.Error:
            return False
        return not ended and abs(started - self.started) < _SAME_START_SECONDS


@dataclass(frozen=True)
class RunningStep:
    """The step that a command works on: units that are done, of how many; times since 1970 (s)."""

    command: str
    step: str
    done: int
    units: int
    not_done: int
    since: float


@dataclass(frozen=True)
class RunningTraining:
    """A fold that is trained.

    Attributes
    ----------
    phase
        `preparing`, `training` or `validating`.
    epoch, epochs
        Epochs that are finished, and how many there will be.
    train_loss, validation_loss, pseudo_dice
        Of the last epoch; None before the first.
    kept_epoch
        Epochs that the last checkpoint holds; 0 without one.
    since
        When this process began (seconds since 1970).
    seconds_left
        Of its epochs, as the last ones took; None before the first.
    log
        File that nnU-Net prints to.
    """

    model: str
    fold: int
    log: str
    since: float
    phase: str = "preparing"
    epoch: int = 0
    epochs: int = 0
    train_loss: float | None = None
    validation_loss: float | None = None
    pseudo_dice: float | None = None
    kept_epoch: int = 0
    seconds_left: float | None = None


Running = RunningStep | RunningTraining
_KINDS: dict[str, type[RunningStep] | type[RunningTraining]] = {
    kind.__name__: kind for kind in (RunningStep, RunningTraining)
}


@dataclass
class Announcement:
    """One file below `.cta/running`; a disk that is full does not end the work."""

    path: Path
    process: Process = field(default_factory=Process.this)
    _told: float = 0.0

    def is_due(self) -> bool:
        """Return whether the last news are old enough for more of what comes often."""
        return time.monotonic() - self._told >= _PAUSE_SECONDS

    def tell(self, content: Running) -> None:
        """Write what this process does."""
        self._told = time.monotonic()
        about = {"kind": type(content).__name__, "heard": time.time()}
        text = json.dumps(about | {"process": asdict(self.process), "content": asdict(content)})
        with contextlib.suppress(OSError):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            write_text(text, self.path)

    def withdraw(self) -> None:
        """Remove the file."""
        with contextlib.suppress(OSError):
            self.path.unlink(missing_ok=True)


class CommandNews:
    """Tells which step a command works on, and how far it is."""

    def __init__(self, root: Path, command: Sequence[str]) -> None:
        self._command = shlex.join(command)
        self._announcement = Announcement(root / RUNNING / "command.json")
        self._step = RunningStep(self._command, "", 0, 0, 0, time.time())
        self._done = self._not_done = 0

    def planned(self, step: str, units: int) -> None:
        """Take that a step begins."""
        self._step = RunningStep(self._command, step, 0, units, 0, time.time())
        self._done = self._not_done = 0
        self._announcement.tell(self._step)

    def recorded(self, record: Record) -> None:
        """Take that a unit ended."""
        self._done += 1
        self._not_done += record.status in ("error", "impossible")
        if self._announcement.is_due():
            self._announcement.tell(replace(self._step, done=self._done, not_done=self._not_done))

    def close(self) -> None:
        """Take that the command ends."""
        self._announcement.withdraw()


def running_work(root: Path) -> list[Running]:
    """Return what runs on a study at the moment, the command before its trainings."""
    return sorted(_believed(root), key=lambda one: (type(one).__name__, str(one)))


def _believed(root: Path) -> Iterator[Running]:
    folder = root / RUNNING
    for path in sorted(folder.glob("*.json")) if folder.is_dir() else ():
        # It may go while we look, or be of another version.
        with contextlib.suppress(DataRefused, OSError, KeyError, TypeError, ValueError):
            found: dict[str, Any] = read_json_object(path)
            content = _KINDS[found["kind"]](**found["content"])
            if Process(**found["process"]).lives(float(found["heard"])):
                yield content


def forget_running(root: Path) -> None:
    """Remove what commands that died have left; whoever calls it holds the study's lock."""
    shutil.rmtree(root / RUNNING, ignore_errors=True)
