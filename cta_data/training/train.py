"""Train: plan a training set once, learn its folds, and judge them together."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from cta_data.engine import (
    Blocked,
    Outcome,
    Selection,
    Step,
    Unit,
    UnitId,
    Workspace,
    digest,
)
from cta_data.engine.inputs import File
from cta_data.engine.running import RUNNING
from cta_data.engine.sessions import make_unit
from cta_data.engine.units import Scope
from cta_data.errors import DataRefused
from cta_data.files import read_json, read_json_object
from cta_data.reasons import Reason
from cta_data.study import layout
from cta_data.study.build_case import BuildCase
from cta_data.study.configuration import Setting, TrainingSection
from cta_data.study.layout import MODELS
from cta_data.study.study import Study
from cta_data.study.tables import ModelFoldRow
from cta_data.training.build_files import read_build, training_cases, training_files
from cta_data.training.cross_validation import (
    cross_validate,
    plan_cross_validation,
    without_folders,
)
from cta_data.training.inputs import PlanInputs, Planning, TrainInputs
from cta_data.training.machine import Machine
from cta_data.training.models import SHARED, WORK, Model
from cta_data.training.nnunet.environment import nnunet_environment
from cta_data.training.nnunet.gpus import LOCKS, one_gpu
from cta_data.training.nnunet.jobs import (
    CurvesPlace,
    FoldResult,
    LearningOptions,
    NewsPlace,
    PlanJob,
    Prepared,
    TrainJob,
)
from cta_data.training.nnunet.model_card import fold_card, with_first_cost, write_curves
from cta_data.training.nnunet.plans import require_fitting_patch
from cta_data.training.nnunet.process import run_job
from cta_data.training.trained_models import (
    definition_of,
    describe_training,
    require_folds,
)

PLAN_VERSION = 1
TRAIN_VERSION = 2
CURVES = ".cta/curves"
"""Where a logger writes unless the study names another folder; never versioned."""
KEPT = (layout.CHECKPOINT, "progress.png")
_PLANNING = ("configuration", "planner", "patch_size", "features", "batch_size")
_NOT_LEARNING = (*_PLANNING, "checkpoint_every", "logger", "log_folder")


def training_steps(
    study: Study,
    models: Sequence[Model],
    training: TrainingSection,
    folds: Sequence[int],
    machine: Machine,
) -> list[Step]:
    """Return the steps that make models: plan, a unit a fold, and all folds' cross-validation.

    Units of all models are in one step, so that they can run side by side.

    Raises
    ------
    ConfigurationError
        One of the folds is not there, or the patch does not fit the network.
    """
    study.require(MODELS)
    require_fitting_patch(training.configuration, training.patch_size, training.features)
    require_folds(study, folds)
    logging = replace(machine, logger=training.logger, log_folder=training.log_folder)
    kinds: list[tuple[str, Any, Any]] = [
        ("plan", _plan_planning, plan),
        ("train", partial(_plan_folds, tuple(folds)), train),
    ]
    if len(folds) == study.configuration.build.folds:
        kinds.append(("crossvalidate", plan_cross_validation, cross_validate))
    return [
        Step(
            name,
            partial(_of_all, planned, models, training),
            partial(run, machine=logging),
            _owned,
        )
        for name, planned, run in kinds
    ]


def _of_all(
    planned: Any,
    models: Sequence[Model],
    training: TrainingSection,
    study: Study,
    selection: Selection,
) -> Iterator[Unit | Blocked]:
    for model in models:
        yield from planned(model, training, study)


def _owned(unit: UnitId) -> Scope:
    """Return what a unit owns: a trained fold its row."""
    return {ModelFoldRow: {"model": unit.model, "fold": unit.fold}} if unit.step == "train" else {}


def _plan_inputs(model: Model, training: TrainingSection, cases: Sequence[BuildCase]) -> PlanInputs:
    options = training.model_dump(mode="json")
    return PlanInputs(
        setting=model.setting,
        dataset=model.dataset,
        folder=model.folder,
        cases=tuple(case.case for case in cases),
        planning=Planning(**{key: options[key] for key in _PLANNING}),
        files=training_files(model, cases),
    )


def _plan_planning(
    model: Model, training: TrainingSection, study: Study
) -> Iterator[Unit | Blocked]:
    unit = model.unit("plan")
    cases = training_cases(study, model)
    if not cases:
        why = Reason("build_not_done", setting=model.setting)
        yield Blocked(unit, PLAN_VERSION, why)
        return
    yield make_unit(study, unit, PLAN_VERSION, _plan_inputs(model, training, cases))


def _plan_folds(
    folds: tuple[int, ...], model: Model, training: TrainingSection, study: Study
) -> Iterator[Unit | Blocked]:
    cases = training_cases(study, model)
    build = read_build(study, model)
    options = training.model_dump(mode="json")
    planned = (study.root / layout.model_plans(model.folder)).is_file()
    for fold in folds:
        unit = model.unit("train", fold=fold)
        if not planned:
            yield Blocked(unit, TRAIN_VERSION, Reason("plan_not_done", plan=model.unit("plan")))
            continue
        given = TrainInputs(
            plan=_plan_inputs(model, training, cases),
            fold=fold,
            options={key: options[key] for key in options if key not in _NOT_LEARNING},
            patients={case.case: case.session.patient for case in cases},
            definition=definition_of(Setting.model_validate(build["definition"])),
            study=study.identifier,
            plans=File(layout.model_plans(model.folder)),
        )
        yield make_unit(study, unit, TRAIN_VERSION, given)


def _plan_job(unit: Unit, given: PlanInputs, workspace: Workspace, machine: Machine) -> PlanJob:
    """Return the job of preparing the unit's training set."""
    keys, files = unit.keys, given.files
    cases = {c: (keys[files.image[c]], keys[files.label[c]]) for c in given.cases}
    planning = vars(given.planning)
    work = workspace.root / WORK
    prepared = digest([cases, keys[files.splits], keys[files.dataset_json], planning])
    return PlanJob(
        dataset=given.dataset,
        raw=workspace.root / layout.BUILDS,
        prepared=work / "prepared" / prepared,
        pool=work / "cases",
        cases=cases,
        splits=read_json(workspace.read(files.splits)),
        processes=machine.processes,
        **planning,
    )


