"""Run one piece of nnU-Net's work in a process of its own.

nnU-Net takes its folders and its numbers of processes from environment variables, many of them at
import. A process for each piece of work keeps them apart, gives a fold its own GPU, and frees all
memory in the end. The child dies with its parent, and what it forked dies with it, so that no
training goes on unseen.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import traceback
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from cta_data.errors import ConfigurationError, CtaError, DataRefused
from cta_data.files import json_line, write_text
from cta_data.processes import CAN_FORK, die_with_parent
from cta_data.reasons import Reason
from cta_data.training.nnunet.loaded import COMMAND, run_copy, serve

JOBS = {
    "plan": "cta_data.training.nnunet.planning:plan_job",
    "train": "cta_data.training.nnunet.training:train_job",
    "postprocess": "cta_data.training.nnunet.cross_validation:postprocess_job",
    "predict": "cta_data.training.nnunet.prediction:predict_job",
}
"""Names of the jobs, and the functions that do them: they take and return JSON."""

_KINDS: dict[str, type[CtaError]] = {
    kind.__name__: kind for kind in (CtaError, DataRefused, ConfigurationError)
}
_LAST_LINES = 3
_FULL_BYTES = 4 << 20


def run_job(
    name: str,
    arguments: Mapping[str, Any],
    folder: Path,
    environment: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Do a job in a child process and return what it returns.

    Parameters
    ----------
    name
        One of `JOBS`.
    arguments
        JSON content.
    folder
        Where the job, its answer and `<name>.log` with all that nnU-Net prints are written.
    environment
        Variables of the child, on top of this process's.

    Raises
    ------
    CtaError
        The job's own error, or the child died; what it printed last is told.
    """
    folder.mkdir(parents=True, exist_ok=True)
    job, answer, log = (folder / f"{name}.{kind}" for kind in ("job.json", "answer.json", "log"))
    job.write_text(json_line(dict(arguments)), encoding="utf-8")
    answer.unlink(missing_ok=True)
    code = _run([name, str(job), str(answer)], log, dict(environment or {}))
    content = json.loads(answer.read_text("utf-8")) if answer.is_file() else None
    if (content is None or "error" in content) and _is_full(folder):
        raise _full_disk()
    if content is None:
        raise _death(name, code, log)
    if "error" in content:
        error = content["error"]
        raise _KINDS[error["kind"]](Reason.from_dict(error["reason"]))
    return dict(content)


def _run(arguments: list[str], log: Path, environment: dict[str, str]) -> int:
    """Run `main` in another process; return its exit code."""
    if CAN_FORK:
        return run_copy(arguments, log, environment)
    with open(log, "ab") as printed:
        done = subprocess.run(
            [*COMMAND, *arguments],
            env=os.environ | environment,
            stdin=subprocess.DEVNULL,
            stdout=printed,
            stderr=subprocess.STDOUT,
            check=False,
        )
    return done.returncode


def _is_full(folder: Path) -> bool:
    """Tell whether the disk is full: torch names it otherwise, and a log of it may be cut off."""
    return shutil.disk_usage(folder).free < _FULL_BYTES


def _full_disk() -> CtaError:
    return CtaError("disk_full_in_training")


def _death(name: str, code: int, log: Path) -> CtaError:
    if -code == signal.SIGKILL:
        why = "it was killed, as a machine does that runs out of memory"
        todo = "Give it more memory, or run fewer at a time (-j)"
    else:
        lines = log.read_text("utf-8", errors="replace").splitlines()
        why = " / ".join(line.strip() for line in lines[-_LAST_LINES:] if line.strip())
        why = why or f"exit code {code}"
        todo = "The log tells more"
    return CtaError("nnunet_process_died", where=log.name, name=name, why=why, todo=todo)


def main(arguments: list[str]) -> None:
    """Do a job in this process; its answer or its error is written as JSON.

    Parameters
    ----------
    arguments
        Name of the job, file of its content, file for its answer.
    """
    name, job, answer = arguments[0], Path(arguments[1]), Path(arguments[2])
    module, function = JOBS[name].split(":")
    try:
        content = getattr(import_module(module), function)(json.loads(job.read_text("utf-8")))
    except Exception as error:  # noqa: BLE001 - the parent raises it again
        traceback.print_exc()
        content = {"error": _told(error)}
    write_text(json_line(content), answer)


def _told(error: Exception) -> dict[str, Any]:
    if isinstance(error, CtaError):
        kind = type(error).__name__ if type(error).__name__ in _KINDS else "CtaError"
        return {"kind": kind, "reason": error.reason.as_dict()}
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return _told(_full_disk())
    if "out of memory" in str(error).lower():
        return _told(CtaError("out_of_memory_in_training", error=str(error)))
    told = f"{type(error).__name__}: {error}".strip()
    return _told(CtaError("unforeseen_error_in_training", error=told))


if __name__ == "__main__":
    # nnU-Net's augmentation is forked and never looks whether who wants it is still there.
    os.register_at_fork(after_in_child=die_with_parent)
    if sys.argv[1:]:
        main(sys.argv[1:])
    else:
        serve(sys.stdin.buffer, sys.stdout.buffer, main)
