"""What can be known to go wrong, looked at before an hour of training is spent."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from cta_data.errors import CtaError
from cta_data.files import read_json
from cta_data.formats.nifti.image import read_grid, read_image
from cta_data.imaging.geometry.grid import describe_grid_difference, same_grid
from cta_data.pipeline.training_set import leaks
from cta_data.study import layout
from cta_data.study.build_case import BuildCase
from cta_data.study.configuration import TrainingSection
from cta_data.study.study import Study
from cta_data.study.tables import ImageRow
from cta_data.training.build_files import read_cases
from cta_data.training.machine import Machine
from cta_data.training.models import WORK, Model
from cta_data.training.nnunet.environment import require_device, require_training_packages
from cta_data.versioning.datasets import fetch

# nnU-Net's planners aim at these; a GPU needs some more for itself.
_GPU_GIB = {
    "ExperimentPlanner": 8,
    "nnUNetPlannerResEncM": 8,
    "nnUNetPlannerResEncL": 24,
    "nnUNetPlannerResEncXL": 40,
}
_CPU_GIB = 12.0
"""What a process needs that trains nnU-Net's own plan on a CPU; measured, rounded up."""
CHECKPOINT_GIB = 0.5
"""Two checkpoints of a plain U-Net with the optimiser's state."""
BYTES_A_VOXEL = 4.0
"""Of a preprocessed image with its labels, compressed a little."""
MOST_NAMED = 3


@dataclass(frozen=True)
class Check:
    """One line: what was looked at, whether it is well, and what was found."""

    name: str
    passed: bool
    found: str


def check_training(
    study: Study, model: Model, training: TrainingSection, machine: Machine, folds: int, jobs: int
) -> list[Check]:
    """Look at everything that a training needs; nothing is changed but that content is fetched.

    Parameters
    ----------
    folds
        How many folds are to be trained.
    jobs
        How many at a time.
    """
    cases = read_cases(study, model)
    looked: list[tuple[str, Callable[[], str]]] = [
        ("packages", _packages),
        ("device", lambda: _device(machine, training)),
        ("build", lambda: _build(study, model, cases)),
        ("splits", lambda: _splits(study, model, cases)),
        ("test sets", lambda: _leaks(cases)),
        ("images and labels", lambda: _content(study, cases)),
        ("memory", lambda: _memory(training, machine, jobs)),
        ("disk", lambda: _disk(study, cases, folds)),
    ]
    made = []
    for name, look in looked:
        try:
            made.append(Check(name, True, look()))
        except CtaError as error:
            made.append(Check(name, False, str(error)))
            if name in ("packages", "device", "build"):
                break
    return made


def _packages() -> str:
    from importlib.metadata import version

    require_training_packages()
    return f"torch {version('torch')}, nnU-Net {version('nnunetv2')}"


def _device(machine: Machine, training: TrainingSection) -> str:
    require_device(machine.device)
    if machine.device != "cuda":
        return machine.device
    import torch

    properties = torch.cuda.get_device_properties(0)
    memory = properties.total_memory / 2**30
    needed = _GPU_GIB[training.planner]
    if memory < needed and not training.patch_size:
        raise CtaError(
            "gpu_memory_too_small", memory=memory, planner=training.planner, needed=needed
        )
    return f"{torch.cuda.device_count()} × {properties.name}, {memory:.0f} GiB"


def _build(study: Study, model: Model, cases: list[BuildCase]) -> str:
    training = [case for case in cases if case.trains]
    if not training:
        raise CtaError("build_missing", setting=model.setting)
    return f"{model.dataset}: {len(training)} training cases"


