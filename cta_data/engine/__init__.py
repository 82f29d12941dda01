"""Engine: units, keys, plan, execution, records and provenance."""

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
