"""Each check before a training stops on the defect that it is for, and on no other."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk

from cta_data.engine import Report
from cta_data.formats.nifti.image import read_image
from cta_data.imaging.geometry.grid import same_grid
from cta_data.study.configuration import TrainingSection
from cta_data.study.study import Study
from cta_data.training import checks as training_checks
from cta_data.training.checks import check_training
from cta_data.training.evaluation_sets import EvaluationSets, place_references
from cta_data.training.machine import Machine
from cta_data.training.models import model_of

pytestmark = [pytest.mark.slow, pytest.mark.train]
pytest.importorskip("nnunetv2", reason="needs the extra `train`")

SMALL = TrainingSection(patch_size=(16, 16, 16), features=(4, 8, 8))
BUILD = "builds/Dataset502_CTAB"
NAMES = [
    "packages", "device", "build", "splits", "test sets", "images and labels", "memory", "disk",
]  # fmt: skip


@pytest.fixture
def study(built: tuple[Study, Report], tmp_path: Path) -> Study:
    """A copy of the built study that a test may break."""
    shutil.copytree(built[0].root, tmp_path / "study", symlinks=True)
    return Study(tmp_path / "study")


def stopped(
    study: Study, training: TrainingSection = SMALL, machine: Machine | None = None
) -> dict[str, str]:
    """Return the checks that do not pass, with what they found."""
    model = model_of(study, "B", training)
    machine = machine or Machine(device="cpu")
    checks = check_training(study, model, training, machine, folds=2, jobs=1)
    assert [check.name for check in checks] == NAMES[: len(checks)]
    return {check.name: check.found for check in checks if not check.passed}


def change(path: Path, edit: Callable[[Any], None]) -> None:
    content = json.loads(path.read_text("utf-8"))
    edit(content)
    path.unlink()
    path.write_text(json.dumps(content), "utf-8")


def training_case(study: Study) -> dict[str, Any]:
    build = json.loads((study.root / BUILD / "build.json").read_text("utf-8"))
    return dict(next(case for case in build["cases"] if case["partition"] == "train"))


def put(study: Study, path: str, image: sitk.Image) -> None:
    (study.root / path).unlink()
    sitk.WriteImage(image, str(study.root / path))


def test_a_whole_build_passes_all(study: Study) -> None:
    """Eight lines, none of which stops."""
    assert stopped(study) == {}


def test_a_test_patient_among_the_training_cases(study: Study) -> None:
    """The patient is named, whatever wrote that build."""

    def leak(build: dict[str, Any]) -> None:
        tested = next(case for case in build["cases"] if case["partition"] == "test")
        trained = next(case for case in build["cases"] if case["partition"] == "train")
        tested["subject"] = trained["subject"]

    subject = training_case(study)["subject"]
    change(study.root / BUILD / "build.json", leak)
    found = stopped(study)
    assert list(found) == ["test sets"]
    assert f"sub-{subject}" in found["test sets"]


def test_a_patient_in_two_folds(study: Study) -> None:
    """A case that trains and validates in the same fold is not trained with."""

    def twice(splits: list[dict[str, list[str]]]) -> None:
        splits[0]["train"].append(splits[0]["val"][0])

    change(study.root / BUILD / "splits_final.json", twice)
    assert list(stopped(study)) == ["splits"]


def test_a_label_of_another_value(study: Study) -> None:
    """A 2 in a mask is told with its case."""
    case = training_case(study)
    label = sitk.ReadImage(str(study.root / case["label"]))
    put(study, case["label"], label * 2)
    found = stopped(study)
    assert list(found) == ["images and labels"]
    assert case["case"] in found["images and labels"] and "[0, 2]" in found["images and labels"]


def test_a_label_on_another_grid(study: Study) -> None:
    """A shift by a voxel is told with its case."""
    case = training_case(study)
    label = sitk.ReadImage(str(study.root / case["label"]))
    label.SetOrigin([value + 2.5 for value in label.GetOrigin()])
    put(study, case["label"], label)
    found = stopped(study)
    assert list(found) == ["images and labels"] and case["case"] in found["images and labels"]


def test_a_full_disk(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    """Told with what is there and what is needed."""
    little = SimpleNamespace(free=2**20)
    monkeypatch.setattr(training_checks.shutil, "disk_usage", lambda path: little)
    found = stopped(study)
    assert list(found) == ["disk"] and "0.0 GiB of disk are free" in found["disk"]


def test_too_little_memory_for_nnunets_own_plan(
    study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its plan of 128³ voxels on a processor; a small plan is not stopped."""
    monkeypatch.setattr(training_checks, "available_memory_gib", lambda: 3.0)
    assert list(stopped(study, TrainingSection())) == ["memory"]
    assert stopped(study) == {}


def test_no_gpu(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing more is looked at, and it is said what to do."""
    monkeypatch.setattr("cta_data.training.nnunet.environment._has_cuda", lambda: False)
    found = stopped(study, machine=Machine(device="cuda"))
    assert list(found) == ["device"] and "--device cpu" in found["device"]


def test_test_sets_hold_the_test_patients_of_each_quality(study: Study) -> None:
    """By annotation, and none of them trains; models of both techniques are judged on both sets."""
    sets = EvaluationSets(study)
    assert list(sets.by_name) == ["internal-NAQ", "internal-HAQ"]
    splits = study.table("splits")
    trains = set(splits[splits["partition"] == "train"]["subject"])
    qualities = study.subjects().set_index("subject")["qualities"].map(" ".join)
    settings = study.configuration.build.settings
    read = {
        (name, letter): sets.read_by(settings[letter], name)
        for name in sets.by_name
        for letter in "ABCD"
    }
    for (name, letter), one in read.items():
        patients = {case.session.subject for case in one.cases}
        assert patients and not patients & trains
        assert {qualities[subject] for subject in patients} == {name.removeprefix("internal-")}
        technique = "mprage" if letter in "AB" else "space"
        assert all(f"acq-{technique}" in case.image for case in one.cases)
    assert place_references(study, read.values())
    assert place_references(study, read.values()) == []
    for one in read.values():
        for case in one.cases:
            link = study.root / one.references / f"{case.case}.nii.gz"
            assert link.samefile(study.root / case.reference)
            mask = read_image(link)
            assert same_grid(mask, read_image(study.root / case.image))
            assert set(np.unique(sitk.GetArrayFromImage(mask))) == {0, 1}
    # A test set that is no more leaves no reference behind.
    place_references(study, [read["internal-NAQ", "A"]])
    left = sorted(path.name for path in (study.root / "evaluation/references").iterdir())
    assert left == ["internal-NAQ"]
