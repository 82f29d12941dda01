"""The command `train`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from cta_data.cli.bundles import Takes
from cta_data.cli.model_options import ModelOptions, SettingOption, TrainingChecks
from cta_data.cli.next_line import tell_next
from cta_data.cli.options import Execution, JsonOutput, StudyChoice
from cta_data.cli.runner import home_writer, note_withdrawals, recorded, run_units

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cta_data.engine import Decision, Observer, Report


def train(
    context: typer.Context,
    setting: SettingOption,
    model: Annotated[ModelOptions, Takes("fold", "device", "epochs", "configuration", "planner")],
    execution: Execution,
    output: JsonOutput,
    chosen: StudyChoice,
) -> int:
    """Train nnU-Net on a setting; interrupted training resumes.

    Folds are trained one after the other, or `-j` at a time. Progress is shown, here and by
    `cta-data status` in another terminal.
    """
    from cta_data.engine import RunOptions, plan_steps
    from cta_data.pipeline.build import build_step
    from cta_data.terminal.next_commands import after_train
    from cta_data.training.models import model_of
    from cta_data.training.runner import steps_of, train_models

    study = chosen.open()
    request = model.request(study, setting, execution, recorded(context))
    checks = TrainingChecks(output)
    note_withdrawals(study, output)

    def plan() -> Iterable[Decision]:
        builds = [build_step(study, name) for name in setting]
        return plan_steps(study, [*builds, *steps_of(study, request)], RunOptions())

    def work(observer: Observer) -> Report | None:
        done = train_models(study, request, observer, checks.add, home_writer(study))
        if done.report is None:
            checks.stopped()
        return done.report

    code = run_units(execution, output, plan, work, notes=True, watched=study.root).code
    if not execution.dry_run:
        models = {name: model_of(study, name, request.training).name for name in setting}
        tell_next(study, chosen, output, after_train, models, model.words())
    return code
