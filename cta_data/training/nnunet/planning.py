"""Fingerprint, plan and preprocess one training set, once for its content.

Preprocessed cases lie in a pool, each under a key of its image, its label and those parts of the
plan that shape it: a changed label is preprocessed alone, and what two sets share is made once.
A training set's own folder holds links into the pool, and none to the images.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from cta_data.errors import ConfigurationError
from cta_data.files import json_text, locked
from cta_data.processes import die_with_parent
from cta_data.training.nnunet.jobs import PlanJob, Prepared
from cta_data.training.nnunet.plans import PLANS_OF_PLANNER, adapted
from cta_data.training.nnunet.pools import FEW_PROCESSES, pools_of_threads
from cta_data.versioning.keys import digest

PLANNED = "planned"
_PARTS = (".b2nd", "_seg.b2nd", ".pkl")
_PREPROCESSOR = "nnunetv2.preprocessing.preprocessors.default_preprocessor"


def plan_job(content: Mapping[str, Any]) -> dict[str, Any]:
    """Do a `PlanJob`: return the content of what is `Prepared`."""
    return prepare(PlanJob.model_validate(content)).content()


def prepare(job: PlanJob) -> Prepared:
    """Prepare a training set, but for what is prepared already."""
    job.prepared.mkdir(parents=True, exist_ok=True)
    # One process at a time: folds that start together wait for the first.
    with locked(job.prepared / "lock", wait=True):
        folder = job.prepared / job.dataset
        if not (folder / PLANNED).is_file():
            _plan(job, folder)
        made = _preprocess(job, folder)
    return Prepared(folder=folder, plans=_plans_file(job, folder), preprocessed=made)


def _plans_file(job: PlanJob, folder: Path) -> Path:
    return folder / f"{PLANS_OF_PLANNER[job.planner]}.json"


def _plan(job: PlanJob, folder: Path) -> None:
    from nnunetv2.experiment_planning.plan_and_preprocess_api import (
        extract_fingerprint_dataset,
        plan_experiment_dataset,
    )

    shutil.rmtree(folder, ignore_errors=True)
    number = int(job.dataset[len("Dataset") :].split("_")[0])
    with pools_of_threads(job.processes <= FEW_PROCESSES):
        extract_fingerprint_dataset(
            number, num_processes=job.processes, show_progress_bar=False, verbose=False
        )
    plan_experiment_dataset(number, _planner(job.planner))
    path = _plans_file(job, folder)
    plans = json.loads(path.read_text("utf-8"))
    if job.configuration not in plans["configurations"]:
        raise ConfigurationError("configuration_not_planned", configuration=job.configuration)
    plans = adapted(
        plans,
        job.configuration,
        patch_size=job.patch_size,
        features=job.features,
        batch_size=job.batch_size,
    )
    _write_json(path, plans)
    dataset = json.loads((job.raw_dataset / "dataset.json").read_text("utf-8"))
    # Which patients trained a model is told by its card, not by what is shared of it.
    _write_json(folder / "dataset.json", {k: v for k, v in dataset.items() if k != "dataset"})
    _write_json(folder / "splits_final.json", [split.content() for split in job.splits])
    (folder / PLANNED).touch()


def _planner(name: str) -> Any:
    if name == "ExperimentPlanner":
        from nnunetv2.experiment_planning.experiment_planners.default_experiment_planner import (
            ExperimentPlanner,
        )

        return ExperimentPlanner
    from nnunetv2.experiment_planning.experiment_planners.residual_unets import (
        residual_encoder_unet_planners,
    )

    return getattr(residual_encoder_unet_planners, name)


def _preprocess(job: PlanJob, folder: Path) -> int:
    """Preprocess the cases that the pool lacks; link all of them into the set's folder."""
    plans_file, base, pool = _plans_file(job, folder), job.raw_dataset, job.pool
    plans = json.loads(plans_file.read_text("utf-8"))
    shape = _what_shapes_a_case(plans, job.configuration)
    raw = json.loads((base / "dataset.json").read_text("utf-8"))
    pool.mkdir(parents=True, exist_ok=True)
    identifier = plans["configurations"][job.configuration]["data_identifier"]
    own, labels = folder / identifier, folder / "gt_segmentations"
    own.mkdir(exist_ok=True)
    labels.mkdir(exist_ok=True)
    keys = {case: digest([key, shape]) for case, key in job.cases.items()}
    wanted = [case for case, key in keys.items() if not (pool / f"{key}{_PARTS[-1]}").is_file()]
    arguments = [
        (
            [str(base / image) for image in raw["dataset"][case]["images"]],
            str(base / raw["dataset"][case]["label"]),
            str(plans_file),
            job.configuration,
            str(folder / "dataset.json"),
            str(pool / keys[case]),
        )
        for case in wanted
    ]
    _run_side_by_side(arguments, job.processes)
    for case, key in keys.items():
        for part in _PARTS:
            _link(pool / f"{key}{part}", own / f"{case}{part}")
        label = base / raw["dataset"][case]["label"]
        _point(label, labels / f"{case}.nii.gz")
    return len(wanted)


