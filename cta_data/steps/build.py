"""Build: a training set that nnU-Net takes as it is, images and labels by reference."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk

from cta_data.configuration import Setting
from cta_data.engine import Blocked, Outcome, Selection, Step, Unit, UnitId, Workspace
from cta_data.engine.log import software_versions
from cta_data.errors import ConfigurationError, DataRefused
from cta_data.formats.nifti import (
    describe_grid_difference,
    read_image,
    same_grid,
)
from cta_data.formats.nifti_geometry import grid_of_itk
from cta_data.formats.voxel_values import count_not_finite
from cta_data.steps.accounting import (
    not_evaluated,
    partition_options,
    require_build_cohorts,
    study_partition,
)
from cta_data.steps.overlap import in_training, rejected_subjects, shared_patients
from cta_data.steps.partition import Assignment
from cta_data.steps.sessions import Upstream, make_unit, setting_image
from cta_data.study import Study

VERSION = 2
MOST_NAMED = 5
READER = "NibabelIOWithReorient"
"""nnU-Net's reader that turns images to RAS, and masks back: its others ignore orientation."""
REACH = "../../"
"""From a training set to the top of the study."""


def build_step(study: Study, name: str, technique: str = "") -> Step:
    """Return the step that builds one setting.

    Parameters
    ----------
    technique
        Train on images of this technique instead of the setting's own.

    Raises
    ------
    ConfigurationError
        The study has no such setting.
    NotAvailable
        A cohort whose patients are partitioned is not available here.
    """
    require_build_cohorts(study)
    settings = study.configuration.build.settings
    if name not in settings:
        raise ConfigurationError(
            f"there is no setting {name!r}",
            why=f"the study has {', '.join(sorted(settings))}",
            next_step=f"Add [build.settings.{name}] to study.toml",
        )
    setting = settings[name]
    if technique and technique != setting.technique:
        _require_known(study, technique)
        number = _number_on(study, setting, technique)
        changes = {"technique": technique, "grid": "", "dataset_id": number}
        setting = setting.model_copy(update=changes)
        name = f"{name}on{technique}"
    return Step(f"build_{name}", _planner(name, setting), run, _owner(name))


def _require_known(study: Study, technique: str) -> None:
    """Refuse a technique that nothing in the study is of: it becomes part of names and paths."""
    images = {row["technique"] for row in study.tables.rows("images")}
    known = images | set(study.configuration.transfer.grids)
    if technique not in known:
        raise ConfigurationError(
            f"the study has no images of technique {technique!r}",
            why=f"it has {', '.join(sorted(known))}",
            next_step="Name one of those, or a technique of transfer.grids in study.toml",
        )


def _number_on(study: Study, setting: Setting, technique: str) -> int:
    """Return the dataset number of a setting on another technique: nnU-Net finds sets by number."""
    configuration = study.configuration
    techniques = sorted({*configuration.transfer.grids, technique})
    number = setting.dataset_id + 100 * (1 + techniques.index(technique))
    if any(other.dataset_id == number for other in configuration.build.settings.values()):
        raise ConfigurationError(
            f"dataset number {number} is taken by another setting",
            where="study.toml",
            next_step=f"Add a setting of its own for {technique} under [build.settings]",
        )
    return number


def dataset_folder(name: str, setting: Setting) -> str:
    """Return the path of a training set from the top of the study."""
    return f"builds/Dataset{setting.dataset_id:03d}_CTA{name}"


def _owner(name: str) -> Callable[[UnitId], dict[str, dict[str, Any]]]:
    return lambda unit: {"splits": {"setting": name}}


def _planner(name: str, setting: Setting) -> Callable[[Study, Selection], Iterator[Unit | Blocked]]:
    def plan(study: Study, selection: Selection) -> Iterator[Unit | Blocked]:
        yield _plan_unit(study, name, setting)

    return plan


def _plan_unit(study: Study, name: str, setting: Setting) -> Unit | Blocked:
    unit = UnitId(f"build_{name}")
    cases, missing = _cases(study, setting)
    training = [case for case in cases if case["partition"] == "train"]
    if missing:
        shown = "; ".join(missing[:5]) + (f" and {len(missing) - 5} more" if missing[5:] else "")
        return Blocked(unit, VERSION, f"cases without image or label: {shown}")
    if not training:
        why = (
            f"no training patient with {setting.quality} on the {setting.label_grid} grid is ready"
        )
        return Blocked(unit, VERSION, why)
    twice = _trained_twice(study, training)
    if twice:
        return Blocked(unit, VERSION, twice)
    n_patients = len({(case["cohort"], case["subject"]) for case in training})
    folds = study.configuration.build.folds
    if n_patients < folds:
        why = f"{n_patients} training patients are fewer than {folds} folds (build.folds)"
        return Blocked(unit, VERSION, why)
    paths: dict[str, str] = {}
    for case in cases:
        paths |= {f"image:{case['case']}": case["image"], f"label:{case['case']}": case["label"]}
    parameters = {
        "setting": name,
        "folder": dataset_folder(name, setting),
        "definition": setting.model_dump() | {"grid": setting.label_grid},
        "partition": vars(partition_options(study.configuration.build)),
        "cases": cases,
    }
    return make_unit(study, unit, VERSION, paths, parameters)


