"""Predict: one unit a model and test set; the model reads the technique of its own setting."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from cta_data.engine import Blocked, Outcome, Selection, Step, Unit, Workspace
from cta_data.engine.inputs import File, Files
from cta_data.engine.sessions import make_unit
from cta_data.errors import DataRefused
from cta_data.intake.overlap import shared_patients
from cta_data.reasons import Reason
from cta_data.study import layout
from cta_data.study.configuration import Setting, TrainingSection
from cta_data.study.layout import PREDICTIONS
from cta_data.study.study import Study
from cta_data.study.tables import PredictionRow
from cta_data.training.cross_validation import postprocessing_file
from cta_data.training.evaluation_sets import SetForModel
from cta_data.training.inputs import PredictInputs
from cta_data.training.machine import Machine
from cta_data.training.models import SHARED, WORK, Model
from cta_data.training.nnunet.environment import nnunet_environment
from cta_data.training.nnunet.gpus import LOCKS, one_gpu
from cta_data.training.nnunet.jobs import CaseToPredict, Predicted, PredictJob
from cta_data.training.nnunet.model_facts import read_model_facts
from cta_data.training.nnunet.prediction_files import write_lesion_table
from cta_data.training.nnunet.process import run_job
from cta_data.training.operating_points import operating_options, read_ensemble_card
from cta_data.training.prediction_record import PredictionRecord, UsedFold, UsedImage
from cta_data.training.trained_models import Seen, TrainedFold, folds_to_use
from cta_data.versioning.keys import content_key

VERSION = 3
_OF_OPTIONS = frozenset({"folds_not_trained", "fold_builds_differ", "fold_trainings_differ"})
"""What other options would allow: an earlier prediction, made with those, is not lost for it.

Whether it is still that of the model is asked where it is scored.
"""


@dataclass(frozen=True)
class PredictionTask:
    """One model on one test set."""

    model: Model
    setting: Setting
    test_set: SetForModel


@dataclass(frozen=True)
class PredictionOptions:
    """How models predict.

    Attributes
    ----------
    folds
        Empty for all that are trained.
    unequal_folds
        Whether folds that were trained differently may be averaged.
    level
        False positives per case whose threshold is used; None for the mask of the network.
    calibrated
        Whether kept probabilities are scaled by the model's temperature.
    """

    training: TrainingSection
    folds: tuple[int, ...] = ()
    unequal_folds: bool = False
    probabilities: bool = False
    level: float | None = None
    calibrated: bool = False

    def of_network(self) -> dict[str, Any]:
        """Return what the network's process has to know."""
        return {
            "mirroring": self.training.mirroring,
            "tile_step": self.training.tile_step,
            "probabilities": self.probabilities,
        }


def prediction_step(
    tasks: Sequence[PredictionTask], options: PredictionOptions, machine: Machine
) -> Step:
    """Return the step that predicts test sets."""
    # The largest first, so that no worker is left with it in the end.
    ordered = sorted(tasks, key=lambda task: -len(task.test_set.cases))
    return Step(
        "predict",
        partial(_plan_all, tuple(ordered), options),
        partial(run, machine=machine),
        lambda unit: {PredictionRow: {"model": unit.model, "test_set": unit.test_set}},
    )


def _plan_all(
    tasks: tuple[PredictionTask, ...],
    options: PredictionOptions,
    study: Study,
    selection: Selection,
) -> Iterator[Unit | Blocked]:
    study.require(PREDICTIONS)
    same_person = [patient.labels for patient in shared_patients(study)]
    for task in tasks:
        yield _plan(task, options, study, same_person)


def _plan(
    task: PredictionTask,
    options: PredictionOptions,
    study: Study,
    same_person: Sequence[Sequence[tuple[str, str]]],
) -> Unit | Blocked:
    model, test_set = task.model, task.test_set
    unit = model.unit("predict", test_set=test_set.name)
    if not test_set.cases:
        empty = Reason("test_set_empty", test_set=test_set.name)
        undecided = test_set.undecided
        return Blocked(unit, VERSION, undecided or empty, expected=undecided is None)
    try:
        folds = folds_to_use(study, model, options.folds, unequal=options.unequal_folds)
    except DataRefused as error:
        kept = error.reason.code in _OF_OPTIONS
        return Blocked(unit, VERSION, error.reason, keeps_results=kept)
    try:
        operating = operating_of(study, model, folds, options)
    except DataRefused as error:
        return Blocked(unit, VERSION, error.reason, keeps_results=True)
    seen = Seen(folds, same_person)
    images = {case.case: case.image for case in test_set.cases}
    keys = {name: content_key(study.root / path) or "" for name, path in images.items()}
    refused = {
        case.case: why
        for case in test_set.cases
        if (why := seen.reason(*case.session.patient, keys[case.case]))
    }
    used = {name: path for name, path in images.items() if name not in refused}
    if not used:
        told = "; ".join(f"{case}: {why}" for case, why in sorted(refused.items()))
        return Blocked(
            unit, VERSION, Reason("test_cases_seen_in_training", test_set=test_set.name, cases=told)
        )
    numbers = [one.fold for one in folds]
    chosen = ""
    if options.level is None:
        chosen = postprocessing_file(study, model, options.training, numbers)
    record = _record(task, options, folds, {n: (path, keys[n]) for n, path in used.items()})
    record = record.model_copy(
        update={
            "refused": refused,
            "postprocessing": bool(chosen),
            "options": record.options | operating,
        }
    )
    given = PredictInputs(
        folder=model.folder,
        record=record.model_dump(mode="json"),
        shared=Files({name: layout.model_file(model.folder, name) for name in SHARED[:2]}),
        fold=Files({str(one.fold): one.checkpoint for one in folds}),
        image=Files(used),
        postprocessing=File(chosen),
    )
    return make_unit(study, unit, VERSION, given)


