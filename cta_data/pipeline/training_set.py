"""A training set that nnU-Net takes as it is: images and labels by reference, all checked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk

from cta_data.engine import Outcome, Unit, Workspace
from cta_data.errors import DataRefused
from cta_data.formats.nifti.geometry import grid_of_itk
from cta_data.formats.nifti.image import read_image
from cta_data.formats.voxel_values import count_not_finite
from cta_data.imaging.geometry.grid import describe_grid_difference, same_grid
from cta_data.imaging.lesions.plausibility import alike_labels, share_without_image
from cta_data.pipeline.build import BuildInputs
from cta_data.study import layout
from cta_data.study.build_case import BuildCase
from cta_data.study.tables import SplitRow
from cta_data.versioning.software import software_versions

READER = "NibabelIOWithReorient"
"""nnU-Net's reader that turns images to RAS, and masks back: its others ignore orientation."""
REACH = "../../"
"""From a training set to the top of the study."""


def run(unit: Unit[BuildInputs], workspace: Workspace) -> Outcome:
    """Check every case and write dataset.json, splits_final.json and build.json.

    A case that cannot be used is left out with a warning: an image and its label differ in their
    grid, a label is empty or holds other values than 0 and 1. It costs no other case.

    Raises
    ------
    DataRefused
        A patient is in two partitions or folds, or what is left fills no training set. The message
        lists the cases.
    """
    planned = cases_of(unit)
    problems = leaks(planned)
    cases, warnings = [], []
    for case in planned:
        found = _check_case(case, workspace)
        warnings += [f"left out: {problem}" for problem in found]
        cases += [] if found else [case]
    problems += _too_few(unit, cases, warnings)
    warnings += _alike(unit)
    if problems:
        number = "1 problem stops" if len(problems) == 1 else f"{len(problems)} problems stop"
        raise DataRefused(
            "training_cases_refused",
            where=unit.given.folder,
            number=number,
            problems=tuple(problems),
        )
    dataset = unit.given.folder.rpartition("/")[2]
    folds = unit.given.partition["folds"]
    # nnU-Net's own file keeps the order that nnU-Net gives it.
    described = _dataset(unit, cases)
    workspace.write_json(layout.build_dataset(dataset), described, indent=2, sorted_keys=False)
    workspace.write_json(layout.build_splits(dataset), _splits(cases, folds), indent=2)
    workspace.write_json(layout.build_record(dataset), _provenance(unit, cases), indent=2)
    return Outcome(rows=[*_split_rows(unit, cases)], notes=_left_out(unit), warnings=warnings)


def _left_out(unit: Unit[BuildInputs]) -> list[str]:
    """Return whom the setting's choice of patients leaves out."""
    who = unit.given.left_out or ()
    return [f"left out by its choice of patients: {', '.join(who)}"] if who else []


def cases_of(unit: Unit[BuildInputs]) -> list[BuildCase]:
    """Return the cases that a unit of a build is about."""
    return [BuildCase.of(content) for content in unit.given.cases]


def _too_few(unit: Unit[BuildInputs], cases: list[BuildCase], warnings: list[str]) -> list[str]:
    """Return why the cases that are left fill no training set, or nothing."""
    folds = range(unit.given.partition["folds"])
    filled = {case.fold for case in cases if case.trains}
    empty = [str(fold) for fold in folds if fold not in filled]
    if not warnings or not empty:
        return []
    return [f"fold {' and '.join(empty)} would have no case", *warnings]


def leaks(cases: list[BuildCase]) -> list[str]:
    """Return patients who are in two partitions, or validate in two folds."""
    places: dict[tuple[str, str], set[tuple]] = {}
    for case in cases:
        places.setdefault(case.session.patient, set()).add((case.partition, case.fold))
    return [
        f"{cohort} sub-{subject}: one patient in several partitions or folds {sorted(found)}"
        for (cohort, subject), found in sorted(places.items())
        if len(found) > 1
    ]


def _check_case(case: BuildCase, workspace: Workspace) -> list[str]:
    try:
        image = _as_nnunet_reads(workspace.read(case.image))
        label = _as_nnunet_reads(workspace.read(case.label))
    except DataRefused as error:
        return [f"{case.case}: {error}"]
    problems = []
    unusable = count_not_finite(sitk.GetArrayViewFromImage(image))
    if unusable:
        problems.append(f"{case.case}: {unusable} voxels of the image are NaN or infinite")
    if not same_grid(image, label):
        problems.append(f"{case.case}: {describe_grid_difference(image, label)}")
    values = set(np.unique(sitk.GetArrayViewFromImage(label)).tolist())
    if not values <= {0, 1}:
        problems.append(f"{case.case}: label values {sorted(values)}, only 0 and 1 may be there")
    elif 1 not in values:
        problems.append(f"{case.case}: the label is empty")
    elif 0 not in values:
        problems.append(f"{case.case}: the label has no background")
    if not problems and share_without_image(label, image) == 1:
        problems.append(f"{case.case}: the image is 0 wherever the label is")
    return problems


def _alike(unit: Unit[BuildInputs]) -> list[str]:
    """Return whose labels are the same though their images differ."""
    keys = unit.keys
    return alike_labels(
        [
            (one.case, "/".join(one.session.patient), keys[one.image], keys[one.label])
            for one in cases_of(unit)
        ]
    )


def _as_nnunet_reads(path: Path) -> sitk.Image:
    """Read an image; refuse it where nnU-Net's reader would put its voxels elsewhere."""
    image, seen = read_image(path), grid_of_itk(path)
    if not same_grid(image, seen):
        raise DataRefused(
            "nnunet_grid_differs", where=path.name, difference=describe_grid_difference(seen, image)
        )
    return image


def _dataset(unit: Unit[BuildInputs], cases: list[BuildCase]) -> dict[str, Any]:
    training = [case for case in cases if case.trains]
    return {
        "name": unit.given.folder.split("/")[-1],
        "description": f"Cross-technique annotation, setting {unit.given.setting}",
        "channel_names": {"0": unit.given.definition["technique"]},
        "labels": {"background": 0, "metastasis": 1},
        "numTraining": len(training),
        "file_ending": ".nii.gz",
        "overwrite_image_reader_writer": READER,
        "dataset": {
            case.case: {"images": [REACH + case.image], "label": REACH + case.label}
            for case in training
        },
    }


def _splits(cases: list[BuildCase], folds: int) -> list[dict[str, list[str]]]:
    training = [case for case in cases if case.trains]
    return [
        {
            "train": [case.case for case in training if case.fold != fold],
            "val": [case.case for case in training if case.fold == fold],
        }
        for fold in range(folds)
    ]


def _provenance(unit: Unit[BuildInputs], cases: list[BuildCase]) -> dict[str, Any]:
    keys = unit.keys
    return {
        "setting": unit.given.setting,
        "definition": unit.given.definition,
        "partition": unit.given.partition,
        "unit_key": unit.key,
        "step_version": unit.version,
        "software": software_versions(),
        "left_out": list(unit.given.left_out or ()),
        "cases": [
            case.as_dict() | {"image_key": keys[case.image], "label_key": keys[case.label]}
            for case in cases
        ],
    }


def _split_rows(unit: Unit[BuildInputs], cases: list[BuildCase]) -> list[SplitRow]:
    patients = {case.session.patient: case for case in cases}
    return [
        SplitRow(
            setting=unit.given.setting,
            cohort=case.session.cohort,
            subject=case.session.subject,
            partition=case.partition,
            fold=case.fold,
            seed=unit.given.partition["seed"],
        )
        for case in patients.values()
    ]
