"""Commands that look at tables: query."""

from __future__ import annotations

from typing import Annotated

import typer

from cta_data.cli.options import JsonOption, StudyOption
from cta_data.study.study import open_study
from cta_data.terminal.output import print_frame, print_records


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    app.command("query")(query)


def query(
    sql: Annotated[str, typer.Argument(help="One SQL statement over the study's tables.")],
    study: StudyOption = None,
    as_json: JsonOption = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print comma-separated values.")] = False,
) -> int:
    """Run SQL over the tables of the study with DuckDB."""
    frame = open_study(study).query(sql)
    if as_json:
        print_records(frame)
    elif as_csv:
        typer.echo(frame.to_csv(index=False), nl=False)
    else:
        print_frame(frame)
    return 0
