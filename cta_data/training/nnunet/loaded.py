"""A process that has loaded what nnU-Net needs, and is copied for each job.

To import torch and the libraries around nnU-Net takes five seconds of processor time, which is more
than many a job: a copy (fork) of a process that has them starts at once. nnU-Net itself is imported
by the copy, since it takes its folders from its environment meanwhile.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from threading import Lock
from typing import IO

from cta_data.files import json_line
from cta_data.memory import lift_memory_bound
from cta_data.processes import die_with_parent

LIBRARIES = (
    *("torch", "torch._dynamo", "scipy.ndimage", "scipy.stats", "skimage.measure", "sklearn"),
    *("pandas", "seaborn", "SimpleITK", "nibabel", "blosc2", "tifffile", "requests"),
    *("dynamic_network_architectures.architectures.unet", "acvl_utils.cropping_and_padding"),
)
"""What nnU-Net imports; none of them looks for nnU-Net's variables."""
_OF_A_COPY = ("nnUNet_", "CUDA_VISIBLE_DEVICES")
"""Begin the names of variables that only a copy reads: these may differ from copy to copy."""
_OF_PYTHON = "PYTHON"
"""Begins the names of variables that Python reads when it starts."""
COMMAND = (sys.executable, "-m", "cta_data.training.nnunet.process")
Work = Callable[[list[str]], None]


@dataclass
class Request:
    """What a copy is to do.

    Attributes
    ----------
    arguments
        Words for `process`: the job, its file and its answer's.
    log
        File that takes what the copy prints.
    environment
        All variables of the copy.
    """

    arguments: list[str]
    log: str
    environment: dict[str, str]
    folder: str = field(default_factory=os.getcwd)


class Loaded:
    """The process as its parent sees it.

    Parameters
    ----------
    log
        File that takes what it prints before it has loaded all.
    """

    def __init__(self, environment: Mapping[str, str], log: Path) -> None:
        self._started_with = _read_at_start(environment)
        self._owner = os.getpid()
        with open(log, "ab") as printed:
            self._process = subprocess.Popen(
                COMMAND,
                env=os.environ | environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=printed,
                preexec_fn=_begin,
            )

    @property
    def is_ours(self) -> bool:
        """Whether this process started it, and not one that this one is a copy of."""
        return self._owner == os.getpid()

    def can_take(self, environment: Mapping[str, str]) -> bool:
        """Tell whether it lives, and was started as this environment would have it."""
        return (
            self.is_ours
            and self._process.poll() is None
            and self._started_with == _read_at_start(environment)
        )

    def do(self, request: Request) -> int:
        """Have a copy do a job; return its exit code, negative where a signal ended it.

        Where this process itself ends, and with it the copy, it is its own.
        """
        pipe, answers = self._process.stdin, self._process.stdout
        assert pipe is not None and answers is not None
        try:
            with suppress(BrokenPipeError):
                pipe.write(json_line(vars(request)).encode() + b"\n")
                pipe.flush()
            line = answers.readline()
        except BaseException:
            self.end()  # nobody waits for the copy any more
            raise
        return int(line) if line else self._process.wait()

    def end(self) -> None:
        """End it, and the copy at work with it."""
        self._process.kill()
        self._process.wait()


_idle: list[Loaded] = []
"""Processes of this one that wait for a job: as many as ever worked at a time."""
_choosing = Lock()


def run_copy(arguments: list[str], log: Path, environment: Mapping[str, str]) -> int:
    """Do a job in a copy of a process that has loaded what it needs; return its exit code.

    Parameters
    ----------
    arguments
        Words for `process`: the job, its file and its answer's.
    log
        File that takes what the copy prints.
    environment
        Variables of the job, on top of this process's.
    """
    loaded = _take(environment) or Loaded(environment, log)
    code = loaded.do(Request(arguments, str(log), os.environ | environment))
    with _choosing:
        _idle.append(loaded)
    return code


def _take(environment: Mapping[str, str]) -> Loaded | None:
    """Return an idle process for an environment; those for others are ended: they keep memory."""
    with _choosing:
        fitting = [one for one in _idle if one.can_take(environment)]
        others = [one for one in _idle if one not in fitting]
        _idle[:] = fitting[1:]
    for other in others:
        if other.is_ours:
            other.end()
    return fitting[0] if fitting else None


def _read_at_start(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variables of a job that Python or the libraries read when they are loaded."""
    of_python = {k: v for k, v in os.environ.items() if k.startswith(_OF_PYTHON)}
    return of_python | {k: v for k, v in environment.items() if not k.startswith(_OF_A_COPY)}


def _begin() -> None:
    die_with_parent()
    lift_memory_bound()  # it takes what it needs, and dies alone


def serve(requests: IO[bytes], answers: IO[bytes], work: Work) -> None:
    """Load the libraries, then do a job a line in copies; returns in a copy that has done its job.

    Parameters
    ----------
    work
        Does a job, given its arguments.
    """
    # Ctrl-C reaches all processes of a terminal: the parent ends this one.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for name in LIBRARIES:
        with suppress(ImportError):  # the copy will say what it lacks
            import_module(name)
    for line in requests:
        request = Request(**json.loads(line))
        parent = os.getpid()
        copy = os.fork()
        if not copy:
            _become(request, parent)
            work(request.arguments)
            return
        _, status = os.waitpid(copy, 0)
        answers.write(b"%d\n" % os.waitstatus_to_exitcode(status))
        answers.flush()


def _become(request: Request, parent: int) -> None:
    """Turn this copy into the process of a job."""
    die_with_parent()
    if os.getppid() != parent:
        os._exit(1)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ.clear()
    os.environ.update(request.environment)
    os.chdir(request.folder)
    log = os.open(request.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((nothing, 0), (log, 1), (log, 2)):
        os.dup2(source, target)
    for number in (log, nothing):
        os.close(number)
    sys.argv[1:] = request.arguments
    sys.stdout, sys.stderr = (os.fdopen(n, "w", buffering=1, closefd=False) for n in (1, 2))