def operating_of(
    study: Study, model: Model, folds: Sequence[TrainedFold], options: PredictionOptions
) -> dict[str, Any]:
    """Return the operating point and temperature that were asked for; see `operating_options`.

    Raises
    ------
    DataRefused
        The model has none for these folds.
    """
    keys = {str(fold.fold): fold.checkpoint_key for fold in folds}
    path = study.root / layout.ensemble_card(model.folder, map(int, keys))
    level, calibrated = options.level, options.calibrated
    card = read_ensemble_card(path) if level is not None or calibrated else None
    return operating_options(card, keys, model.name, level, calibrated=calibrated)


def _record(
    task: PredictionTask,
    options: PredictionOptions,
    folds: Sequence[TrainedFold],
    images: dict[str, tuple[str, str]],
) -> PredictionRecord:
    model = task.model
    return PredictionRecord(
        model=model.name,
        setting=model.setting,
        configuration=model.configuration,
        planner=model.planner,
        trainer=model.trainer,
        technique=task.setting.technique,
        quality=task.setting.quality,
        test_set=task.test_set.name,
        folds={
            str(one.fold): UsedFold(
                checkpoint_key=one.checkpoint_key,
                training_set_key=one.training_set_key,
                epochs=one.epochs,
            )
            for one in folds
        },
        chosen_folds=bool(options.folds),
        unequal_folds=options.unequal_folds,
        images={
            case: UsedImage(path=path, key=key) for case, (path, key) in sorted(images.items())
        },
        options=options.of_network(),
    )


def run(unit: Unit[PredictInputs], workspace: Workspace, *, machine: Machine) -> Outcome:
    """Predict every case of a set; those that cannot be read are told, and the others kept.

    Raises
    ------
    DataRefused
        The model cannot be loaded, or no case can be predicted.
    """
    record = PredictionRecord.model_validate(unit.given.record)
    place = workspace.write(layout.prediction_record(record.model, record.test_set))
    out = place.parent
    cases = list(record.images)
    job = _job(unit, workspace, out, machine)
    failed = run_prediction(job, workspace.root / WORK, unit.key, machine).failed
    if len(failed) == len(cases):
        first = next(iter(failed.items()))
        raise DataRefused("prediction_failed", where=first[0], why=first[1])
    lesions = write_lesion_table(out, cases)
    masks = {case: content_key(out / f"{case}.nii.gz") for case in cases if case not in failed}
    refused = dict(sorted((record.refused | failed).items()))
    maps = {
        case: content_key(out / layout.PROBABILITIES / f"{case}.nii.gz")
        for case in (masks if record.options["probabilities"] else ())
    }
    written = record.model_copy(update={"masks": masks, "probabilities": maps, "refused": refused})
    place.write_text(written.text(), encoding="utf-8")
    total = len(cases) + len(record.refused)
    notes = [f"{len(masks)} of {total} cases on {record.technique}, {lesions} lesions"]
    told = "; ".join(f"{case}: {why}" for case, why in refused.items())
    return Outcome(
        rows=[_row(written, case) for case in masks],
        notes=notes,
        refused=Reason("cases_not_predicted", cases=told) if refused else None,
    )


def _row(record: PredictionRecord, case: str) -> PredictionRow:
    image = record.images[case]
    return PredictionRow(
        model=record.model,
        test_set=record.test_set,
        case=case,
        technique=record.technique,
        folds=tuple(map(int, record.folds)),
        image_path=image.path,
        image_key=image.key,
        path=layout.predicted_mask(record.model, record.test_set, case),
        annex_key=record.masks[case],
    )


def _job(
    unit: Unit[PredictInputs], workspace: Workspace, out: Path, machine: Machine
) -> PredictJob:
    record = PredictionRecord.model_validate(unit.given.record)
    model = workspace.read(unit.given.folder)
    chosen = unit.given.postprocessing
    return PredictJob(
        model=model,
        folds=tuple(record.folds),
        trainer=record.trainer,
        lesion_values=read_model_facts(model).lesion_values(),
        postprocessing=workspace.read(chosen) if chosen else None,
        cases=tuple(
            CaseToPredict(case=case, images=(workspace.read(image.path),), output=out)
            for case, image in record.images.items()
        ),
        device=machine.device,
        **record.options,
    )


def run_prediction(job: PredictJob, work: Path, name: str, machine: Machine) -> Predicted:
    """Run a job of prediction on the machine; its log lies in `work`/predictions/`name`."""
    folder = work / "predictions" / name
    environment = nnunet_environment(
        raw=folder,
        preprocessed=folder,
        results=folder,
        processes=machine.processes,
        device="cpu",
        threads=machine.threads,
    )
    with one_gpu(LOCKS, machine.device, machine.gpus) as gpu:
        done = run_job("predict", job.content(), folder, environment | gpu)
    return Predicted.model_validate(done)
