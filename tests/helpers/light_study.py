"""A study of tables and tiny images, whose models "learn" and "predict" without a network.

Sessions, builds, cards, predictions and what may be scored are those of the package; only what
nnU-Net would do is stood in for.
"""

from __future__ import annotations

import json
import secrets
from pathlib import Path
from typing import Any

import numpy as np
from helpers.annotation_rows import annotation_columns
from helpers.new_study import new_study
from helpers.typed_rows import upsert

from cta_data.engine import Blocked, Selection, Step, Unit
from cta_data.engine.staging import place, staging_folder
from cta_data.engine.worker import run_unit
from cta_data.formats.nifti.image import write_voxels
from cta_data.pipeline.accounting import account
from cta_data.pipeline.build import build_step
from cta_data.study import layout
from cta_data.study.configuration import TrainingSection
from cta_data.study.session_id import SessionId
from cta_data.study.study import Study
from cta_data.study.tables import AnnotationRow, ImageRow, SessionRow, UnitRow, VariantRow
from cta_data.study.unit_id import UnitId
from cta_data.training import predict as predicting
from cta_data.training.evaluation_sets import EvaluationSets
from cta_data.training.machine import Machine
from cta_data.training.models import model_of
from cta_data.training.nnunet.jobs import Predicted, PredictJob
from cta_data.training.predict import PredictionOptions, PredictionTask, prediction_step
from cta_data.training.train import model_row, training_steps
from cta_data.training.trained_models import describe_training

STEPS = ("convert", "register", "transfer", "strip", "measure")
TECHNIQUES = {"NAQ": "MPRAGE", "HAQ": "SPACE"}
SHAPE = (4, 4, 4)
MACHINE = Machine(device="cpu")


def make_light_study(path: Path, *, folds: int = 2) -> Study:
    """Make a study with the trial and one external cohort, and no patient."""
    new_study(path, "internal", "susm")
    toml = (path / "study.toml").read_text("utf-8").replace("folds = 5", f"folds = {folds}")
    (path / "study.toml").write_text(toml, "utf-8")
    return Study(path)


def add_patient(study: Study, cohort: str, subject: str, quality: str, content: int) -> None:
    """Add a session with a brain and an annotation on both techniques; `content` is its voxels."""
    key = {"cohort": cohort, "subject": subject, "session": "1"}
    folder = f"datasets/{cohort}/derivatives/cta/sub-{subject}"
    (study.root / folder).mkdir(parents=True, exist_ok=True)
    images, variants = [], []
    for number, technique in enumerate(TECHNIQUES.values()):
        image = f"{folder}/{technique}_brain.nii.gz"
        voxels = np.full(SHAPE, 2 * content + number + 10, np.int16)
        voxels[0] = 0
        write_voxels(voxels, np.eye(4), study.root / image)
        mask, labels = (f"{folder}/{technique}_{kind}.nii.gz" for kind in ("mask", "dseg"))
        lesions = np.zeros(SHAPE, np.uint8)
        lesions[2, 1, 1], lesions[2, 3, 3] = 1, 2
        write_voxels((lesions > 0).astype(np.uint8), np.eye(4), study.root / mask)
        write_voxels(lesions, np.eye(4), study.root / labels)
        about = {"technique": technique, "contrast_phase": "late", "description": "brain"}
        images.append(key | about | {"modality": "MR", "path": image})
        made = {"annotation": quality, "grid": technique, "quality": quality}
        made |= {"mask_path": mask, "labels_path": labels, "account_path": f"{folder}/account.json"}
        variants.append(key | made)
    upsert(study.tables, ImageRow, images)
    upsert(study.tables, VariantRow, variants)
    upsert(study.tables, AnnotationRow, [key | annotation_columns(quality)])
    upsert(study.tables, SessionRow, [key | {"qualities": (quality,)}])
    set_status(study, cohort, subject, "ok")


def set_status(study: Study, cohort: str, subject: str, status: str) -> None:
    """Record how the session's transfer, and with it its measurement, ended."""
    session = SessionId(cohort, subject, "1")
    reason = None if status == "ok" else "rejected by a reader"
    of_step = {step: "ok" for step in STEPS} | {"transfer": status, "measure": status}
    study.tables.upsert(
        [
            UnitRow.of(
                UnitId(step, session), key="k", status=own, reason=reason if own != "ok" else None
            )
            for step, own in of_step.items()
        ]
    )
    account(study)


