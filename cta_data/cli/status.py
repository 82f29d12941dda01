"""The command `status`."""

from __future__ import annotations

from typing import Annotated

from typer import Option

from cta_data.cli.options import JsonOutput, StudyChoice
from cta_data.engine.records import EXIT_OK


def status(
    chosen: StudyChoice,
    output: JsonOutput,
    timing: Annotated[
        bool, Option("--timing", help="With seconds and peak memory of each unit.")
    ] = False,
) -> int:
    """Show every subject's stage, and why it stopped where it did."""
    from cta_data.pipeline.overview import study_status
    from cta_data.terminal.output import print_json
    from cta_data.terminal.status_table import print_status

    content = study_status(chosen.open(), timing=timing)
    if output.as_json:
        print_json(content)
    else:
        print_status(content)
    return EXIT_OK
