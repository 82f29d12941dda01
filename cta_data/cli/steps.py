"""The commands that run one step each; they differ in the step alone."""

from __future__ import annotations

from collections.abc import Callable

import typer

from cta_data.cli.next_line import tell_next
from cta_data.cli.options import JsonOutput, StudySelection, UnitExecution
from cta_data.cli.runner import recorded, run_steps
from cta_data.engine.records import EXIT_NOTHING

HELP = {
    "convert": "Convert raw series and structure sets to BIDS images.",
    "register": "Register MPRAGE, SPACE and CT of every session.",
    "transfer": "Transfer every annotation to the grids of MPRAGE and SPACE.",
    "strip": "Strip the skull.",
    "measure": "Measure every lesion of every variant.",
}


def step_command(name: str) -> Callable[..., int]:
    """Return the command that runs a step."""

    def command(
        context: typer.Context,
        selection: StudySelection,
        execution: UnitExecution,
        output: JsonOutput,
    ) -> int:
        from cta_data.pipeline.runner import steps_of_command
        from cta_data.terminal.next_commands import after_step

        study, steps = selection.open(), steps_of_command(name)
        code = run_steps(study, steps, selection, execution, output, recorded(context))
        if not execution.dry_run and code != EXIT_NOTHING:
            tell_next(study, selection, output, after_step, name)
        return code

    command.__name__, command.__doc__ = name, HELP[name]
    return command


STEP_COMMANDS = tuple(step_command(name) for name in HELP)
