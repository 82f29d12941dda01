"""One unit in a worker: the only place where any exception becomes a record."""

from __future__ import annotations

import errno
import os
import resource
import shutil
import sys
import time
import traceback
from dataclasses import dataclass, field
from pathlib import Path

from cta_data.engine.log import LOG
from cta_data.engine.records import Record, Status
from cta_data.engine.staging import Workspace, staging_folder
from cta_data.engine.units import Outcome, Step, Unit
from cta_data.errors import CtaError, DataRefused, TooLarge
from cta_data.memory import GIBIBYTE, free_bytes, is_out_of_memory, memory_bounded

PACKAGE = Path(__file__).parents[1]


@dataclass
class Result:
    """What comes back from a worker: the record, and what to place and to tabulate, if any."""

    unit: Unit
    record: Record
    outcome: Outcome | None = None
    outputs: list[str] = field(default_factory=list)


def run_unit(step: Step, unit: Unit, root: str) -> Result:
    """Run one unit in its own staging folder; never raises."""
    limit_threads()
    staging = staging_folder(Path(root), unit.id.key, unit.key)
    shutil.rmtree(staging, ignore_errors=True)
    started = time.perf_counter()
    try:
        staging.mkdir(parents=True)
        workspace = Workspace(Path(root), staging)
        with memory_bounded():
            outcome = step.run(unit, workspace)
        outputs = workspace.outputs()
        seconds, notes = time.perf_counter() - started, tuple(outcome.notes)
        status: Status = "impossible" if outcome.refused else "ok"
        reason = _without_folders(outcome.refused, root, staging)
        warnings = tuple(_without_folders(one, root, staging) for one in outcome.warnings)
        record = Record(unit.id, status, reason, seconds, _peak(), notes, warnings)
        return Result(unit, record, outcome, outputs)
    except TooLarge as error:  # not for ever: with another limit it may be done
        reason = _without_folders(_refusal(error, unit), root, staging)
        record = Record(unit.id, "error", reason, time.perf_counter() - started, _peak())
    except DataRefused as error:
        reason = _without_folders(_refusal(error, unit), root, staging)
        seconds = time.perf_counter() - started
        record = Record(unit.id, "impossible", reason, seconds, _peak())
    except Exception as error:  # noqa: BLE001 - whatever a subject brings costs that subject alone
        record = Record(
            unit.id,
            "error",
            _without_folders(_explain(error), root, staging),
            time.perf_counter() - started,
            _peak(),
            traceback=traceback.format_exc(),
        )
    shutil.rmtree(staging, ignore_errors=True)
    return Result(unit, record)


def limit_threads() -> None:
    """Give ITK one thread: workers share the cores, and sums keep their order."""
    os.environ["ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS"] = "1"
    if "SimpleITK" in sys.modules:
        sys.modules["SimpleITK"].ProcessObject.SetGlobalDefaultNumberOfThreads(1)


def _without_folders(reason: str, root: str, staging: Path) -> str:
    """Name files from the top of the study: a reason is kept, and must be the same anywhere."""
    return reason.replace(f"{staging}/", "").replace(f"{root}/", "")


def _refusal(error: DataRefused, unit: Unit) -> str:
    """Return the message; where it happened is left out where that is the unit itself."""
    where = "" if error.where == str(unit.id) else error.where
    return str(DataRefused(error.what, where=where, why=error.why, next_step=error.next_step))


def _explain(error: Exception) -> str:
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return "the disk is full. Free some space and run the command again"
    if isinstance(error, CtaError):
        return str(error)
    if is_out_of_memory(error):
        free = f"{free_bytes() / GIBIBYTE:.1f} GiB are free"
        return f"it needs more memory than this machine has: {free}. Run it where there is more"
    # Its text may repeat a value of a header: it is in the log alone, which is not versioned.
    known = f": {error.strerror}" if isinstance(error, OSError) and error.strerror else ""
    return f"{type(error).__name__}{known} in {_place(error)}. The log under {LOG} says more"


def _place(error: Exception) -> str:
    """Return where in this package an exception came from, whatever it called."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if Path(frame.filename).is_relative_to(PACKAGE)]
    path = Path(own[-1].filename).relative_to(PACKAGE.parent)
    return f"{path.as_posix()}:{own[-1].lineno} ({own[-1].name})"


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
