"""Engine: units, keys, plan, execution, records and provenance.

What is named here is loaded when it is first used: what only prints records runs no units.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cta_data.engine.decisions import Decision, decide
    from cta_data.engine.driver import Observer, RunOptions, plan_steps, run_steps
    from cta_data.engine.executors import ExecutorOptions
    from cta_data.engine.records import Record, Report
    from cta_data.engine.staging import Workspace
    from cta_data.engine.units import (
        Blocked,
        Input,
        Outcome,
        RunOf,
        Selection,
        Step,
        Unit,
        UnitId,
        existing_files,
        session_scope,
    )
    from cta_data.versioning.keys import content_key, digest

_PLACES = {
    "engine.decisions": ("Decision", "decide"),
    "engine.driver": ("Observer", "RunOptions", "plan_steps", "run_steps"),
    "engine.executors": ("ExecutorOptions",),
    "engine.records": ("Record", "Report"),
    "engine.staging": ("Workspace",),
    "engine.units": (
        *("Blocked", "Input", "Outcome", "RunOf", "Selection", "Step", "Unit", "UnitId"),
        *("existing_files", "session_scope"),
    ),
    "versioning.keys": ("content_key", "digest"),
}
_MODULES = {name: f"cta_data.{module}" for module, names in _PLACES.items() for name in names}

__all__ = [
    "Blocked",
    "Decision",
    "ExecutorOptions",
    "Input",
    "Observer",
    "Outcome",
    "Record",
    "Report",
    "RunOf",
    "RunOptions",
    "Selection",
    "Step",
    "Unit",
    "UnitId",
    "Workspace",
    "content_key",
    "decide",
    "digest",
    "existing_files",
    "plan_steps",
    "run_steps",
    "session_scope",
]


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return getattr(import_module(_MODULES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
