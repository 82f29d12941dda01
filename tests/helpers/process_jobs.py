"""A job of nnU-Net's process that does what its content says, instead of planning."""

from __future__ import annotations

import errno
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

from cta_data.errors import ConfigurationError, CtaError, DataRefused

KINDS = {kind.__name__: kind for kind in (CtaError, DataRefused, ConfigurationError)}


def stand_in(folder: Path) -> dict[str, str]:
    """Return the environment of a child whose job `plan` is the one below."""
    folder.mkdir(parents=True, exist_ok=True)
    name = "cta_data.training.nnunet.planning"
    text = (
        f"import sys\nimport helpers.process_jobs\nsys.modules[{name!r}] = helpers.process_jobs\n"
        "import cta_data.training.nnunet.loaded as loaded\nloaded.LIBRARIES = ()\n"
    )
    (folder / "sitecustomize.py").write_text(text, "utf-8")
    tests = str(Path(__file__).parent.parent)
    root = str(Path(__file__).parent.parent.parent)
    return {"PYTHONPATH": os.pathsep.join([str(folder), tests, root])}


def plan_job(job: dict[str, Any]) -> dict[str, Any]:
    """Do what is asked for."""
    print("the job has begun", flush=True)
    return globals()[f"_{job['do']}"](job)


def _answer(job: dict[str, Any]) -> dict[str, Any]:
    variable = os.environ.get(job.get("variable", "CTA_TEST"))
    return {
        **{"got": job["value"], "variable": variable, "folder": os.getcwd()},
        **{"pid": os.getpid(), "parent": os.getppid()},
    }


def _refuse(job: dict[str, Any]) -> dict[str, Any]:
    raise KINDS[job["kind"]](job["code"], **job["parts"])


def _fail(job: dict[str, Any]) -> dict[str, Any]:
    raise RuntimeError(job["message"])


def _fill(job: dict[str, Any]) -> dict[str, Any]:
    raise OSError(errno.ENOSPC, "No space left on device")


def _exit(job: dict[str, Any]) -> dict[str, Any]:
    for line in job["lines"]:
        print(line)
    sys.stdout.flush()
    os._exit(job["code"])


def _killed(job: dict[str, Any]) -> dict[str, Any]:
    os.kill(os.getpid(), signal.SIGKILL)
    return {}


def _hang(job: dict[str, Any]) -> dict[str, Any]:
    """Fork a child as nnU-Net's augmentation is, tell both processes, and never end."""
    forked = os.fork()
    if forked:
        part = Path(f"{job['told']}.part")
        part.write_text(f"{os.getpid()} {forked}", "utf-8")
        part.rename(job["told"])
    while True:
        time.sleep(1)