def withdraw(study: Study, cohort: str, subject: str) -> None:
    """Remove every row of a subject."""
    for of in (SessionRow, ImageRow, AnnotationRow, VariantRow, UnitRow):
        study.tables.replace(of, ("cohort", "subject"), {(cohort, subject)}, [])
    account(study)


def run_step(study: Study, step: Step) -> dict[str, str]:
    """Run what a step plans, as the driver does; return the status of each unit by name."""
    told = {}
    for unit in step.plan(study, Selection()):
        if isinstance(unit, Blocked):
            told[unit.id.work] = f"blocked: {unit.reason}"
            continue
        result = run_unit(step, unit, str(study.root))
        staging = staging_folder(study.root, unit.id.key, unit.key)
        if result.outcome is not None:
            place(study.root, staging, result.outputs, [])
            for of, where in step.owns(unit.id).items():
                made = [row for row in result.outcome.rows if type(row) is of]
                study.tables.replace(of, tuple(where), {tuple(where.values())}, made)
        told[unit.id.work] = f"{result.record.status}: {result.record.reason or ''}"
    return told


def build(study: Study, setting: str) -> str:
    """Build a setting and account for every subject; return how it ended."""
    [told] = run_step(study, build_step(study, setting)).values()
    unit = UnitId("build", model=setting)
    study.tables.upsert([UnitRow.of(unit, status=told.split(":")[0], key="k")])
    account(study)
    return told


def train(study: Study, setting: str, folds: tuple[int, ...], **changes: Any) -> list[Unit]:
    """Leave checkpoints and cards as a training of these folds would; return its units."""
    training = TrainingSection(**changes)
    model = model_of(study, setting, training)
    folder = study.root / model.folder
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "plans.json").write_text("{}", "utf-8")
    labels = {"background": 0, "metastasis": 1}
    (folder / "dataset.json").write_text(
        json.dumps({"channel_names": {"0": "T1"}, "labels": labels, "file_ending": ".nii.gz"}),
        "utf-8",
    )
    step = next(
        one
        for one in training_steps(study, [model], training, folds, MACHINE)
        if one.name == "train"
    )
    units = [unit for unit in step.plan(study, Selection()) if isinstance(unit, Unit)]
    for unit in units:
        splits = json.loads((study.root / unit.given.plan.files.splits).read_text("utf-8"))
        path = study.root / layout.checkpoint(model.folder, unit.given.fold)
        path.parent.mkdir(exist_ok=True)
        path.unlink(missing_ok=True)
        path.write_text(secrets.token_hex(8), "ascii")
        card = describe_training(unit, splits[unit.given.fold]["train"], path) | {
            "epochs": training.epochs
        }
        (path.parent / "card.json").write_text(json.dumps(card), "utf-8")
        study.tables.upsert([model_row(unit, card)])
    return units


def predict(
    study: Study,
    setting: str,
    names: tuple[str, ...] = ("all",),
    *,
    folds: tuple[int, ...] = (),
    unequal: bool = False,
) -> dict[str, str]:
    """Predict test sets with what stands in for a network; return how each unit ended."""
    training = TrainingSection()
    model = model_of(study, setting, training)
    own = study.configuration.build.settings[setting]
    sets = EvaluationSets(study)
    tasks = [
        PredictionTask(model, own, sets.read_by(own, name)) for name in sets.chosen(names, own)
    ]
    options = PredictionOptions(training, folds, unequal)
    return run_step(study, prediction_step(tasks, options, MACHINE))


def stand_in(job: PredictJob, work: Path, name: str, machine: Machine) -> Predicted:
    """Predict a lesion and a false one, a voxel each, instead of running a network."""
    for case in job.cases:
        mask = np.zeros(SHAPE, np.uint8)
        mask[2, 1, 1] = mask[0, 3, 0] = 1
        write_voxels(mask, np.eye(4), case.output / f"{case.case}.nii.gz")
    return Predicted(failed={})


def use_stand_in(monkeypatch: Any) -> None:
    """Have `predict` use what stands in for a network."""
    monkeypatch.setattr(predicting, "run_prediction", stand_in)
