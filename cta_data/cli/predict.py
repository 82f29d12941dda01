"""The command `predict`: test sets of a study, or a folder of images."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from typer import Option

from cta_data.cli.bundles import Takes
from cta_data.cli.model_options import ModelOptions, require_device
from cta_data.cli.next_line import tell_next
from cta_data.cli.options import Execution, Output, StudyChoice
from cta_data.cli.runner import home_writer, note_withdrawals, recorded, run_units
from cta_data.engine.records import EXIT_FAILED, EXIT_OK
from cta_data.errors import ConfigurationError
from cta_data.terminal.output import print_errors

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cta_data.training.predict import PredictionTask
    from cta_data.training.runner import TrainingRequest


@dataclass(frozen=True)
class Folder:
    """A folder of images in place of test sets."""

    model: Annotated[
        Path | None, Option("--model", help="Folder or nnU-Net zip of a model; needs --input.")
    ] = None
    source: Annotated[
        Path | None, Option("--input", help="Folder of images instead of a test set.")
    ] = None
    target: Annotated[Path | None, Option("--output", help="Where to write; with --input.")] = None
    lesion: Annotated[
        list[str] | None,
        Option("--lesion", help="With --input: a label of the model that is lesion; repeatable."),
    ] = None
    stripped: Annotated[
        bool, Option("--stripped", help="With --input: the images hold the brain alone.")
    ] = False


@dataclass(frozen=True)
class Probabilities:
    """What is made of probabilities: maps, and masks by a threshold that `calibrate` chose."""

    probabilities: Annotated[
        bool, Option("--probabilities", help="Keep the probability of lesion as well.")
    ] = False
    at: Annotated[
        float | None,
        Option("--at", help="Use the threshold chosen for so many false positives per case."),
    ] = None
    calibrated: Annotated[
        bool, Option("--calibrated", help="Scale kept probabilities by the model's temperature.")
    ] = False

    def level(self) -> float | None:
        """Return the false positives per case of the threshold; None without one.

        Raises
        ------
        ConfigurationError
            They are no number above 0.
        """
        from cta_data.scoring.probabilities.asked import levels_asked

        return None if self.at is None else levels_asked((self.at,))[0]

    def asked_of(self, request: TrainingRequest) -> TrainingRequest:
        """Return a request with what is asked for here."""
        return replace(
            request,
            probabilities=self.probabilities,
            level=self.level(),
            calibrated=self.calibrated,
        )


def predict(
    context: typer.Context,
    folder: Folder,
    maps: Probabilities,
    options: Annotated[
        ModelOptions,
        Takes(
            *("device", "configuration", "planner", "mirroring", "tile_step"),
            fold="Folds to average, as 0, or 0,1, or 0-4; all without it.",
        ),
    ],
    execution: Annotated[Execution, Takes("dry_run", "jobs", "num_gpus", "recompute", "replay")],
    output: Annotated[Output, Takes("overwrite", "as_json")],
    chosen: StudyChoice,
    setting: Annotated[
        list[str] | None, Option("--setting", help="Models of these settings; repeatable.")
    ] = None,
    on: Annotated[
        list[str] | None,
        Option("--on", help="A test set, a cohort, test, external or all; repeatable."),
    ] = None,
    unequal_folds: Annotated[
        bool,
        Option(
            "--unequal-folds", help="Average folds that differ in epochs or options all the same."
        ),
    ] = False,
) -> int:
    """Predict test sets, or a folder of images.

    A model reads the technique of its own setting in every test set.
    """
    if folder.source is not None:
        if options.fold != "all" or unequal_folds:
            raise ConfigurationError("fold_options_with_input")
        return _predict_folder(folder, options, output, chosen, setting or [], maps)
    settings = _settings_of_test_sets(setting, folder)
    from cta_data.engine import RunOptions, plan_steps
    from cta_data.terminal.next_commands import after_predict
    from cta_data.training.predict import prediction_step
    from cta_data.training.runner import predict_sets, prediction_options, prediction_tasks

    study = chosen.open()
    request = options.request(study, settings, execution, recorded(context))
    request = replace(maps.asked_of(request), unequal_folds=unequal_folds)
    tasks = prediction_tasks(study, request, on or [])
    print_errors(*dict.fromkeys(_lacking(tasks)))
    note_withdrawals(study, output)
    step = prediction_step(tasks, prediction_options(request), request.machine)
    code = run_units(
        execution,
        output,
        lambda: plan_steps(study, [step], RunOptions()),
        lambda observer: predict_sets(study, request, tasks, observer, home_writer(study)),
        notes=True,
    ).code
    if not execution.dry_run:
        tell_next(study, chosen, output, after_predict)
    return code


def _settings_of_test_sets(setting: list[str] | None, folder: Folder) -> list[str]:
    """Return the settings whose models predict test sets; refuse what only a folder takes."""
    if folder.lesion:
        raise ConfigurationError("lesion_option_without_input")
    if not setting:
        raise ConfigurationError("model_option_missing")
    return setting


def _lacking(tasks: Sequence[PredictionTask]) -> Iterator[str]:
    """Yield which cases of the test sets are not predicted, and why."""
    for task in tasks:
        for case, why in task.test_set.lacking.items():
            yield f"note: {task.test_set.name}: {case}: {why}"


def _predict_folder(
    folder: Folder,
    options: ModelOptions,
    output: Output,
    chosen: StudyChoice,
    settings: list[str],
    maps: Probabilities,
) -> int:
    from cta_data.study.configuration import TrainingSection
    from cta_data.training.folder_request import FolderRequest, predict_images

    require_device(options.device)
    if folder.target is None:
        raise ConfigurationError("output_option_missing")
    if (folder.model is None) == (not settings) or len(settings) > 1:
        raise ConfigurationError("model_option_unclear")
    study = chosen.open() if folder.model is None or chosen.study is not None else None
    assert folder.source is not None
    request = FolderRequest(
        source=folder.source,
        out=folder.target,
        model=folder.model or settings[0],
        training=options.section(study.configuration.training if study else TrainingSection()),
        device=options.device,
        lesions=tuple(folder.lesion or ()),
        stripped=folder.stripped,
        probabilities=maps.probabilities,
        level=maps.level(),
        calibrated=maps.calibrated,
        overwrite=output.overwrite,
    )
    done = predict_images(study, request, output.note)

    for case, why in done.failed.items():
        output.note(f"not predicted: {case}: {why}")
    told = f"{len(done.predicted)} cases predicted, {len(done.failed)} not"
    if done.predicted:
        told += f"; {done.lesions} lesions in {request.out / 'lesions.tsv'}"
    output.show(lambda: vars(done), [told])
    return EXIT_FAILED if done.failed else EXIT_OK
