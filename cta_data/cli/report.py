"""The command `report`."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer
from typer import Argument

from cta_data.cli.bundles import Takes
from cta_data.cli.next_line import tell_next
from cta_data.cli.options import Execution, JsonOutput, StudySelection
from cta_data.cli.runner import recorded
from cta_data.engine.records import EXIT_NOTHING, EXIT_OK
from cta_data.terminal.output import print_errors, records_of

if TYPE_CHECKING:
    from cta_data.reports.report import Reports

CONTENT = ("table1", "left_out", "withdrawals", "citations", "checklist", "files")
"""What JSON says of the reports: each a list, also where there is nothing to report."""


def report(
    context: typer.Context,
    chosen: Annotated[StudySelection, Takes("cohort", "study")],
    output: JsonOutput,
    execution: Annotated[Execution, Takes("replay")],
    names: Annotated[
        list[str] | None, Argument(metavar="[table1|checklist]...", help="Reports; all without it.")
    ] = None,
) -> int:
    """Describe the study: Table 1, the sources to cite, and a checklist."""
    from cta_data.reports.report import make_reports, write_reports
    from cta_data.terminal.next_commands import after_status
    from cta_data.terminal.report_table import written_lines

    study, cohorts = chosen.open(), chosen.named
    made = make_reports(study, names or [], cohorts)
    if made is None:
        told = (
            f"nothing matches cohort {' or '.join(cohorts)}" if cohorts else "there is no subject"
        )
        todo = "`cta-data status` lists who was added; `cta-data convert` takes them into the study"
        print_errors(f"{told} in the tables: {todo}")
        output.show(lambda: {name: [] for name in CONTENT}, ())
        return EXIT_NOTHING
    write_reports(study, made, recorded(context), commit=not execution.replay)
    output.show(lambda: _content(made), written_lines(study, made))
    tell_next(study, chosen, output, after_status)
    return EXIT_OK


def _content(reports: Reports) -> dict[str, object]:
    from cta_data.reports.checklist import checklist_frame

    lists = (
        records_of(reports.table),
        records_of(reports.left_out),
        list(reports.withdrawals),
        [asdict(one) for one in reports.citations],
        records_of(checklist_frame(reports.checklist)),
        list(reports.files),
    )
    return dict(zip(CONTENT, lists, strict=True))
