"""What all commands share: the command that a record keeps, and how units are run and told."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from cta_data.cli.options import Execution, Output, StudySelection
from cta_data.engine.records import EXIT_FAILED, EXIT_NOTHING, EXIT_OK
from cta_data.errors import CtaError
from cta_data.terminal.output import print_errors, print_plan, print_report
from cta_data.versioning.provenance import command_words

if TYPE_CHECKING:
    from cta_data.engine import Decision, Observer, Record, Report, Step, UnitId
    from cta_data.study.study import Study

NOT_RECORDED = {
    "study",
    *(field.name for bundle in (Execution, Output) for field in fields(bundle)),
}
"""Where a study lies, how work is run and how it is printed: what is made does not depend on it."""


def recorded(context: typer.Context, **resolved: Any) -> tuple[str, ...]:
    """Return the command that a record keeps, from the options as they were read.

    Parameters
    ----------
    resolved
        Values of options that the command found out itself, such as the day.
    """
    values = context.params | resolved
    arguments: list[Any] = []
    options: dict[str, Any] = {}
    for parameter in context.command.params:
        value = values.get(parameter.name)
        if parameter.name in NOT_RECORDED:
            continue
        if parameter.param_type_name == "argument":
            arguments += value if isinstance(value, list | tuple) else [value]
        elif not isinstance(value, bool):
            options[_longest(parameter.opts)] = value
        elif value != parameter.default:
            options[_longest(parameter.opts if value else parameter.secondary_opts)] = True
    return command_words(context.info_name or "", *arguments, **options)


def _longest(names: Iterable[str]) -> str:
    return max(names, key=len).removeprefix("--")


def note_withdrawals(study: Study, output: Output) -> None:
    """Say which models learnt from patients who withdrew consent."""
    from cta_data.study.withdrawals import withdrawal_notes

    for note in withdrawal_notes(study):
        output.note(f"note: {note}")


@dataclass(frozen=True)
class Done:
    """What a run of units came to: what it was about, the exit code that follows, and the records.

    There are none where nothing was run.
    """

    units: list[UnitId]
    code: int
    records: tuple[Record, ...] = ()


def run_units(
    execution: Execution,
    output: Output,
    plan: Callable[[], Iterable[Decision]],
    work: Callable[[Observer], Report | None],
    *,
    notes: bool = False,
    watched: Path | None = None,
    has_result: bool = False,
) -> Done:
    """Plan where `--dry-run` says so, else run; print what came of it.

    Parameters
    ----------
    work
        Runs the units; without a report where it said itself why nothing could be run.
    notes
        Whether what units remarked is printed, a line each.
    watched
        The study whose trainings are shown while they run.
    has_result
        Whether the command prints a result of its own: then that is its JSON, and not the report.

    Raises
    ------
    ConfigurationError
        The cluster that they should run on is not described as one.
    """
    from cta_data.engine.executors import require_executor
    from cta_data.terminal.progress import ProgressObserver

    require_executor(execution.executor)
    if execution.dry_run:
        return Done(print_plan(plan(), as_json=output.as_json), EXIT_OK)
    with ProgressObserver(quiet=output.as_json, watched=watched) as progress:
        report = work(progress.observer())
    if report is None:
        return Done([], EXIT_FAILED)
    if not (has_result and output.as_json):
        print_report(report, as_json=output.as_json, notes=notes)
    records = tuple(report.records)
    return Done([record.unit for record in records], report.exit_code(), records)


def home_writer(study: Study) -> Callable[[], bool]:
    """Return what writes the home page of a study, where anything that it shows may be new."""

    def write() -> bool:
        from cta_data.engine.driver import UNCOMMITTED
        from cta_data.study import layout

        new = (study.root / UNCOMMITTED).exists() or study.tables.changed()
        if not new and (study.root / layout.HOME).exists():
            return False
        from cta_data.reports.home import write_home

        try:
            return write_home(study)
        except CtaError as error:
            # It reads every table, and the results of this command are right whatever others hold.
            print_errors(f"warning: {layout.HOME} is not written anew: {error}")
            return False

    return write


def run_steps(
    study: Study,
    steps: Sequence[Step],
    selection: StudySelection,
    execution: Execution,
    output: Output,
    command: tuple[str, ...],
) -> int:
    """Plan or run steps on subjects, print what came of it and return the exit code."""
    from cta_data.engine import RunOptions, plan_steps
    from cta_data.pipeline.runner import execute

    options = RunOptions(selection.selected(), execution.executor, execution.anew, command)
    done = run_units(
        execution,
        output,
        lambda: plan_steps(study, steps, options),
        lambda observer: execute(
            study,
            steps,
            options,
            observer,
            finish=home_writer(study),
            commit=not execution.replay,
        ),
    )
    if not execution.dry_run:
        _tell_absent_sources(study, selection.named)
    return done.code if _matches_anything(done.units, selection) else EXIT_NOTHING


def _tell_absent_sources(study: Study, cohorts: list[str]) -> None:
    """Say whose raw files are not here: what was converted from them is kept as it is."""
    for cohort in cohorts or study.cohorts_here:
        if not study.has_sourcedata(cohort):
            told = f"note: the raw files of {cohort} are not available here"
            print_errors(f"{told}; what was converted from them is kept")


def _matches_anything(units: list[UnitId], selection: StudySelection) -> bool:
    """Tell whether there was what the user asked for; name what was asked for in vain."""
    found = {unit.subject for unit in units}
    absent = [subject for subject in selection.labels if subject not in found]
    if units and not absent:
        return True
    asked = [f"cohort {name}" for name in selection.named if not units]
    asked += [f"subject {label}" for label in absent]
    told = f"nothing matches {', '.join(asked)}" if asked else "the study holds no subject yet"
    todo = "`cta-data status` lists who is there; `cta-data add COHORT SOURCE` takes files in"
    print_errors(f"{told}: {todo}")
    return bool(units) and len(absent) < len(selection.labels)
