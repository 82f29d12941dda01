"""The command `status`."""

from __future__ import annotations

from typing import Annotated

from typer import Option

from cta_data.cli.next_line import tell_next
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
    """Show how far each session came, and why some stopped.

    Training sets, models and work that is running are listed, too.
    """
    from cta_data.engine.running import running_work
    from cta_data.pipeline.overview import study_status
    from cta_data.terminal.next_commands import after_status
    from cta_data.terminal.output import print_json
    from cta_data.terminal.status_table import print_status

    study = chosen.open()
    found = study_status(study, timing=timing)
    work = running_work(study.root)
    if output.as_json:
        print_json(found.as_dict() | {"running": [vars(one) for one in work]})
    else:
        print_status(found, work, everything=everything or timing)
        if not work:  # a command that writes would have to wait
            tell_next(study, chosen, output, after_status)
    return EXIT_OK
