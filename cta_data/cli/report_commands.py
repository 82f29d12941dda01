"""The command `report`."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from cta_data.cli.options import CohortOption, JsonOption, ReplayOption, StudyOption
from cta_data.engine.records import EXIT_NOTHING
from cta_data.study.study import open_study
from cta_data.terminal.output import error_console, print_json

if TYPE_CHECKING:
    import pandas as pd

    from cta_data.reports.report import Reports


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    app.command("report")(report)


def report(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[table1]...", help="Reports; all without it.")
    ] = None,
    cohort: CohortOption = None,
    as_json: JsonOption = False,
    study: StudyOption = None,
    replay: ReplayOption = False,
) -> int:
    """Describe the study: Table 1 beside the paper's figures, and the sources to cite."""
    from cta_data.reports.report import make_reports, write_reports
    from cta_data.terminal.report_table import print_written_reports

    opened = open_study(study)
    made = make_reports(opened, names or [], cohort or [])
    if made is None:
        told = f"nothing matches cohort {' or '.join(cohort)}" if cohort else "there is no subject"
        todo = "`cta-data status` lists who was added; `cta-data convert` takes them into the study"
        error_console().print(f"{told} in the tables: {todo}", soft_wrap=True)
        return EXIT_NOTHING
    command = ["cta-data", "report", *(names or [])]
    for name in cohort or []:
        command += ["--cohort", name]
    write_reports(opened, made, command, commit=not replay)
    if as_json:
        print_json(_content(made))
        return 0
    print_written_reports(opened, made)
    return 0


def _content(reports: Reports) -> dict[str, object]:
    return {
        "table1": _records(reports.table),
        "left_out": _records(reports.left_out),
        "citations": [asdict(one) for one in reports.citations],
        "files": list(reports.files),
    }


def _records(frame: pd.DataFrame) -> list[dict[str, object]]:
    """Return the rows as JSON content, in which there is no NaN."""
    plain = frame.astype(object).where(frame.notna(), None)
    return [{str(k): v for k, v in row.items()} for row in plain.to_dict(orient="records")]
