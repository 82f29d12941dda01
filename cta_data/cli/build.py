"""The command `build`."""

from __future__ import annotations

from typing import Annotated

import typer
from typer import Option

from cta_data.cli.bundles import Takes
from cta_data.cli.model_options import SettingOption
from cta_data.cli.options import JsonOutput, StudySelection, UnitExecution
from cta_data.cli.runner import recorded, run_steps


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
    """Make training sets: everything up to them that is missing or changed, like make."""
    from cta_data.pipeline.build import build_step
    from cta_data.pipeline.runner import SUBJECT_STEPS

    study = selection.open()
    builds = [build_step(study, name, technique) for name in setting]
    steps = [*SUBJECT_STEPS, *builds]
    return run_steps(study, steps, selection, execution, output, recorded(context))