def _environment(job: PlanJob, results: Path, machine: Machine, threads: int) -> dict[str, str]:
    return nnunet_environment(
        raw=job.raw,
        preprocessed=job.prepared,
        results=results,
        processes=machine.processes,
        device=machine.device,
        threads=threads,
    )


def plan(unit: Unit[PlanInputs], workspace: Workspace, *, machine: Machine) -> Outcome:
    """Have nnU-Net take the fingerprint, plan and preprocess; keep what it planned.

    Raises
    ------
    CtaError
        nnU-Net could not.
    """
    job = _plan_job(unit, unit.given, workspace, machine)
    folder = job.prepared
    answer = run_job("plan", job.content(), folder, _environment(job, folder, machine, 1))
    done, target = Prepared.model_validate(answer), unit.given.folder
    shutil.copyfile(done.plans, workspace.write(layout.model_plans(target)))
    for name in SHARED[1:]:
        shared = workspace.write(layout.model_file(target, name))
        shutil.copyfile(done.folder / name, shared)
    cases, made = len(job.cases), done.preprocessed
    return Outcome(notes=[f"{made} of {cases} cases preprocessed, {cases - made} as they were"])


def train(unit: Unit[TrainInputs], workspace: Workspace, *, machine: Machine) -> Outcome:
    """Train one fold, or go on with it, and keep its model with a card.

    Raises
    ------
    CtaError
        nnU-Net could not; what was learnt so far is kept, and the next run goes on from it.
    """
    work = workspace.root / WORK / "training" / unit.key
    if machine.recompute and list(work.rglob(KEPT[0])):
        shutil.rmtree(work)
    job = _train_job(unit, workspace, work, machine)
    threads = 1 if job.options.reproducible else machine.threads
    environment = _environment(job, job.results, machine, threads)
    with one_gpu(LOCKS, machine.device, machine.gpus) as gpu:
        done = FoldResult.model_validate(run_job("train", job.content(), work, environment | gpu))
    return _keep(unit, workspace, done, job.splits[job.fold].train)