def _what_shapes_a_case(plans: Mapping[str, Any], configuration: str) -> dict[str, Any]:
    """Return the parts of plans that a preprocessed case depends on, and nnU-Net's version."""
    from importlib.metadata import version

    own = plans["configurations"][configuration]
    kept = {key: value for key, value in own.items() if key not in ("architecture", "batch_size")}
    # Statistics of the data set: none but that of CT goes into a case.
    fixed = ("ZScoreNormalization", "NoNormalization", "RescaleTo01Normalization")
    schemes = own["normalization_schemes"]
    intensities = plans["foreground_intensity_properties_per_channel"]
    kept.pop("median_image_size_in_voxels", None)
    return {
        "configuration": kept,
        "intensities": None if all(name in fixed for name in schemes) else intensities,
        "transpose": plans["transpose_forward"],
        "reader": plans["image_reader_writer"],
        "nnunetv2": version("nnunetv2"),
    }


def _run_side_by_side(arguments: list[tuple], processes: int) -> None:
    if len(arguments) <= 1 or processes <= 1:
        for one in arguments:
            _preprocess_case(*one)
        return
    context = get_context("forkserver")
    # Imported once, in the process that the workers are forked from.
    context.set_forkserver_preload([__name__, _PREPROCESSOR])
    workers = min(processes, len(arguments))
    with ProcessPoolExecutor(workers, context, initializer=die_with_parent) as pool:
        for future in [pool.submit(_preprocess_case, *one) for one in arguments]:
            future.result()


def _preprocess_case(
    images: list[str], label: str, plans_file: str, configuration: str, dataset: str, target: str
) -> None:
    from nnunetv2.utilities.plans_handling.plans_handler import PlansManager

    plans = PlansManager(plans_file)
    own = plans.get_configuration(configuration)
    part = f"{target}.{os.getpid()}.part"
    own.preprocessor_class(verbose=False).run_case_save(part, images, label, plans, own, dataset)
    # The pickle comes last: a case is whole when it is there.
    for ending in _PARTS:
        os.replace(f"{part}{ending}", f"{target}{ending}")


def _link(source: Path, target: Path) -> None:
    if target.exists() and os.path.samefile(source, target):
        return
    target.unlink(missing_ok=True)
    try:
        os.link(source, target)
    except OSError:  # a file system without hard links
        os.symlink(source, target)


def _point(source: Path, target: Path) -> None:
    target.unlink(missing_ok=True)
    os.symlink(os.path.abspath(source), target)


def _write_json(path: Path, content: Any) -> None:
    text = json_text(content, indent=4, sorted_keys=False, escaped=True)
    path.write_text(text, encoding="utf-8")
