"""The command `build`."""

from __future__ import annotations

from typing import Annotated

import typer
from typer import Option

from cta_data.cli.bundles import Takes
from cta_data.cli.model_options import SettingOption
from cta_data.cli.next_line import tell_next
from cta_data.cli.options import JsonOutput, StudySelection, UnitExecution
from cta_data.cli.runner import recorded, run_steps
from cta_data.engine.records import EXIT_NOTHING


def build(
    context: typer.Context,
    setting: SettingOption,
    selection: Annotated[StudySelection, Takes("cohort", "subject", "study")],
    execution: UnitExecution,
    output: JsonOutput,
    technique: Annotated[
        str, Option("--technique", help="Train on images of this technique instead.")
    ] = "",
) -> int:
    """Make training sets; steps that are not done run first."""
    from cta_data.pipeline.build import build_step
    from cta_data.pipeline.runner import SUBJECT_STEPS
    from cta_data.terminal.next_commands import after_build

    study = selection.open()
    builds = [build_step(study, name, technique) for name in setting]
    steps = [*SUBJECT_STEPS, *builds]
    code = run_steps(study, steps, selection, execution, output, recorded(context))
    if not execution.dry_run and code != EXIT_NOTHING:
        tell_next(study, selection, output, after_build, setting)
    return code
