"""The driver: plans each step, has its units run, places what is whole, writes the tables.

It is the only process that touches a shared file or commits.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, as_completed
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

from cta_data.engine.acceptance import decided, decision_about
from cta_data.engine.child import Child, ChildDied
from cta_data.engine.decisions import Decision, decide
from cta_data.engine.executors import ExecutorOptions, WorkersNotStarted, open_executor
from cta_data.engine.log import LOG, RunLog
from cta_data.engine.records import Record, Report, reason_columns
from cta_data.engine.running import CommandNews, forget_running
from cta_data.engine.staging import clear_staging, place, remove, staging_folder
from cta_data.engine.units import Blocked, Selection, Step, Unit, UnitId
from cta_data.engine.worker import Result, limit_threads, run_unit
from cta_data.errors import CtaError
from cta_data.processes import CAN_FORK
from cta_data.reasons import Reason
from cta_data.study.session_id import SessionId
from cta_data.study.study import Study
from cta_data.study.tables import TableRow, UnitRow
from cta_data.versioning.datasets import fetch

LOGGER = logging.getLogger(__name__)
FLUSH_SECONDS = 20.0
UNCOMMITTED = Path(".cta") / "uncommitted"


@dataclass(frozen=True)
class RunOptions:
    """How a command's units are run."""

    selection: Selection = Selection()
    executor: ExecutorOptions = ExecutorOptions()
    recompute: bool = False
    command: tuple[str, ...] = ()


@dataclass
class Observer:
    """What the caller wants to hear; the command line shows it, tests collect it."""

    step_planned: Callable[[str, list[Decision]], None] = lambda step, decisions: None
    recorded: Callable[[Record], None] = lambda record: None
    fetched: Callable[[list[str]], None] = lambda paths: None
    noted: Callable[[str], None] = lambda message: None


@dataclass
class _Pending:
    """Results that are in place but not yet in the tables."""

    results: list[Result] = field(default_factory=list)
    blocked: list[Decision] = field(default_factory=list)


def plan_steps(study: Study, steps: Iterable[Step], options: RunOptions) -> Iterator[Decision]:
    """Decide about every unit of the steps without doing anything, one after the other.

    Units whose input an earlier step would make are planned to run after it.
    """
    running: set[SessionId | None] = set()
    for step in steps:
        for decision in _decide_step(study, step, options):
            unit = decision.unit.id
            if decision.action != "run" and _awaits(unit, running):
                decision = Decision(decision.unit, "run", Reason("awaits_earlier_step"))
            if decision.action == "run":
                running.add(unit.about)
            yield decision


def run_steps(
    study: Study,
    steps: Iterable[Step],
    options: RunOptions,
    observer: Observer | None = None,
    finish: Callable[[Report], None] = lambda report: None,
    prepare: Callable[[], object] = lambda: None,
) -> Report:
    """Run the steps one after the other and return all records.

    `prepare` is called before the first step and `finish` after the last, while the study is
    locked.

    Raises
    ------
    CtaError
        Another command works on the study, or content cannot be fetched.
    """
    from cta_data.study.lock import study_lock  # what only prints help loads no psutil

    watcher = observer or Observer()
    report = Report()
    limit_threads()
    with ExitStack() as stack:
        stack.enter_context(study_lock(study))
        clear_staging(study.root)
        forget_running(study.root)
        prepare()
        log = RunLog(study.root, list(options.command))
        stack.callback(log.close)
        news = CommandNews(study.root, options.command)
        stack.callback(news.close)
        executor = replace(options.executor, log_folder=study.root / LOG / "slurm")
        pool = _LazyExecutor(executor, stack)

        def record(entry: Record) -> None:
            report.add(entry)
            log.add(entry)
            news.recorded(entry)
            watcher.recorded(entry)

        for step in steps:
            decisions = list(_decide_step(study, step, options))
            watcher.step_planned(step.name, decisions)
            news.planned(step.name, len(decisions))
            for decision in decisions:
                if decision.action == "run" and isinstance(decision.unit, Unit):
                    report.inputs.update(entry.path for entry in decision.unit.inputs)
            _run_step(study, step, decisions, pool, record, watcher)
        finish(report)
    return report


