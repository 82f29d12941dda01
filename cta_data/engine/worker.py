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
from cta_data.reasons import Reason

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
        reason = outcome.refused and outcome.refused.without(*_folders(root, staging))
        warnings = tuple(_without_folders(one, root, staging) for one in outcome.warnings)
        record = Record(unit.id, status, reason, seconds, _peak(), notes, warnings)
        return Result(unit, record, outcome, outputs)
    except TooLarge as error:  # not for ever: with another limit it may be done
        reason = _refusal(error, unit).without(*_folders(root, staging))
        record = Record(unit.id, "error", reason, time.perf_counter() - started, _peak())
    except DataRefused as error:
        reason = _refusal(error, unit).without(*_folders(root, staging))
        seconds = time.perf_counter() - started
        record = Record(unit.id, "impossible", reason, seconds, _peak())
    except Exception as error:  # noqa: BLE001 - whatever a subject brings costs that subject alone
        record = Record(
            unit.id,
            "error",
            _explain(error).without(*_folders(root, staging)),
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


def _folders(root: str, staging: Path) -> tuple[str, str]:
    """Return what names of files leave out: what is kept must be the same in any place."""
    return f"{staging}/", f"{root}/"


def _without_folders(text: str, root: str, staging: Path) -> str:
    for folder in _folders(root, staging):
        text = text.replace(folder, "")
    return text


def _refusal(error: DataRefused, unit: Unit) -> Reason:
    """Return the reason; where it happened is left out where that is the unit itself."""
    return error.reason.at("") if error.where == str(unit.id) else error.reason


def _explain(error: Exception) -> Reason:
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return Reason("disk_full_for_unit")
    if isinstance(error, CtaError):
        return error.reason
    if is_out_of_memory(error):
        return Reason("out_of_memory", free_gib=free_bytes() / GIBIBYTE)
    # Its text may repeat a value of a header: it is in the log alone, which is not versioned.
    known = f": {error.strerror}" if isinstance(error, OSError) and error.strerror else ""
    return Reason(
        "unforeseen_error",
        error_type=type(error).__name__,
        known=known,
        place=_place(error),
        log=LOG,
    )


def _place(error: Exception) -> str:
    """Return where in this package an exception came from, whatever it called."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if Path(frame.filename).is_relative_to(PACKAGE)]
    path = Path(own[-1].filename).relative_to(PACKAGE.parent)
    return f"{path.as_posix()}:{own[-1].lineno} ({own[-1].name})"


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
