"""The commands `train` and `predict`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cta_data.cli.options import (
    DryRunOption,
    JobsOption,
    JsonOption,
    OverwriteOption,
    RecomputeOption,
    ReplayOption,
    SchedulerOption,
    SlurmOption,
    StudyOption,
)
from cta_data.cli.training_options import (
    ConfigurationOption,
    DeviceOption,
    EpochsOption,
    FoldOption,
    GpusOption,
    PlannerOption,
    SettingOption,
    folds_named,
    given,
    make_request,
    print_checks,
    print_notes,
    require_device,
)
from cta_data.engine import ExecutorOptions, RunOptions, plan_steps
from cta_data.engine.records import EXIT_FAILED, EXIT_OK
from cta_data.errors import ConfigurationError
from cta_data.study.study import open_study
from cta_data.terminal.output import (
    ProgressObserver,
    error_console,
    print_json,
    print_plan,
    print_report,
)

if TYPE_CHECKING:
    from cta_data.training.predict import PredictionTask


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    app.command("train")(train)
    app.command("predict")(predict)


def train(
    setting: SettingOption,
    fold: FoldOption = "all",
    device: DeviceOption = "cuda",
    epochs: EpochsOption = 0,
    configuration: ConfigurationOption = "",
    planner: PlannerOption = "",
    num_gpus: GpusOption = 0,
    dry_run: DryRunOption = False,
    jobs: JobsOption = 1,
    scheduler: SchedulerOption = "",
    slurm: SlurmOption = None,
    as_json: JsonOption = False,
    study: StudyOption = None,
    replay: ReplayOption = False,
    recompute: RecomputeOption = False,
) -> int:
    """Train nnU-Net on a setting, fold by fold; an interrupted training goes on where it was."""
    from cta_data.pipeline.build import build_step
    from cta_data.training.runner import steps_of, train_models

    opened = open_study(study)
    command = ["train", *(w for name in setting for w in ("--setting", name)), "--fold", fold]
    request = make_request(
        opened, setting, folds_named(fold), device, num_gpus, command,
        epochs=epochs, configuration=configuration, planner=planner,
        executor=ExecutorOptions(jobs, scheduler, slurm), replay=replay, recompute=recompute,
    )  # fmt: skip
    if dry_run:
        steps = [*(build_step(opened, name) for name in setting), *steps_of(opened, request)]
        print_plan(plan_steps(opened, steps, RunOptions()), as_json=as_json)
        return EXIT_OK
    with ProgressObserver(quiet=as_json) as progress:
        done = train_models(
            opened,
            request,
            progress.observer(),
            lambda m, c: None if as_json else print_checks(m, c),
        )
    if done.report is None:
        if as_json:
            print_json(
                {"checks": {m: [vars(c) for c in found] for m, found in done.checks.items()}}
            )
        error_console().print("nothing was trained: correct what is marked above", soft_wrap=True)
        return EXIT_FAILED
    print_report(done.report, as_json=as_json)
    print_notes(done.report, as_json=as_json)
    return done.report.exit_code()


def predict(
    setting: Annotated[
        list[str] | None, typer.Option("--setting", help="Models of these settings; repeatable.")
    ] = None,
    on: Annotated[
        list[str] | None,
        typer.Option("--on", help="A test set, a cohort, test, external or all; repeatable."),
    ] = None,
    model: Annotated[
        Path | None,
        typer.Option("--model", help="Folder or nnU-Net zip of a model; needs --input."),
    ] = None,
    source: Annotated[
        Path | None, typer.Option("--input", help="Folder of images instead of a test set.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--output", help="Where to write; with --input.")
    ] = None,
    lesion: Annotated[
        list[str] | None,
        typer.Option(
            "--lesion", help="With --input: a label of the model that is lesion; repeatable."
        ),
    ] = None,
    stripped: Annotated[
        bool, typer.Option("--stripped", help="With --input: the images hold the brain alone.")
    ] = False,
    probabilities: Annotated[
        bool, typer.Option("--probabilities", help="Keep the probability of lesion as well.")
    ] = False,
    mirroring: Annotated[
        bool | None,
        typer.Option(
            "--mirroring/--no-mirroring", help="Average over mirrored images; else as study.toml."
        ),
    ] = None,
    tile_step: Annotated[
        float,
        typer.Option(
            "--tile-step",
            min=0.0,
            max=1.0,
            help="Step of the window, in patches; else as study.toml.",
        ),
    ] = 0.0,
    fold: Annotated[
        str, typer.Option("--fold", help="Folds to average, as 0, or 0,1, or 0-4; all without it.")
    ] = "all",
    unequal_folds: Annotated[
        bool,
        typer.Option(
            "--unequal-folds", help="Average folds that differ in epochs or options all the same."
        ),
    ] = False,
    device: DeviceOption = "cuda",
    configuration: ConfigurationOption = "",
    planner: PlannerOption = "",
    num_gpus: GpusOption = 0,
    dry_run: DryRunOption = False,
    jobs: JobsOption = 1,
    as_json: JsonOption = False,
    overwrite: OverwriteOption = False,
    study: StudyOption = None,
    replay: ReplayOption = False,
    recompute: RecomputeOption = False,
) -> int:
    """Predict test sets, or a folder of images; each model reads its own setting's technique."""
    if source is not None:
        if fold != "all" or unequal_folds:
            raise ConfigurationError("--fold and --unequal-folds are of test sets, not of --input")
        from cta_data.cli.folder_prediction import predict_folder_command

        require_device(device)
        changes = given(
            configuration=configuration, planner=planner, mirroring=mirroring, tile_step=tile_step
        )
        return predict_folder_command(
            setting or [], model, source, out, study, device=device, changes=changes,
            lesions=lesion or [], stripped=stripped, probabilities=probabilities,
            overwrite=overwrite, as_json=as_json,
        )  # fmt: skip
    named = _settings_of_test_sets(setting, lesion)
    from cta_data.training.predict import prediction_step
    from cta_data.training.runner import predict_sets, prediction_options, prediction_tasks

    opened = open_study(study)
    command = ["predict", *(w for name in named for w in ("--setting", name))]
    command += [w for name in on or [] for w in ("--on", name)]
    command += ["--fold", fold] if fold != "all" else []
    command += ["--unequal-folds"] if unequal_folds else []
    command += ["--probabilities"] if probabilities else []
    request = make_request(
        opened, named, folds_named(fold), device, num_gpus, command,
        configuration=configuration, planner=planner, mirroring=mirroring, tile_step=tile_step,
        executor=ExecutorOptions(jobs), replay=replay, recompute=recompute,
    )  # fmt: skip
    request = replace(request, unequal_folds=unequal_folds, probabilities=probabilities)
    tasks = prediction_tasks(opened, request, on or [])
    _tell_lacking(tasks)
    if dry_run:
        step = prediction_step(tasks, prediction_options(request), request.machine)
        print_plan(plan_steps(opened, [step], RunOptions()), as_json=as_json)
        return EXIT_OK
    with ProgressObserver(quiet=as_json) as progress:
        report = predict_sets(opened, request, tasks, progress.observer())
    print_report(report, as_json=as_json)
    print_notes(report, as_json=as_json)
    return report.exit_code()


def _settings_of_test_sets(setting: list[str] | None, lesion: list[str] | None) -> list[str]:
    """Return the settings whose models predict test sets; refuse what only a folder takes."""
    if lesion:
        raise ConfigurationError("--lesion needs --input: a study's own models have one label")
    if not setting:
        raise ConfigurationError(
            "no model is named",
            next_step="Give --setting, or --model with --input and --output",
        )
    return setting


def _tell_lacking(tasks: Sequence[PredictionTask]) -> None:
    """Say which cases of the test sets are not predicted, and why, each once."""
    for told in dict.fromkeys(
        f"{task.test_set.name}: {case}: {why}"
        for task in tasks
        for case, why in task.test_set.lacking.items()
    ):
        error_console().print(f"note: {told}", soft_wrap=True)
