"""The paper's experiment: every setting trained, predicted on every test set, and evaluated."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from cta_data.engine import Decision, Observer, Report, RunOptions, plan_steps
from cta_data.pipeline.build import build_step
from cta_data.pipeline.runner import SUBJECT_STEPS
from cta_data.reports.evaluate import Evaluation
from cta_data.reports.evaluate_study import evaluate_study
from cta_data.reports.home import write_home
from cta_data.scoring import CONVENTIONS
from cta_data.study.configuration import TrainingSection
from cta_data.study.study import Study
from cta_data.training.build_files import read_cases
from cta_data.training.checks import Check, needed_disk_gib
from cta_data.training.model_cards import read_cards
from cta_data.training.models import Model, model_of
from cta_data.training.predict import prediction_step
from cta_data.training.runner import (
    TrainingRequest,
    predict_sets,
    prediction_options,
    prediction_tasks,
    steps_of,
    train_models,
)
from cta_data.versioning.provenance import command_words

SECONDS_A_PATCH = {"cuda": 0.07, "mps": 1.0, "cpu": 12.0}
"""Assumed for one patch of 128 x 128 x 128 in training; measured models of the study go before."""
_REFERENCE_VOXELS = 128**3
_HEAD_VOXELS = 140 * 170 * 140
"""A brain at 1 mm, as nnU-Net crops it."""
_FORWARD = 1 / 3


@dataclass(frozen=True)
class Estimate:
    """What a part of the experiment will cost; `basis` says what the hours rest on."""

    part: str
    units: int
    hours: float
    gib: float
    basis: str


@dataclass(frozen=True)
class Experiment:
    """What came of it: the reports of training and of predicting, and the evaluation."""

    trained: Report | None
    predicted: Report | None
    evaluation: Evaluation | None

    @property
    def report(self) -> Report | None:
        """Training and predicting in one report; None where the checks stopped the training."""
        if self.trained is None:
            return None
        parts = [self.trained, *([self.predicted] if self.predicted else [])]
        inputs = set().union(*(part.inputs for part in parts))
        return Report([record for part in parts for record in part.records], inputs)


def run_experiment(
    study: Study,
    request: TrainingRequest,
    observer: Observer | None = None,
    told: Callable[[Model, list[Check]], None] = lambda model, checks: None,
    note: Callable[[str], None] = lambda text: None,
    *,
    convention: str = "article",
) -> Experiment:
    """Train, predict and evaluate; what is done already is not done again.

    Each of the commands that it stands for leaves its own record, which `datalad rerun` repeats.

    Raises
    ------
    ConfigurationError
        A setting or a device is not there.
    CtaError
        Another command works on the study, or a commit failed.
    """
    train, predict = commands_of(request)
    home = partial(write_home, study)
    done = train_models(study, replace(request, command=train), observer, told, home)
    if done.report is None:
        return Experiment(None, None, None)
    one = replace(request, folds=(), command=predict)
    predicted = predict_sets(study, one, prediction_tasks(study, one), observer, home)
    evaluation = evaluate_study(
        study, CONVENTIONS[convention], jobs=request.executor.jobs, note=note
    )
    return Experiment(done.report, predicted, evaluation)


def commands_of(request: TrainingRequest) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the two commands that the experiment stands for, `train` and `predict`."""
    training = request.training
    shared = {
        "device": request.machine.device,
        "configuration": training.configuration,
        "planner": training.planner,
        "setting": request.settings,
    }
    folds = ",".join(map(str, request.folds)) or "all"
    train = command_words("train", fold=folds, epochs=training.epochs, **shared)
    return train, command_words("predict", **shared)


def plan_experiment(study: Study, request: TrainingRequest) -> list[Decision]:
    """Decide about every unit without doing anything."""
    builds = [build_step(study, setting) for setting in request.settings]
    steps = [*SUBJECT_STEPS, *builds, *steps_of(study, request)]
    predicted = replace(request, folds=())
    tasks = prediction_tasks(study, predicted)
    steps.append(prediction_step(tasks, prediction_options(predicted), request.machine))
    return list(plan_steps(study, steps, RunOptions()))


def estimate(study: Study, request: TrainingRequest) -> list[Estimate]:
    """Estimate hours and GiB of every setting, from what was measured here where there is any."""
    folds = len(request.folds) or study.configuration.build.folds
    estimates = []
    for setting in request.settings:
        model = model_of(study, setting, request.training)
        cases = read_cases(study, model)
        seconds, basis = _seconds_an_epoch(study, model, request)
        hours = folds * request.training.epochs * seconds / 3600
        gib = needed_disk_gib(study, cases, folds)
        estimates.append(Estimate(f"train {model.name}", folds, hours, gib, basis))
        tasks = prediction_tasks(study, replace(request, settings=(setting,)))
        n = sum(len(task.test_set.cases) for task in tasks)
        each = folds * _passes(request.training) * seconds / _work_of_epoch(request.training)
        estimates.append(Estimate(f"predict {model.name}", n, n * each / 3600, n * 0.001, basis))
    return estimates


def _seconds_an_epoch(study: Study, model: Model, request: TrainingRequest) -> tuple[float, str]:
    for card in read_cards(study):
        same = (card["configuration"], card["planner"]) == (model.configuration, model.planner)
        if same and card["epochs"] and card["hours"]:
            return card["hours"] * 3600 / card["epochs"], f"measured: {card['device']}"
    training = request.training
    speed = SECONDS_A_PATCH[request.machine.device] * _share(training)
    return _work_of_epoch(training) * speed, f"assumed speed of {request.machine.device}"


def _work_of_epoch(training: TrainingSection) -> float:
    """Return the patches of an epoch; one that is not learnt from is a third of the work."""
    steps = training.iterations_per_epoch + training.validation_iterations * _FORWARD
    return steps * (training.batch_size or 2)


def _passes(training: TrainingSection) -> float:
    """Return the work of predicting one head with one fold, in patches that are learnt from."""
    patch = math.prod(training.patch_size) if training.patch_size else _REFERENCE_VOXELS
    tiles = max(1.0, _HEAD_VOXELS / (patch * training.tile_step**3))
    return tiles * (8 if training.mirroring else 1) * _FORWARD


def _share(training: TrainingSection) -> float:
    """Return the work of a patch against nnU-Net's own plan of 128³ voxels and 32 features."""
    voxels = math.prod(training.patch_size) if training.patch_size else _REFERENCE_VOXELS
    width = (training.features[0] / 32) ** 2 if training.features else 1.0
    return voxels / _REFERENCE_VOXELS * width
