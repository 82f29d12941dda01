"""Models from builds, and predictions from models: what the commands do, in their order."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from cta_data.engine import ExecutorOptions, Observer, Report, RunOptions, Step, plan_steps
from cta_data.engine.driver import mark_uncommitted
from cta_data.pipeline.build import build_step
from cta_data.pipeline.runner import execute, run_and_commit
from cta_data.study.configuration import TrainingSection
from cta_data.study.layout import MODELS, PREDICTIONS
from cta_data.study.lock import study_lock
from cta_data.study.study import Study
from cta_data.study.tables import UnitRow
from cta_data.training.calibrate import CalibrationRequest, calibration_steps
from cta_data.training.checks import Check, check_training
from cta_data.training.evaluation_sets import EvaluationSets, place_references
from cta_data.training.machine import Machine
from cta_data.training.models import (
    ANNEXED_MODELS,
    ANNEXED_PREDICTIONS,
    WORK,
    Model,
    ensure_dataset,
    model_of,
)
from cta_data.training.nnunet.environment import require_device, require_training_packages
from cta_data.training.nnunet.loggers import require_logger
from cta_data.training.nnunet.own_trainer import find_trainer
from cta_data.training.predict import (
    PredictionOptions,
    PredictionTask,
    operating_of,
    prediction_step,
)
from cta_data.training.predicted_sets import StudyPredictions
from cta_data.training.train import training_steps
from cta_data.training.trained_models import fold_rows, folds_to_use, require_folds
from cta_data.versioning.provenance import command_words


@dataclass(frozen=True)
class TrainingRequest:
    """Which settings to train, how, and on what.

    `folds` empty means all of the build, in a training, and all that are trained in a prediction,
    where `unequal_folds` tells whether these may have been trained differently.
    """

    settings: tuple[str, ...]
    folds: tuple[int, ...]
    training: TrainingSection
    machine: Machine
    executor: ExecutorOptions
    command: tuple[str, ...]
    recompute: bool = False
    commit: bool = True
    unequal_folds: bool = False
    probabilities: bool = False
    level: float | None = None
    calibrated: bool = False


@dataclass(frozen=True)
class Trained:
    """What came of a request: the checks of each model, and the report where they passed."""

    checks: dict[str, list[Check]]
    report: Report | None


def steps_of(study: Study, request: TrainingRequest) -> list[Step]:
    """Return the training steps of all models that were asked for.

    Raises
    ------
    ConfigurationError
        A setting or a fold is not there, or the patch does not fit the network.
    """
    folds = request.folds or tuple(range(study.configuration.build.folds))
    models = [model_of(study, setting, request.training) for setting in request.settings]
    return training_steps(study, models, request.training, folds, request.machine)


def train_models(
    study: Study,
    request: TrainingRequest,
    observer: Observer | None = None,
    told: Callable[[Model, list[Check]], None] = lambda model, checks: None,
    finish: Callable[[], bool] = lambda: False,
) -> Trained:
    """Bring the builds up to date, check all that a training needs, and train.

    Parameters
    ----------
    told
        Takes the checks of each model.
    finish
        As `run_and_commit` takes it.

    Raises
    ------
    ConfigurationError
        A setting, fold or device is not there, or a package is missing.
    CtaError
        Another command works on the study, or the commit failed.
    """
    steps = steps_of(study, request)
    require_training_packages()
    require_device(request.machine.device)
    require_logger(request.training.logger)
    find_trainer(request.training.trainer)
    builds = [build_step(study, setting) for setting in request.settings]
    command = command_words("build", setting=request.settings)
    options = RunOptions(executor=request.executor, command=command)
    if any(decision.action != "notneeded" for decision in plan_steps(study, builds, options)):
        built = execute(study, builds, options, observer, finish=finish, commit=request.commit)
        if built.failures:
            return Trained({}, built)
    folds = len(request.folds) or study.configuration.build.folds
    checks = {}
    for setting in request.settings:
        model = model_of(study, setting, request.training)
        found = check_training(
            study, model, request.training, request.machine, folds, request.executor.jobs
        )
        checks[model.name] = found
        told(model, found)
    if any(not check.passed for found in checks.values() for check in found):
        return Trained(checks, None)
    with study_lock(study):
        ensure_dataset(study, MODELS, ANNEXED_MODELS)
    report = _run(study, steps, request, observer, finish)
    _remove_finished(study)
    return Trained(checks, report)


def _run(
    study: Study,
    steps: Sequence[Step],
    request: TrainingRequest,
    observer: Observer | None,
    finish: Callable[[], bool],
) -> Report:
    options = RunOptions(
        executor=request.executor, recompute=request.recompute, command=request.command
    )
    return run_and_commit(study, steps, options, observer, finish=finish, commit=request.commit)


def _remove_finished(study: Study) -> None:
    """Remove the working folders of trainings whose models are in place."""
    finished = {row.key for row in study.tables.rows(UnitRow) if row.status == "ok"}
    folder = study.root / WORK / "training"
    for work in folder.iterdir() if folder.is_dir() else ():
        if work.name in finished:
            shutil.rmtree(work)


def predict_sets(
    study: Study,
    request: TrainingRequest,
    tasks: Sequence[PredictionTask],
    observer: Observer | None = None,
    finish: Callable[[], bool] = lambda: False,
) -> Report:
    """Predict test sets with models, and point at the references of all test sets.

    Parameters
    ----------
    finish
        As `run_and_commit` takes it.

    Raises
    ------
    ConfigurationError
        A setting or device is not there, or a package is missing.
    CtaError
        Another command works on the study, or the commit failed.
    """
    require_training_packages()
    require_device(request.machine.device)
    with study_lock(study):
        ensure_dataset(study, PREDICTIONS, ANNEXED_PREDICTIONS)
        if place_references(study, StudyPredictions(study).judged_sets(t.test_set for t in tasks)):
            mark_uncommitted(study.root)
    step = prediction_step(tasks, prediction_options(request), request.machine)
    return _run(study, [step], request, observer, finish)


def prediction_options(request: TrainingRequest) -> PredictionOptions:
    """Return how models predict, from what the command line says."""
    return PredictionOptions(
        request.training,
        request.folds,
        request.unequal_folds,
        request.probabilities,
        request.level,
        request.calibrated,
    )


def calibrate_models(
    study: Study,
    request: TrainingRequest,
    asked: CalibrationRequest,
    observer: Observer | None = None,
    finish: Callable[[], bool] = lambda: False,
) -> Report:
    """Predict the validation cases of all folds, and choose operating points.

    Parameters
    ----------
    finish
        As `run_and_commit` takes it.

    Raises
    ------
    ConfigurationError
        A setting or device is not there, or a package is missing.
    CtaError
        Another command works on the study, or the commit failed.
    """
    require_training_packages()
    require_device(request.machine.device)
    return _run(study, steps_of_calibration(study, request, asked), request, observer, finish)


def steps_of_calibration(
    study: Study, request: TrainingRequest, asked: CalibrationRequest
) -> list[Step]:
    """Return the steps that choose operating points of all models that were asked for.

    Raises
    ------
    ConfigurationError
        A setting is not there.
    """
    study.require(MODELS)
    models = [model_of(study, setting, request.training) for setting in request.settings]
    return calibration_steps(models, request.training, asked, request.machine)


def prediction_tasks(
    study: Study, request: TrainingRequest, names: Sequence[str] = ()
) -> list[PredictionTask]:
    """Return each model with each of its test sets.

    Parameters
    ----------
    names
        Test sets that were asked for; those of the paper where it is empty.

    Raises
    ------
    ConfigurationError
        A setting, a fold or a test set is not there.
    DataRefused
        An operating point or temperature was asked for that a model does not have: predictions that
        are there must not go for it.
    """
    sets = EvaluationSets(study)
    tasks = []
    for name in request.settings:
        model = model_of(study, name, request.training)
        if request.folds:
            require_folds(study, request.folds, fold_rows(study, model))
        if request.level is not None or request.calibrated:
            folds = folds_to_use(study, model, request.folds, unequal=request.unequal_folds)
            operating_of(study, model, folds, prediction_options(request))
        setting = study.configuration.build.settings[name]
        chosen = sets.chosen(names or ["all"], setting)
        tasks += [PredictionTask(model, setting, sets.read_by(setting, one)) for one in chosen]
    return tasks
