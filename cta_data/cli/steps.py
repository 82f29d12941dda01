"""The commands that run one step each; they differ in the step alone."""

from __future__ import annotations

from collections.abc import Callable

import typer

from cta_data.cli.options import JsonOutput, StudySelection, UnitExecution
from cta_data.cli.runner import recorded, run_steps

HELP = {
    "convert": "Convert raw series and structure sets to BIDS images and contours.",
    "register": "Bring MPRAGE, SPACE and CT of every subject together.",
    "transfer": "Carry every annotation to the grids of MPRAGE and SPACE.",
    "strip": "Extract the brain.",
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
        from cta_data.pipeline.runner import steps_by_name

        study, steps = selection.open(), [steps_by_name()[name]]
        return run_steps(study, steps, selection, execution, output, recorded(context))

    command.__name__, command.__doc__ = name, HELP[name]
    return command


STEP_COMMANDS = tuple(step_command(name) for name in HELP)
