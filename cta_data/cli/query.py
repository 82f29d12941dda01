"""The command `query`."""

from __future__ import annotations

from typing import Annotated

import typer
from typer import Argument, Option

from cta_data.cli.options import JsonOutput, StudyChoice
from cta_data.engine.records import EXIT_OK
from cta_data.terminal.output import print_frame, print_records


def query(
    sql: Annotated[str, Argument(help="One SQL statement over the study's tables.")],
    chosen: StudyChoice,
    output: JsonOutput,
    as_csv: Annotated[bool, Option("--csv", help="Print comma-separated values.")] = False,
) -> int:
    """Run SQL over the tables of the study with DuckDB."""
    frame = chosen.open().query(sql)
    if output.as_json:
        print_records(frame)
    elif as_csv:
        typer.echo(frame.to_csv(index=False), nl=False)
    else:
        print_frame(frame)
    return EXIT_OK
