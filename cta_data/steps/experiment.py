"""The paper's experiment: every setting trained, predicted on every test set, and evaluated."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

from cta_data.configuration import TrainingSection
from cta_data.engine import Observer, Report, RunOptions, plan_steps
from cta_data.evaluation.scoring import CONVENTIONS
from cta_data.steps.build import build_step
from cta_data.steps.evaluate import Evaluation
from cta_data.steps.evaluate_study import evaluate_study
from cta_data.steps.evaluation_sets import EvaluationSet, evaluation_sets
from cta_data.steps.model_cards import read_cards
from cta_data.steps.models import Model, model_of
from cta_data.steps.pipeline import SUBJECT_STEPS
from cta_data.steps.train import read_cases
from cta_data.steps.training import (
    TrainingRequest,
    predict_sets,
    prediction_steps,
    steps_of,
    train_models,
    with_command,
)
from cta_data.steps.training_checks import Check, needed_disk_gib
from cta_data.study import Study

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
    """What came of it: reports of training and predicting, and the evaluation."""

    trained: Report | None
    predicted: list[Report]
    evaluation: Evaluation | None


def sets_for(study: Study, setting: str) -> list[EvaluationSet]:
    """Return the test sets of a setting's model, as in the paper.

    A model of another technique than the hub is not run on external cohorts, which have none of it.
    """
    own = study.configuration.build.settings[setting].technique
    everywhere = own == study.configuration.registration.hub
    return [one for one in evaluation_sets(study).values() if everywhere or not one.external]


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
    commands = commands_of(request)
    done = train_models(study, with_command(request, *commands["train"]), observer, told)
    if done.report is None:
        return Experiment(None, [], None)
    reports = []
    for settings, sets in _same_sets(Study(study.root), request.settings):
        one = replace(request, settings=settings)
        command = [*commands["predict"], *(w for name in settings for w in ("--setting", name))]
        command += [word for own in sets for word in ("--on", own.name)]
        predicted = predict_sets(Study(study.root), with_command(one, *command), sets, observer)
        reports.append(predicted)
    evaluation = evaluate_study(
        Study(study.root), CONVENTIONS[convention], jobs=request.executor.jobs, note=note
    )
    return Experiment(done.report, reports, evaluation)


def _same_sets(
    study: Study, settings: tuple[str, ...]
) -> list[tuple[tuple[str, ...], list[EvaluationSet]]]:
    """Return the settings that are predicted on the same test sets, with these."""
    groups: dict[tuple[str, ...], tuple[list[str], list[EvaluationSet]]] = {}
    for setting in settings:
        sets = sets_for(study, setting)
        groups.setdefault(tuple(one.name for one in sets), ([], sets))[0].append(setting)
    return [(tuple(names), sets) for names, sets in groups.values()]


def commands_of(request: TrainingRequest) -> dict[str, list[str]]:
    """Return the commands that the experiment stands for, as they are recorded."""
    training, device = request.training, request.machine.device
    shared = ["--configuration", training.configuration, "--planner", training.planner]
    shared += ["--device", device]
    settings = [word for name in request.settings for word in ("--setting", name)]
    folds = ",".join(map(str, request.folds)) or "all"
    train = ["cta-data", "train", *settings, "--fold", folds, "--epochs", str(training.epochs)]
    return {"train": [*train, *shared], "predict": ["cta-data", "predict", *shared]}


def plan_experiment(study: Study, request: TrainingRequest) -> list:
    """Decide about every unit without doing anything."""
    builds = [build_step(study, setting) for setting in request.settings]
    steps = [*SUBJECT_STEPS, *builds, *steps_of(study, request)]
    for settings, sets in _same_sets(study, request.settings):
        steps += prediction_steps(study, replace(request, settings=settings), sets)
    return plan_steps(study, steps, RunOptions())


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
        sets = sets_for(study, setting)
        n = sum(len(one.cases) for one in sets)
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
