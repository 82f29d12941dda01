"""The command `query`."""

from __future__ import annotations

from typing import Annotated

import typer
from typer import Argument, Option

from cta_data.cli.options import JsonOutput, StudyChoice
from cta_data.engine.records import EXIT_OK


def query(
    sql: Annotated[str, Argument(help="One SQL statement over the study's tables.")],
    chosen: StudyChoice,
    output: JsonOutput,
    as_csv: Annotated[bool, Option("--csv", help="Print comma-separated values.")] = False,
) -> int:
    """Run SQL over the tables of the study with DuckDB."""
    from cta_data.study import layout
    from cta_data.study.tables import query_rows
    from cta_data.terminal.output import print_json
    from cta_data.terminal.value_table import csv_lines, table_text

    found = query_rows(chosen.open().root / layout.MANIFESTS, sql)
    if output.as_json:
        records = [dict(zip(found.columns, row, strict=True)) for row in found.rows]
        print_json(records, sort_keys=False)
    elif as_csv:
        typer.echo(csv_lines(found.columns, found.rows), nl=False)
    else:
        typer.echo(table_text(found.columns, found.rows))
    return EXIT_OK
