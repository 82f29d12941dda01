"""A training set that nnU-Net takes as it is: images and labels by reference, all checked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk

from cta_data.engine import Outcome, Unit, Workspace
from cta_data.errors import DataRefused
from cta_data.files import json_text
from cta_data.formats.nifti.geometry import grid_of_itk
from cta_data.formats.nifti.image import read_image
from cta_data.formats.voxel_values import count_not_finite
from cta_data.imaging.geometry.grid import describe_grid_difference, same_grid
from cta_data.imaging.lesions.plausibility import alike_labels, share_without_image
from cta_data.versioning.software import software_versions

READER = "NibabelIOWithReorient"
"""nnU-Net's reader that turns images to RAS, and masks back: its others ignore orientation."""
REACH = "../../"
"""From a training set to the top of the study."""


def run(unit: Unit, workspace: Workspace) -> Outcome:
    """Check every case and write dataset.json, splits_final.json and build.json.

    A case that cannot be used is left out with a warning: an image and its label differ in their
    grid, a label is empty or holds other values than 0 and 1. It costs no other case.

    Raises
    ------
    DataRefused
        A patient is in two partitions or folds, or what is left fills no training set. The message
        lists the cases.
    """
    problems = leaks(unit.parameters["cases"])
    cases, warnings = [], []
    for case in unit.parameters["cases"]:
        found = _check_case(case, workspace)
        warnings += [f"left out: {problem}" for problem in found]
        cases += [] if found else [case]
    problems += _too_few(unit, cases, warnings)
    warnings += _alike(unit)
    if problems:
        number = "1 problem stops" if len(problems) == 1 else f"{len(problems)} problems stop"
        raise DataRefused(
            f"{number} the build: {'; '.join(problems)}",
            where=unit.parameters["folder"],
            next_step="Correct them, or exclude their subjects",
        )
    folder = unit.parameters["folder"]
    for name, content in (
        ("dataset.json", _dataset(unit, cases)),
        ("splits_final.json", _splits(cases, unit.parameters["partition"]["folds"])),
        ("build.json", _provenance(unit, cases)),
    ):
        text = json_text(content, sorted_keys=name != "dataset.json", escaped=True)
        workspace.write(f"{folder}/{name}").write_text(text, encoding="utf-8")
    return Outcome(tables={"splits": _split_rows(unit, cases)}, warnings=warnings)


def _too_few(unit: Unit, cases: list[dict[str, Any]], warnings: list[str]) -> list[str]:
    """Return why the cases that are left fill no training set, or nothing."""
    folds = range(unit.parameters["partition"]["folds"])
    filled = {case["fold"] for case in cases if case["partition"] == "train"}
    empty = [str(fold) for fold in folds if fold not in filled]
    if not warnings or not empty:
        return []
    return [f"fold {' and '.join(empty)} would have no case", *warnings]


def leaks(cases: list[dict[str, Any]]) -> list[str]:
    """Return patients who are in two partitions, or validate in two folds."""
    places: dict[tuple[str, str], set[tuple]] = {}
    for case in cases:
        patient = (case["cohort"], case["subject"])
        places.setdefault(patient, set()).add((case["partition"], case["fold"]))
    return [
        f"{cohort} sub-{subject}: one patient in several partitions or folds {sorted(found)}"
        for (cohort, subject), found in sorted(places.items())
        if len(found) > 1
    ]


def _check_case(case: dict[str, Any], workspace: Workspace) -> list[str]:
    try:
        image = _as_nnunet_reads(workspace.read(case["image"]))
        label = _as_nnunet_reads(workspace.read(case["label"]))
    except DataRefused as error:
        return [f"{case['case']}: {error}"]
    problems = []
    unusable = count_not_finite(sitk.GetArrayViewFromImage(image))
    if unusable:
        problems.append(f"{case['case']}: {unusable} voxels of the image are NaN or infinite")
    if not same_grid(image, label):
        problems.append(f"{case['case']}: {describe_grid_difference(image, label)}")
    values = set(np.unique(sitk.GetArrayViewFromImage(label)).tolist())
    if not values <= {0, 1}:
        problems.append(f"{case['case']}: label values {sorted(values)}, only 0 and 1 may be there")
    elif 1 not in values:
        problems.append(f"{case['case']}: the label is empty")
    elif 0 not in values:
        problems.append(f"{case['case']}: the label has no background")
    if not problems and share_without_image(label, image) == 1:
        problems.append(f"{case['case']}: the image is 0 wherever the label is")
    return problems


def _alike(unit: Unit) -> list[str]:
    """Return whose labels are the same though their images differ."""
    keys = {entry.path: entry.key for entry in unit.inputs}
    return alike_labels(
        [
            (c["case"], f"{c['cohort']}/{c['subject']}", keys[c["image"]], keys[c["label"]])
            for c in unit.parameters["cases"]
        ]
    )


def _as_nnunet_reads(path: Path) -> sitk.Image:
    """Read an image; refuse it where nnU-Net's reader would put its voxels elsewhere."""
    image, seen = read_image(path), grid_of_itk(path)
    if not same_grid(image, seen):
        raise DataRefused(
            "nnU-Net's reader sees another grid than the study's tables",
            where=path.name,
            why=describe_grid_difference(seen, image),
            next_step="Convert the session again (`--recompute`)",
        )
    return image


def _dataset(unit: Unit, cases: list[dict[str, Any]]) -> dict[str, Any]:
    training = [case for case in cases if case["partition"] == "train"]
    return {
        "name": unit.parameters["folder"].split("/")[-1],
        "description": f"Cross-technique annotation, setting {unit.parameters['setting']}",
        "channel_names": {"0": unit.parameters["definition"]["technique"]},
        "labels": {"background": 0, "metastasis": 1},
        "numTraining": len(training),
        "file_ending": ".nii.gz",
        "overwrite_image_reader_writer": READER,
        "dataset": {
            case["case"]: {"images": [REACH + case["image"]], "label": REACH + case["label"]}
            for case in training
        },
    }


def _splits(cases: list[dict[str, Any]], folds: int) -> list[dict[str, list[str]]]:
    training = [case for case in cases if case["partition"] == "train"]
    return [
        {
            "train": [case["case"] for case in training if case["fold"] != fold],
            "val": [case["case"] for case in training if case["fold"] == fold],
        }
        for fold in range(folds)
    ]


def _provenance(unit: Unit, cases: list[dict[str, Any]]) -> dict[str, Any]:
    keys = {entry.path: entry.key for entry in unit.inputs}
    return {
        "setting": unit.parameters["setting"],
        "definition": unit.parameters["definition"],
        "partition": unit.parameters["partition"],
        "unit_key": unit.key,
        "step_version": unit.version,
        "software": software_versions(),
        "cases": [
            case | {"image_key": keys[case["image"]], "label_key": keys[case["label"]]}
            for case in cases
        ],
    }


def _split_rows(unit: Unit, cases: list[dict[str, Any]]) -> list[dict[str, Any]]:
    patients = {(c["cohort"], c["subject"]): c for c in cases}
    return [
        {
            "setting": unit.parameters["setting"],
            "cohort": case["cohort"],
            "subject": case["subject"],
            "partition": case["partition"],
            "fold": case["fold"],
            "seed": unit.parameters["partition"]["seed"],
        }
        for case in patients.values()
    ]