def _awaits(unit: UnitId, running: set[SessionId | None]) -> bool:
    """Tell whether a unit waits for its session, or one of the whole study for any, to run."""
    return bool(running) if unit.about is None else unit.about in running


def _decide_step(study: Study, step: Step, options: RunOptions) -> Iterator[Decision]:
    rows = study.tables.by_key(UnitRow)
    for unit in step.plan(study, options.selection):
        yield decide(unit, rows.get(unit.id.key), study.has, recompute=options.recompute)


def _run_step(
    study: Study,
    step: Step,
    decisions: list[Decision],
    pool: _LazyExecutor,
    record: Callable[[Record], None],
    watcher: Observer,
) -> None:
    for decision in decisions:
        if decision.action != "run":
            record(Record(decision.unit.id, decision.action, decision.reason))
    pending = _Pending(
        blocked=[d for d in decisions if isinstance(d.unit, Blocked) and not d.unit.keeps_results],
    )
    units = [d.unit for d in decisions if d.action == "run" and isinstance(d.unit, Unit)]
    if units:
        units, unfetched = _fetch_inputs(study, units, watcher)
        for result in unfetched:
            record(result.record)
            row = study.tables.by_key(UnitRow).get(result.unit.id.key)
            # What the same inputs gave before is still right, though it cannot be repeated.
            if row is None or row.key != result.unit.key:
                pending.results.append(_placed(study, result))
        mark_uncommitted(study.root)
    last_flush = time.monotonic()
    try:
        for result in _results(step, units, str(study.root), pool):
            result = _placed(study, result)
            record(result.record)
            pending.results.append(result)
            if time.monotonic() - last_flush > FLUSH_SECONDS:
                _tabulate(study, step, pending)
                last_flush = time.monotonic()
    finally:
        # Whoever interrupts keeps what was finished.
        _tabulate(study, step, pending)


def _fetch_inputs(
    study: Study, units: list[Unit], watcher: Observer
) -> tuple[list[Unit], list[Result]]:
    """Fetch what the units read; units whose input is not to be had fail, the others go on."""
    fetched = fetch(study.root, {entry.path for unit in units for entry in unit.inputs})
    if fetched.paths:
        watcher.fetched(list(fetched.paths))
    ready, failed = [], []
    for unit in units:
        path = next((entry.path for entry in unit.inputs if entry.path in fetched.failed), None)
        if path is None:
            ready.append(unit)
            continue
        reason = Reason("input_not_fetched", where=path, error=fetched.failed[path])
        failed.append(Result(unit, Record(unit.id, "error", reason)))
    return ready, failed


def _results(step: Step, units: list[Unit], root: str, pool: _LazyExecutor) -> Iterator[Result]:
    if not units:
        return
    try:
        executor = pool.get(len(units))
    except WorkersNotStarted as error:
        yield from (Result(unit, Record(unit.id, "error", error.reason)) for unit in units)
        return
    if executor is None:
        yield from (_in_child(pool.child, step, unit, root) for unit in units)
        return
    futures = {executor.submit(run_unit, step, unit, root): unit for unit in units}
    suspects = []
    for future in as_completed(futures):
        if future.exception() is None:
            yield future.result()
        else:
            suspects.append(futures[future])
    # A worker that dies takes down whoever shared it. Alone, only the culprit dies again.
    for unit in suspects:
        yield _alone(executor, step, unit, root)


def _alone(executor: Executor, step: Step, unit: Unit, root: str) -> Result:
    future = executor.submit(run_unit, step, unit, root)
    error = future.exception()
    if error is None:
        return future.result()
    return _died(unit, type(error).__name__)


def _in_child(child: Child, step: Step, unit: Unit, root: str) -> Result:
    """Run one unit by itself; a crash of its process costs it alone."""
    if not CAN_FORK:
        return run_unit(step, unit, root)
    try:
        result: Result = child.do(run_unit, step, unit, root)
    except ChildDied as error:
        return _died(unit, str(error))
    return result


