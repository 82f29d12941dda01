"""The command `calibrate`: operating points of models, chosen on their validation folds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from typer import Option

from cta_data.cli.bundles import Takes
from cta_data.cli.model_options import ModelOptions, SettingOption
from cta_data.cli.options import ConventionOption, Execution, JsonOutput, StudyChoice
from cta_data.cli.probability_options import (
    USUAL_LEVELS,
    CandidatesOption,
    least_probability,
    levels_of,
    score_named,
)
from cta_data.cli.runner import home_writer, note_withdrawals, recorded, run_units

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cta_data.engine import Decision


def calibrate(
    context: typer.Context,
    setting: SettingOption,
    options: Annotated[
        ModelOptions, Takes("device", "configuration", "planner", "mirroring", "tile_step")
    ],
    execution: Annotated[Execution, Takes("dry_run", "jobs", "num_gpus", "recompute", "replay")],
    output: JsonOutput,
    chosen: StudyChoice,
    at: Annotated[
        str, Option("--at", help="False positives per case that thresholds are chosen for.")
    ] = USUAL_LEVELS,
    score: Annotated[
        str,
        Option("--score", help="mean, maximum or percentile-95; the best ranking without it."),
    ] = "",
    candidates_from: CandidatesOption = None,
    temperature: Annotated[
        bool, Option("--temperature", help="Fit a temperature of the probabilities as well.")
    ] = False,
    convention: ConventionOption = "article",
) -> int:
    """Choose thresholds of models on their validation folds."""
    from cta_data.engine import RunOptions, plan_steps
    from cta_data.scoring import convention_named
    from cta_data.training.calibrate import CalibrationRequest
    from cta_data.training.runner import calibrate_models, steps_of_calibration

    asked = CalibrationRequest(
        levels_of(at),
        least_probability(candidates_from),
        convention_named(convention).name,
        score_named(score),
        temperature,
    )
    study = chosen.open()
    request = options.request(study, setting, execution, recorded(context))
    note_withdrawals(study, output)

    def plan() -> Iterable[Decision]:
        return plan_steps(study, steps_of_calibration(study, request, asked), RunOptions())

    return run_units(
        execution,
        output,
        plan,
        lambda observer: calibrate_models(study, request, asked, observer, home_writer(study)),
        notes=True,
    ).code
