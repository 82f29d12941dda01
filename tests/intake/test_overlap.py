"""One patient in two cohorts: told when it is added, by doctor, and before anything is trained."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from helpers.command_line import run_cta
from helpers.new_study import new_study
from helpers.refusals import has_reason

from cta_data.engine import Blocked, Selection
from cta_data.errors import ConfigurationError
from cta_data.intake.overlap import (
    IDENTIFIER,
    IDENTITY,
    IMAGE,
    SharedPatient,
    in_training,
    shared_patients,
)
from cta_data.pipeline.build import build_step
from cta_data.study.study import Study

pytestmark = pytest.mark.slow

CARD = """
[cohort]
name = "{name}"
title = "A cohort with identifiers of BraTS-METS"
licence = "CC0-1.0"
access = "public"
how_to_get = "It is on this disk."
partition = "{partition}"

[subjects]
pattern = 'BraTS-MET-(?P<id>\\d{{5}})'
source_id = "BraTS-MET-{{id}}"
label = "{name}{{id}}"

[geometry]
coregistered = true
skull_stripped = true

[[files]]
path = '(?P<subject>BraTS-MET-\\d{{5}})/t1\\.nii\\.gz$'
role = "image"
technique = "MPRAGE"
phase = "post"

[[files]]
path = '(?P<subject>BraTS-MET-\\d{{5}})/seg\\.nii\\.gz$'
role = "mask"

[masks]
lesion_values = [1]

[groups.HAQ]
drawn_on = "MPRAGE"
"""


def write(folder: Path, numbers: range) -> Path:
    """Tiny skull-stripped images with one lesion each."""
    voxels = np.zeros((16, 16, 16), np.int16)
    voxels[3:13, 3:13, 3:13] = 100
    mask = np.zeros(voxels.shape, np.uint8)
    mask[6:9, 6:9, 6:9] = 1
    for number in numbers:
        place = folder / f"BraTS-MET-{number:05d}"
        place.mkdir(parents=True)
        for name, array in (("t1", voxels + number * (voxels > 0)), ("seg", mask)):
            image = nib.Nifti1Image(array.astype(np.int16), np.eye(4))
            nib.save(image, place / f"{name}.nii.gz")
    return folder


def store_anew(source: Path, target: Path) -> None:
    """The same voxels as float32, stored from left to right."""
    image = nib.Nifti1Image.from_filename(source)
    voxels = np.asarray(image.dataobj)[::-1].astype(np.float32)
    affine = image.affine @ np.diag([-1, 1, 1, 1])
    affine[0, 3] += image.affine[0, 0] * (len(voxels) - 1)
    nib.save(nib.Nifti1Image(voxels, affine), target)


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> tuple[Study, str]:
    """A trial of four and an external cohort.

    Two of its patients have the same identifier, and one has an image of the trial in other bytes.
    """
    work = tmp_path_factory.mktemp("overlap")
    new_study(work / "study")
    toml = (work / "study/study.toml").read_text("utf-8")
    (work / "study/study.toml").write_text(toml.replace("folds = 5", "folds = 2"), "utf-8")
    told = ""
    for name, partition, numbers in (
        ("own", "trial", range(1, 5)),
        ("other", "external", range(3, 7)),
    ):
        card = work / f"{name}.toml"
        card.write_text(CARD.format(name=name, partition=partition), encoding="utf-8")
        raw = write(work / name, numbers)
        if name == "other":
            for file in ("t1", "seg"):
                store_anew(
                    work / f"own/BraTS-MET-00001/{file}.nii.gz",
                    raw / f"BraTS-MET-00006/{file}.nii.gz",
                )
        outcome = run_cta("add", name, raw, "--card", card, study=work / "study")
        assert outcome.code == 0
        told = outcome.text
    for step in ("convert", "register", "transfer", "strip", "measure"):
        assert run_cta(step, study=work / "study").code == 0
    return Study(work / "study"), told


@pytest.mark.thorough
def test_adding_tells_who_is_there_already(study: tuple[Study, str]) -> None:
    """The note names the labels in both cohorts, and no identifier."""
    _, told = study
    assert "2 patients are another subject of the study as well" in told
    assert "other sub-other00003 and own sub-own00003 (same identifier, same image)" in told
    assert "BraTS-MET-00003" not in told


def test_shared_patients_are_found(study: tuple[Study, str]) -> None:
    """Those whose identifier is in both cohorts, and who has the same voxels in another file."""
    found = shared_patients(study[0])
    assert {one.labels: one.evidence for one in found} == {
        (("other", "other00003"), ("own", "own00003")): (IDENTIFIER, IMAGE),
        (("other", "other00004"), ("own", "own00004")): (IDENTIFIER, IMAGE),
        (("other", "other00006"), ("own", "own00001")): (IMAGE,),
    }
    assert in_training(found, {("own", "own00001"), ("own", "own00004")}) == found[1:]
    twice = SharedPatient((("a", "1"), ("b", "1")), (IDENTITY,))
    assert in_training([twice], {("c", "1")}) == []
    assert in_training([twice], {("a", "1")}) == [twice]
    assert in_training([twice], {("a", "1")}, [("b", "1")]) == []


def test_nothing_is_trained_on_a_test_patient(study: tuple[Study, str]) -> None:
    """The build is blocked with labels and what to do; accepting it is a decision of the study."""
    opened = study[0]
    [unit] = build_step(opened, "B").plan(opened, Selection())
    assert isinstance(unit, Blocked)
    assert unit.reason.code == "training_patients_shared"
    toml = opened.root / "study.toml"
    before = toml.read_text("utf-8")
    toml.write_text(before.replace("[build]", '[build]\nshared_patients = "accept"'), "utf-8")
    try:
        accepted = Study(opened.root)
        [unit] = build_step(accepted, "B").plan(accepted, Selection())
        assert not isinstance(unit, Blocked)
    finally:
        toml.write_text(before, "utf-8")


def test_different_persons_are_the_users_word(study: tuple[Study, str]) -> None:
    """Pairs that study.toml names are left alone, the others are not."""
    toml = study[0].root / "study.toml"
    before = toml.read_text("utf-8")
    stated = """
[[different_persons]]
subjects = ["own/own00001", "other/other00006"]
reason = "two readings of one test image"
"""
    toml.write_text(before + stated, "utf-8")
    try:
        found = shared_patients(Study(study[0].root))
        assert {one.evidence for one in found} == {(IDENTIFIER, IMAGE)}
        toml.write_text(before + stated.replace("own/own00001", "own00001"), "utf-8")
        with pytest.raises(ConfigurationError, check=has_reason("settings_invalid")):
            shared_patients(Study(study[0].root))
    finally:
        toml.write_text(before, "utf-8")


def test_doctor_warns(study: tuple[Study, str]) -> None:
    """Whoever looks at the study is told without asking for a build."""
    outcome = run_cta("doctor", study=study[0].root)
    assert "patients who are two subjects: 3" in outcome.text
