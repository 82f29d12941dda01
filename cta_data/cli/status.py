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
        bool, Option("--timing", help="Seconds of each step, a line for each session.")
    ] = False,
    everything: Annotated[
        bool, Option("--all", help="A line for each session, and every reason in full.")
    ] = False,
) -> int:
    """Show where the study stands: sessions by step, why some stopped, training sets, models."""
    from cta_data.pipeline.overview import study_status
    from cta_data.terminal.output import print_json
    from cta_data.terminal.status_table import print_status

    content = study_status(chosen.open(), timing=timing)
    if output.as_json:
        print_json(content)
    else:
        print_status(content, everything=everything or timing)
    return EXIT_OK