def _splits(study: Study, model: Model, cases: list[BuildCase]) -> str:
    """Hold splits_final.json against the build: nnU-Net would use whatever is in it."""
    path = study.root / layout.build_splits(model.dataset)
    splits = read_json(path)
    patients = {case.case: case.session.patient for case in cases if case.trains}
    for number, fold in enumerate(splits):
        named = [*fold["train"], *fold["val"]]
        if sorted(named) != sorted(patients):
            raise CtaError(
                "fold_cases_incomplete",
                where="splits_final.json",
                number=number,
                setting=model.setting,
            )
        both = {patients[c] for c in fold["train"]} & {patients[c] for c in fold["val"]}
        if both:
            cohort, subject = min(both)
            raise CtaError(
                "fold_patient_leak",
                where=f"{cohort} sub-{subject}",
                number=number,
                setting=model.setting,
            )
    validated = [case for fold in splits for case in fold["val"]]
    if sorted(validated) != sorted(patients):
        raise CtaError("validation_folds_incomplete", where="splits_final.json")
    sizes = ", ".join(str(len(fold["val"])) for fold in splits)
    return f"{len(splits)} folds of {sizes} validation cases, no patient in two"


def _leaks(cases: list[BuildCase]) -> str:
    problems = leaks(cases)
    if problems:
        raise CtaError("test_patients_in_training", problems=tuple(problems[:MOST_NAMED]))
    tested = {case.session.patient for case in cases if not case.trains}
    return f"none of {len(tested)} test patients trains"


def _content(study: Study, cases: list[BuildCase]) -> str:
    """Compare every image with its label, and look at the labels' values."""
    training = [case for case in cases if case.trains]
    paths = [path for case in training for path in (case.image, case.label)]
    lost = fetch(study.root, paths).failed
    if lost:
        path, why = min(lost.items())
        raise CtaError(
            "training_files_unavailable", where=path, n_lost=len(lost), n_paths=len(paths), why=why
        )
    problems, lesions = [], 0
    for case in training:
        image, label = (study.root / path for path in (case.image, case.label))
        if not same_grid(read_grid(image), read_grid(label)):
            told = describe_grid_difference(read_grid(image), read_grid(label))
            problems.append(f"{case.case}: {told}")
        # A copy: a view would outlive its image.
        values = np.unique(sitk.GetArrayFromImage(read_image(label))).tolist()
        if values != [0, 1]:
            problems.append(f"{case.case}: label values {values} instead of 0 and 1")
        lesions += 1
    if problems:
        more = f" and {len(problems) - MOST_NAMED} more" if problems[MOST_NAMED:] else ""
        raise CtaError(
            "training_cases_invalid",
            n_problems=len(problems),
            problems=tuple(problems[:MOST_NAMED]),
            more=more,
        )
    return f"{lesions} pairs on one grid each, labels of 0 and 1 only, none empty"


def _memory(training: TrainingSection, machine: Machine, jobs: int) -> str:
    available = available_memory_gib()
    small = bool(training.patch_size)
    if machine.device == "cuda" or small or available is None:
        return "unknown" if available is None else f"{available:.0f} GiB are free"
    needed = _CPU_GIB * jobs
    if available < needed:
        raise CtaError("memory_too_small", available=available, jobs=jobs, needed=needed)
    return f"{available:.0f} GiB are free, {needed:.0f} GiB needed"


def available_memory_gib() -> float | None:
    """Return the memory that is free, GiB, or None where the system does not tell."""
    try:
        lines = Path("/proc/meminfo").read_text("ascii").splitlines()
    except OSError:
        return None
    found = next((line for line in lines if line.startswith("MemAvailable")), "")
    return int(found.split()[1]) / 2**20 if found else None


def needed_disk_gib(study: Study, cases: list[BuildCase], folds: int) -> float:
    """Return what preprocessing and training will write, GiB, from the images' shapes."""
    rows = {row.path: row for row in study.tables.rows(ImageRow)}
    voxels = sum(
        float(np.prod(rows[case.image].shape or ()))
        for case in cases
        if case.trains and case.image in rows
    )
    return voxels * BYTES_A_VOXEL / 2**30 + folds * CHECKPOINT_GIB


def _disk(study: Study, cases: list[BuildCase], folds: int) -> str:
    work = study.root / WORK
    free = shutil.disk_usage(work if work.is_dir() else study.root).free / 2**30
    needed = needed_disk_gib(study, cases, folds)
    if free < needed:
        raise CtaError(
            "disk_space_too_small", where=os.path.basename(study.root), free=free, needed=needed
        )
    return f"{free:.1f} GiB are free, about {needed:.1f} GiB needed"
