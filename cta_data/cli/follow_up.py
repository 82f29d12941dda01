"""The command `follow-up`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import typer

from cta_data.cli.options import JsonOutput, StudySelection, UnitExecution
from cta_data.cli.runner import home_writer, recorded, run_units
from cta_data.engine.records import EXIT_NOTHING, EXIT_OK
from cta_data.terminal.output import console, print_errors, records_of

if TYPE_CHECKING:
    from rich.table import Table

    from cta_data.review.follow_up import FollowedSubject
    from cta_data.study.study import Study


def follow_up(
    context: typer.Context,
    selection: StudySelection,
    execution: UnitExecution,
    output: JsonOutput,
) -> int:
    """Follow lesions over the sessions of a subject: new, gone, grown, shrunk."""
    from cta_data.engine import RunOptions, plan_steps
    from cta_data.pipeline.follow_up import FOLLOW_UP
    from cta_data.pipeline.register_sessions import REGISTER_SESSIONS
    from cta_data.pipeline.runner import execute
    from cta_data.review.follow_up import followed_subjects
    from cta_data.review.follow_up_page import write_follow_up

    study = selection.open()
    chosen, steps = selection.selected(), (REGISTER_SESSIONS, FOLLOW_UP)
    options = RunOptions(chosen, execution.executor, execution.anew, recorded(context))
    write_home = home_writer(study)
    made: list[FollowedSubject] = []

    def finish() -> bool:
        made.extend(followed_subjects(study, chosen))
        changed = write_follow_up(study, made, followed_subjects(study)) if made else False
        return write_home() or changed

    done = run_units(
        execution,
        output,
        lambda: plan_steps(study, steps, options),
        lambda observer: execute(
            study, steps, options, observer, finish=finish, commit=not execution.replay
        ),
        has_result=True,
    )
    if execution.dry_run:
        return done.code
    if not made:
        print_errors(
            "no selected subject has two sessions with annotations that can be compared: "
            '`cta-data query "select subject, session, annotation from annotations"` lists them'
        )
    if made or output.as_json:
        output.show(lambda: _content(made), _lines(study, made))
    return done.code or (EXIT_OK if made else EXIT_NOTHING)


def _content(made: list[FollowedSubject]) -> list[dict[str, object]]:
    from cta_data.review.follow_up_tables import changes_frame

    return records_of(changes_frame(made))


def _lines(study: Study, made: list[FollowedSubject]) -> Iterator[str | Table]:
    from cta_data.reports.table import terminal_tables
    from cta_data.review.follow_up_tables import changes_table, overview_table
    from cta_data.study import layout

    tables = [changes_table(one) for one in made] if len(made) == 1 else [overview_table(made)]
    for table in tables:
        yield from terminal_tables(table, console().width)
        yield from table.notes
    yield f"Look at {study.root / layout.FOLLOW_UP_PAGE}"
