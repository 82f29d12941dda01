"""The command `agreement`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from typer import Option

from cta_data.cli.options import JsonOutput, StudySelection, UnitExecution
from cta_data.cli.runner import home_writer, recorded, run_units
from cta_data.engine.records import EXIT_NOTHING, EXIT_OK
from cta_data.terminal.output import console, print_errors, records_of

if TYPE_CHECKING:
    from rich.table import Table

    from cta_data.review.agreement import Comparison
    from cta_data.study.study import Study


def agreement(
    context: typer.Context,
    selection: StudySelection,
    execution: UnitExecution,
    output: JsonOutput,
    by: Annotated[
        Literal["annotation", "reader", "quality"],
        Option(help="What is compared: annotations, readers of one quality, or qualities."),
    ] = "annotation",
) -> int:
    """Compare annotations: readers with each other, or NAQ with HAQ."""
    from cta_data.engine import RunOptions, plan_steps
    from cta_data.pipeline.link import LINK
    from cta_data.pipeline.runner import execute
    from cta_data.review.agreement import compare_annotations, not_transferred
    from cta_data.review.agreement_page import write_agreement

    study = selection.open()
    chosen = selection.selected()
    options = RunOptions(chosen, execution.executor, execution.anew, recorded(context))
    write_home = home_writer(study)
    made: list[Comparison] = []

    def finish() -> bool:
        made.extend(compare_annotations(study, by, chosen))
        changed = write_agreement(study, made) if made else False
        return write_home() or changed

    done = run_units(
        execution,
        output,
        lambda: plan_steps(study, [LINK], options),
        lambda observer: execute(
            study, [LINK], options, observer, finish=finish, commit=not execution.replay
        ),
        has_result=True,
    )
    if execution.dry_run:
        return done.code
    waiting = not_transferred(study, chosen)
    if waiting:
        print_errors(
            f"not compared, since `cta-data transfer` has not carried it to a grid: {waiting[0]}"
            + (f" and {len(waiting) - 1} more" if waiting[1:] else "")
        )
    if not made:
        print_errors(
            "no session has two annotations that can be compared: "
            '`cta-data query "select * from annotations"` lists them'
        )
    if made or output.as_json:
        output.show(lambda: _content(made), _lines(study, made))
    return done.code or (EXIT_OK if made else EXIT_NOTHING)


def _content(made: list[Comparison]) -> dict[str, object]:
    from cta_data.review.agreement_tables import agreement_frame, difference_frame

    return {
        "agreement": records_of(agreement_frame(made)),
        "lesions": records_of(difference_frame(made)),
    }


def _lines(study: Study, made: list[Comparison]) -> Iterator[str | Table]:
    from cta_data.reports.table import terminal_tables
    from cta_data.review.agreement_tables import agreement_table
    from cta_data.study import layout

    for one in made:
        table = agreement_table(one)
        yield from terminal_tables(table, console().width)
        yield table.caption
    yield f"Look at {study.root / layout.AGREEMENT_PAGE}"
