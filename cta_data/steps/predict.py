"""Predict: one unit a model and test set."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from cta_data.configuration import TrainingSection
from cta_data.engine import Blocked, Outcome, Selection, Step, Unit, UnitId, Workspace
from cta_data.errors import DataRefused
from cta_data.nnunet.environment import nnunet_environment
from cta_data.nnunet.gpus import LOCKS, one_gpu
from cta_data.nnunet.model_facts import read_model_facts
from cta_data.nnunet.prediction_files import write_lesion_table
from cta_data.nnunet.process import run_job
from cta_data.steps.evaluation_sets import EvaluationSet
from cta_data.steps.models import PREDICTIONS, WORK, Model
from cta_data.steps.sessions import make_unit
from cta_data.steps.train import SHARED, Machine
from cta_data.study import Study

VERSION = 1
CHECKPOINT = "checkpoint_final.pth"


def prediction_step(
    models: Sequence[Model],
    sets: Sequence[EvaluationSet],
    training: TrainingSection,
    machine: Machine,
    *,
    probabilities: bool = False,
) -> Step:
    """Return the step that predicts test sets with all folds of each model that are trained."""
    options = {
        "mirroring": training.mirroring,
        "tile_step": training.tile_step,
        "probabilities": probabilities,
    }
    return Step(
        "predict",
        partial(_plan_all, tuple(models), tuple(sets), options),
        partial(run, machine=machine),
        lambda unit: {},
    )


def trained_folds(study: Study, model: Model) -> list[str]:
    """Return the folds of a model that are trained, by their names in nnU-Net's folders."""
    found = (study.root / model.folder).glob(f"fold_*/{CHECKPOINT}")
    links = (study.root / model.folder).glob("fold_*")
    names = {path.parent.name for path in found}
    names |= {path.name for path in links if os.path.lexists(path / CHECKPOINT)}
    return sorted(name.removeprefix("fold_") for name in names)


def _plan_all(
    models: tuple[Model, ...],
    sets: tuple[EvaluationSet, ...],
    options: dict[str, Any],
    study: Study,
    selection: Selection,
) -> Iterator[Unit | Blocked]:
    # The largest first, so that no worker is left with it in the end.
    ordered = tuple(sorted(sets, key=lambda one: -len(one.cases)))
    for model in models:
        yield from _plan(model, ordered, options, study)


def _plan(
    model: Model, sets: tuple[EvaluationSet, ...], options: dict[str, Any], study: Study
) -> Iterator[Unit | Blocked]:
    folds = trained_folds(study, model)
    for one in sets:
        unit = UnitId(model.step("predict", one.name))
        if not folds:
            todo = f"run `cta-data train --setting {model.setting}`"
            yield Blocked(unit, VERSION, f"model {model.name} is not trained: {todo}")
            continue
        if not one.cases:
            yield Blocked(unit, VERSION, f"test set {one.name} has no case", expected=True)
            continue
        paths = {f"shared:{name}": f"{model.folder}/{name}" for name in SHARED[:2]}
        paths |= {f"fold:{fold}": f"{model.folder}/fold_{fold}/{CHECKPOINT}" for fold in folds}
        paths |= {f"image:{case.case}": case.image for case in one.cases}
        chosen = f"{model.folder}/crossval_results_folds_{'_'.join(folds)}/postprocessing.json"
        if os.path.lexists(study.root / chosen):
            paths["postprocessing"] = chosen
        parameters = {
            "model": model.name,
            "folder": model.folder,
            "folds": folds,
            "test_set": one.name,
            "out": f"{PREDICTIONS}/{model.name}/{one.name}",
            "options": options,
        }
        yield make_unit(study, unit, VERSION, paths, parameters)


def run(unit: Unit, workspace: Workspace, *, machine: Machine) -> Outcome:
    """Predict every case of a set; those that cannot be read are told, and the others kept.

    Raises
    ------
    DataRefused
        The model cannot be loaded, or no case can be predicted.
    """
    images, options = unit.paths("image:"), unit.parameters["options"]
    out = workspace.write(f"{unit.parameters['out']}/x").parent
    chosen = unit.paths("postprocessing").get("")
    model = workspace.read(unit.parameters["folder"])
    cases = [
        {"case": case, "images": [str(workspace.read(path))], "output": str(out)}
        for case, path in images.items()
    ]
    job = {
        "model": str(model),
        "folds": unit.parameters["folds"],
        "lesion_values": read_model_facts(model).lesion_values(),
        "postprocessing": str(workspace.read(chosen)) if chosen else "",
        "cases": cases,
        "device": machine.device,
        **options,
    }
    done = run_prediction(job, workspace.root / WORK, unit.key, machine)
    failed = done["failed"]
    if len(failed) == len(cases):
        first = next(iter(failed.items()))
        raise DataRefused("no case could be predicted", where=first[0], why=first[1])
    lesions = write_lesion_table(out, list(images))
    manifest = {
        "model": unit.parameters["model"],
        "folds": unit.parameters["folds"],
        "checkpoints": {e.role: e.key for e in unit.inputs if e.role.startswith("fold:")},
        "images": {e.role.removeprefix("image:"): e.key for e in unit.inputs if "image:" in e.role},
        "postprocessing": bool(chosen),
        "options": options,
    }
    text = json.dumps(manifest, indent=1, sort_keys=True) + "\n"
    (out / "prediction.json").write_text(text, encoding="utf-8")
    notes = [f"{len(cases) - len(failed)} of {len(cases)} cases, {lesions} lesions"]
    refused = "; ".join(f"{case}: {why}" for case, why in sorted(failed.items()))
    return Outcome(notes=notes, refused=f"not predicted: {refused}" if refused else "")


def run_prediction(job: dict[str, Any], work: Path, name: str, machine: Machine) -> dict[str, Any]:
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
        return run_job("predict", job, folder, environment | gpu)