def _died(unit: Unit, how: str) -> Result:
    return Result(unit, Record(unit.id, "error", Reason("worker_died", how=how)))


class _LazyExecutor:
    """Opens the executor when the first unit has to run, so that planning stays quick."""

    def __init__(self, options: ExecutorOptions, stack: ExitStack) -> None:
        self._options = options
        self._stack = stack
        self._executor: Executor | None = None
        self.child = Child()
        stack.callback(self.child.close)

    def get(self, units: int) -> Executor | None:
        """Return the executor, or None where `child` does one unit after the other."""
        local = not (self._options.scheduler or self._options.slurm_profile)
        if local and (self._options.jobs <= 1 or (units == 1 and self._executor is None)):
            return None
        if self._executor is None:
            self._executor = self._stack.enter_context(open_executor(self._options))
        return self._executor


def _placed(study: Study, result: Result) -> Result:
    """Move a result into place; what cannot be placed is an error of its unit."""
    row = study.tables.by_key(UnitRow).get(result.unit.id.key)
    stale = list(row.outputs) if row else []
    try:
        if result.outcome:
            staging = staging_folder(study.root, result.unit.id.key, result.unit.key)
            place(study.root, staging, result.outputs, stale)
            decision = decision_about(study.tables, result.unit.id, result.unit.key)
            result = replace(result, record=decided(result.record, decision))
        else:
            remove(study.root, stale)
    except OSError as error:
        reason = Reason("outputs_not_placed", error=error)
        failed = Record(result.unit.id, "error", reason)
        return Result(result.unit, failed)
    return result


def _tabulate(study: Study, step: Step, pending: _Pending) -> None:
    """Write the rows of finished units: exactly those that the units own are replaced."""
    tables = study.tables
    scopes: dict[tuple[type[TableRow], tuple[str, ...]], set[tuple]] = {}
    rows: dict[type[TableRow], list[TableRow]] = {}
    ids = [r.unit.id for r in pending.results] + [d.unit.id for d in pending.blocked]
    for unit in ids:
        for of, where in step.owns(unit).items():
            scopes.setdefault((of, tuple(where)), set()).add(tuple(where.values()))
    for result in pending.results:
        for row in result.outcome.rows if result.outcome else ():
            rows.setdefault(type(row), []).append(row)
    for (of, columns), owned in scopes.items():
        tables.replace(of, columns, owned, rows.pop(of, []))
    if rows:
        alien = ", ".join(of.TABLE for of in rows)
        raise CtaError("rows_not_owned", step=step.name, alien=alien)
    for decision in pending.blocked:
        old = tables.by_key(UnitRow).get(decision.unit.id.key)
        remove(study.root, list(old.outputs) if old else [])
    tables.upsert([_unit_row(result) for result in pending.results])
    tables.upsert([_blocked_row(decision) for decision in pending.blocked])
    if tables.changed():
        mark_uncommitted(study.root)
    tables.flush()
    pending.results.clear()
    pending.blocked.clear()


def _unit_row(result: Result) -> UnitRow:
    unit = result.unit
    return UnitRow.of(
        unit.id,
        key=unit.key,
        status=result.record.status,
        **reason_columns(result.record.reason),
        warnings=result.record.warnings,
        step_version=unit.version,
        parameters=unit.parameters_digest,
        inputs=tuple(entry.path for entry in unit.inputs),
        input_keys=tuple(entry.key for entry in unit.inputs),
        outputs=tuple(result.outputs),
    )


def _blocked_row(decision: Decision) -> UnitRow:
    return UnitRow.of(
        decision.unit.id,
        key="",
        status=decision.action,
        **reason_columns(decision.reason),
        step_version=decision.unit.version,
        parameters="",
    )


def mark_uncommitted(root: Path) -> None:
    """Leave a mark that there is something to commit, which outlives a killed command."""
    (root / UNCOMMITTED).touch()