def _trained_twice(study: Study, training: list[dict[str, Any]]) -> str:
    """Return which training patients are another subject as well, or an empty text."""
    if study.configuration.build.shared_patients == "accept":
        return ""
    people = {(case["cohort"], case["subject"]) for case in training}
    twice = in_training(shared_patients(study), people, rejected_subjects(study))
    if not twice:
        return ""
    named = "; ".join(str(patient) for patient in twice[:MOST_NAMED])
    more = f" and {len(twice) - MOST_NAMED} more" if twice[MOST_NAMED:] else ""
    number = "1 training patient is" if len(twice) == 1 else f"{len(twice)} training patients are"
    return (
        f"{number} another subject as well: {named}{more}. Use one of the two: leave a cohort out "
        "(build.cohorts), or one subject (`cta-data accept --reject`). If they are different "
        "persons, list them under [[different_persons]] in study.toml; or accept all such "
        '(build.shared_patients = "accept")'
    )


def _cases(study: Study, setting: Setting) -> tuple[list[dict[str, Any]], list[str]]:
    """Return the cases of a setting, and those that lack an image or a label."""
    upstream = Upstream(study, "build")
    stripped = study.configuration.build.skull_stripped
    cases: list[dict[str, Any]] = []
    missing: list[str] = []
    assignments = {
        (a.patient.cohort, a.patient.subject): a
        for a in study_partition(study)
        if a.partition != "excluded" and a.patient.quality == setting.quality
    }
    for unit in upstream.sessions(Selection()):
        assignment = assignments.get((unit.cohort, unit.subject))
        if assignment is None or upstream.blocked_by(unit, "measure"):
            continue
        # Of a patient who is used, sessions that the card leaves out stay out.
        if not_evaluated(study, unit.cohort, unit.session):
            continue
        image = setting_image(upstream, unit, setting, stripped=stripped)
        label = next(
            (
                v["mask_path"]
                for v in upstream.variants(unit)
                if (v["quality"], v["grid"]) == (setting.quality, setting.label_grid)
            ),
            None,
        )
        if image and label:
            cases.append(_case(unit, assignment, image["path"], label))
        else:
            phase = setting.contrast_phase or "after contrast"
            wanted = f"{setting.technique} {phase}"
            lacks = wanted if not image else f"label on {setting.label_grid}"
            missing.append(f"{unit.cohort} sub-{unit.subject} ses-{unit.session} ({lacks})")
    return cases, missing


def _case(unit: UnitId, assignment: Assignment, image: str, label: str) -> dict[str, Any]:
    return {
        "case": f"{unit.cohort}_sub-{unit.subject}_ses-{unit.session}",
        "cohort": unit.cohort,
        "subject": unit.subject,
        "session": unit.session,
        "partition": assignment.partition,
        "fold": assignment.fold,
        "image": image,
        "label": label,
    }


def run(unit: Unit, workspace: Workspace) -> Outcome:
    """Check every case and write dataset.json, splits_final.json and build.json.

    Raises
    ------
    DataRefused
        A patient is in two partitions or folds, an image and its label differ in their grid, a
        label is empty or holds other values than 0 and 1. The message lists the cases.
    """
    cases = list(unit.parameters["cases"])
    problems = leaks(cases)
    for case in cases:
        problems += _check_case(case, workspace)
    if problems:
        number = "1 problem stops" if len(problems) == 1 else f"{len(problems)} problems stop"
        raise DataRefused(
            f"{number} the build: {'; '.join(problems)}",
            where=unit.parameters["folder"],
            next_step="Correct them, or exclude their subjects",
        )
    folder = unit.parameters["folder"]
    for name, content in (
        ("dataset.json", _dataset(unit)),
        ("splits_final.json", _splits(cases, unit.parameters["partition"]["folds"])),
        ("build.json", _provenance(unit)),
    ):
        text = json.dumps(content, indent=2, sort_keys=name != "dataset.json") + "\n"
        workspace.write(f"{folder}/{name}").write_text(text, encoding="utf-8")
    return Outcome(tables={"splits": _split_rows(unit)})


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
    return problems


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


def _dataset(unit: Unit) -> dict[str, Any]:
    training = [case for case in unit.parameters["cases"] if case["partition"] == "train"]
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


def _provenance(unit: Unit) -> dict[str, Any]:
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
            for case in unit.parameters["cases"]
        ],
    }


def _split_rows(unit: Unit) -> list[dict[str, Any]]:
    patients = {(c["cohort"], c["subject"]): c for c in unit.parameters["cases"]}
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