def _train_job(
    unit: Unit[TrainInputs], workspace: Workspace, work: Path, machine: Machine
) -> TrainJob:
    """Return the job of learning the unit's fold, whose files lie in `work` meanwhile."""
    model, fold, root = unit.id.model, unit.given.fold, workspace.root
    curves = root / (machine.log_folder or CURVES) / machine.logger
    return TrainJob(
        **dict(_plan_job(unit, unit.given.plan, workspace, machine)),
        fold=fold,
        device=machine.device,
        options=LearningOptions(**unit.given.options, checkpoint_every=machine.checkpoint_every),
        results=work / "results",
        news=NewsPlace(
            file=root / RUNNING / f"train-{unit.key[:16]}.json",
            model=model,
            fold=fold,
            log=str(work / "train.log"),
        ),
        curves=CurvesPlace(
            logger=machine.logger, folder=curves, model=model, fold=fold, run=unit.key
        ),
    )


def _keep(
    unit: Unit[TrainInputs], workspace: Workspace, done: FoldResult, trained_on: Sequence[str]
) -> Outcome:
    """Place a fold's files by link, so that a run that dies now has lost nothing."""
    fold, source = unit.given.fold, done.fold_folder
    training = describe_training(unit, trained_on, source / KEPT[0]) | {"trainer": done.trainer}
    model = unit.given.plan.folder
    target = layout.fold_folder(model, fold)
    for name in KEPT:
        _link(source / name, workspace.write(f"{target}/{name}"))
    for path in sorted((source / "validation").glob("*.nii.gz")):
        case = path.name.removesuffix(".nii.gz")
        _link(path, workspace.write(layout.validation_mask(model, fold, case)))
    summary = read_json_object(source / "validation" / "summary.json")
    workspace.write_json(f"{target}/validation/summary.json", without_folders(summary))
    sessions = done.sessions
    card = fold_card(unit, sessions, done.hardware, summary, source / KEPT[0], training)
    card = with_first_cost(card, _card_there(workspace.read(layout.model_card(model, fold))))
    workspace.write_json(layout.model_card(model, fold), card)
    write_curves(card["curves"], workspace.write(f"{target}/curves.png"))
    begun = [one["first_epoch"] for one in sessions if one["first_epoch"]]
    notes = [f"resumed after epoch {', '.join(map(str, begun))}"] if begun else []
    return Outcome(rows=[model_row(unit, card)], notes=notes)


def model_row(unit: Unit[TrainInputs], card: Mapping[str, Any]) -> ModelFoldRow:
    """Return the row of a trained fold, from what its card tells."""
    plan, fold = unit.given.plan, unit.given.fold
    return ModelFoldRow(
        model=unit.id.model,
        fold=fold,
        setting=plan.setting,
        dataset=plan.dataset,
        configuration=plan.planning.configuration,
        planner=plan.planning.planner,
        training_set_key=card["training_set_key"],
        learning_key=card["learning_key"],
        epochs=card["epochs"],
        path=layout.checkpoint(plan.folder, fold),
        annex_key=card["checkpoint_key"],
        card_path=layout.model_card(plan.folder, fold),
    )


def _card_there(path: Path) -> dict[str, Any]:
    """Return the card that an earlier training left; empty where there is none to be read."""
    try:
        return read_json_object(path)
    except DataRefused:
        return {}


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:  # another file system
        shutil.copyfile(source, target)
