"""The command `consensus`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import typer
from typer import Option

from cta_data.cli.next_line import tell_next
from cta_data.cli.options import JsonOutput, Output, StudySelection, UnitExecution
from cta_data.cli.runner import Done, home_writer, recorded, run_units
from cta_data.engine.records import EXIT_NOTHING

if TYPE_CHECKING:
    from cta_data.review.consensus import ConsensusDecisions
    from cta_data.study.session_id import SessionId


def consensus(
    context: typer.Context,
    selection: StudySelection,
    execution: UnitExecution,
    output: JsonOutput,
    method: Annotated[
        Literal["union", "majority", "staple", "intersection"],
        Option(help="Which lesions are kept, and which voxels of them."),
    ],
    min_readers: Annotated[
        int | None,
        Option(
            min=1,
            help="Readers who must have seen a lesion; without it, 1 (union), more than half "
            "(majority, staple) or all (intersection).",
        ),
    ] = None,
) -> int:
    """Make one annotation from those of several readers, lesion by lesion."""
    from cta_data.engine import RunOptions, plan_steps
    from cta_data.pipeline.consensus import CONSENSUS, request_consensus
    from cta_data.pipeline.runner import execute
    from cta_data.review.consensus import consensus_decisions
    from cta_data.terminal.next_commands import after_consensus

    study, chosen = selection.open(), selection.selected()
    options = RunOptions(chosen, execution.executor, execution.anew, recorded(context))
    asked: list[SessionId] = []

    def ask() -> None:
        asked.extend(request_consensus(study, chosen, method, min_readers))

    if execution.dry_run:
        ask()
    done = run_units(
        execution,
        output,
        lambda: plan_steps(study, [CONSENSUS], options),
        lambda observer: execute(
            study,
            [CONSENSUS],
            options,
            observer,
            prepare=ask,
            finish=home_writer(study),
            commit=not execution.replay,
        ),
        has_result=True,
    )
    if execution.dry_run:
        return done.code
    _show(consensus_decisions(study, method, chosen) if asked else [], done, output)
    if not asked:
        output.note(
            "no session has annotations of one quality by two readers: "
            '`cta-data query "select * from annotations"` lists them'
        )
        return EXIT_NOTHING
    tell_next(study, selection, output, after_consensus)
    return done.code


def _show(made: list[ConsensusDecisions], done: Done, output: Output) -> None:
    records = [record.as_dict() for record in done.records]
    output.show(
        lambda: {"consensus": [one.as_dict() for one in made], "records": records},
        [one.line for one in made],
    )
