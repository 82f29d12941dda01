"""All folds together: their validation cases are judged, and postprocessing is determined."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from cta_data.engine import Blocked, Outcome, Unit, Workspace
from cta_data.engine.inputs import Files
from cta_data.engine.sessions import make_unit
from cta_data.reasons import Reason
from cta_data.study import layout
from cta_data.study.configuration import TrainingSection
from cta_data.study.study import Study
from cta_data.study.tables import UnitRow
from cta_data.training.build_files import training_cases
from cta_data.training.inputs import CrossValidationInputs
from cta_data.training.machine import Machine
from cta_data.training.models import SHARED, WORK, Model
from cta_data.training.nnunet.environment import nnunet_environment
from cta_data.training.nnunet.jobs import Postprocessed, PostprocessJob
from cta_data.training.nnunet.process import run_job

VERSION = 1


def plan_cross_validation(
    model: Model, training: TrainingSection, study: Study
) -> Iterator[Unit | Blocked]:
    """Yield the unit that judges all folds together, or what it waits for."""
    unit = model.unit("crossvalidate")
    cases = [(case, case.fold) for case in training_cases(study, model) if case.fold is not None]
    folder = model.folder
    given = CrossValidationInputs(
        folder=folder,
        dataset=model.dataset,
        folds=tuple(sorted({fold for _, fold in cases})),
        shared=Files({name: layout.model_file(folder, name) for name in SHARED[:2]}),
        predicted=Files({c.case: layout.validation_mask(folder, f, c.case) for c, f in cases}),
        label=Files({case.case: case.label for case, _ in cases}),
    )
    paths = [*given.shared.values(), *given.predicted.values(), *given.label.values()]
    missing = [path for path in paths if not os.path.lexists(study.root / path)]
    if missing:
        yield Blocked(unit, VERSION, Reason("folds_not_all_trained", missing=missing[0]))
        return
    yield make_unit(study, unit, VERSION, given)


def postprocessing_file(
    study: Study, model: Model, training: TrainingSection, folds: Sequence[int]
) -> str:
    """Return the postprocessing that nnU-Net determined for just these folds, or an empty text.

    One that was determined of other folds, or of the same ones before they were trained again,
    is none of theirs.
    """
    if sorted(folds) != list(range(study.configuration.build.folds)):
        return ""
    [planned] = plan_cross_validation(model, training, study)
    row = study.tables.by_key(UnitRow).get(planned.id.key)
    current = isinstance(planned, Unit) and row is not None and row.key == planned.key
    if row is None or not current or row.status != "ok":
        return ""
    path = layout.postprocessing(model.folder, folds)
    return path if path in row.outputs else ""


def without_folders(summary: Any) -> Any:
    """Return nnU-Net's summary with names of files instead of paths on a machine."""
    if isinstance(summary, dict):
        return {
            key: Path(value).name if key.endswith("_file") else without_folders(value)
            for key, value in summary.items()
        }
    return [without_folders(one) for one in summary] if isinstance(summary, list) else summary


def cross_validate(
    unit: Unit[CrossValidationInputs], workspace: Workspace, *, machine: Machine
) -> Outcome:
    """Judge all folds' validation cases together, and have nnU-Net determine postprocessing."""
    work = workspace.root / WORK / "crossvalidation" / unit.key
    shutil.rmtree(work, ignore_errors=True)
    for folder, masks in (("predicted", unit.given.predicted), ("labels", unit.given.label)):
        (work / folder).mkdir(parents=True)
        for case, path in masks.items():
            os.symlink(workspace.read(path).absolute(), work / folder / f"{case}.nii.gz")
    job = PostprocessJob(
        predicted=work / "predicted",
        labels=work / "labels",
        plans=workspace.read(unit.given.shared["plans.json"]),
        dataset=workspace.read(unit.given.shared["dataset.json"]),
        processes=machine.processes,
    )
    environment = nnunet_environment(
        raw=work, preprocessed=work, results=work, processes=1, device="cpu", threads=1
    )
    done = Postprocessed.model_validate(run_job("postprocess", job.content(), work, environment))
    model, folds = unit.given.folder, unit.given.folds
    summary = without_folders(done.summary)
    workspace.write_json(layout.cross_validation_summary(model, folds), summary)
    postprocessing = without_folders(done.postprocessing)
    workspace.write_json(layout.postprocessing(model, folds), postprocessing)
    shutil.rmtree(work)
    dice = done.summary["foreground_mean"]["Dice"]
    chosen = ", ".join(done.postprocessing["postprocessing_fns"]) or "none"
    return Outcome(notes=[f"voxel Dice of {len(folds)} folds {dice:.3f}; postprocessing: {chosen}"])
