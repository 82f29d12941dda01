"""Paths of a study are made in one place, and each file has its own."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import cta_data
from cta_data.study import layout
from cta_data.study.artefacts import ARTEFACTS, Artefact
from cta_data.study.session_id import SessionId

HOUSE = Path(cta_data.__file__).parent
ROOMS = ("study", "engine", "intake", "pipeline", "training", "review")
TOPS = "datasets|builds|models|manifests|evaluation"
MADE = re.compile(rf'f"(?:{TOPS})/|/derivatives/cta/\{{|/fold_\{{')
ONE, OTHER = SessionId("internal", "001", "1"), SessionId("internal", "001", "2")


@pytest.mark.parametrize("room", ROOMS)
def test_no_other_file_makes_a_path_of_a_study(room: str) -> None:
    """Whoever needs a path asks the layout, so that a name is changed in one place."""
    found = {
        path.relative_to(HOUSE).as_posix(): line.strip()
        for path in sorted((HOUSE / room).rglob("*.py"))
        for line in path.read_text("utf-8").splitlines()
        if MADE.search(line) and path.name != "layout.py"
    }
    assert {name: line for name, line in found.items() if name not in MESSAGES} == {}


MESSAGES = ("study/tables/store.py", "review/pictures.py")
"""They name a table to people, or for git's history."""


@pytest.mark.parametrize("one", ARTEFACTS, ids=lambda one: one.path.__name__)
def test_what_a_step_makes_is_described(one: Artefact) -> None:
    """The page of files says of each what it holds and which step makes it."""
    assert one.content and one.step


GRIDS = ("SPACE", "MPRAGE")


def test_files_of_two_sessions_differ() -> None:
    """Also where a subject has several sessions."""
    for path in (layout.contours, layout.drawn_labels, layout.drawn_names):
        made = {path(s, g, a) for s in (ONE, OTHER) for g in GRIDS for a in ("HAQ", "HAQR1")}
        assert len(made) == 8
    for path in (layout.variant_labels, layout.variant_mask, layout.transfer_account):
        assert len({path(s, g, "HAQ") for s in (ONE, OTHER) for g in GRIDS}) == 4


def test_the_names_of_labels_lie_beside_them() -> None:
    """As a sidecar does: `.json` in place of `.nii.gz`."""
    labels, names = (
        layout.drawn_labels(ONE, "SPACE", "HAQ"),
        layout.drawn_names(ONE, "SPACE", "HAQ"),
    )
    assert names == labels.replace(".nii.gz", ".json")


@pytest.mark.parametrize("name", ["sub-001_ses-1_acq-mprage_T1w.nii.gz", "sub-001_ses-1_ct.nii.gz"])
def test_a_brain_is_named_after_its_image(name: str) -> None:
    """It lies in the derivatives, under the image's own name with `desc-brain`."""
    image = f"datasets/internal/sub-001/ses-1/anat/{name}"
    brain = layout.brain_image(ONE, image)
    assert brain.startswith("datasets/internal/derivatives/cta/sub-001/ses-1/")
    assert brain.replace("_desc-brain", "").endswith(f"/{name}")


def test_folds_are_numbers_and_not_letters() -> None:
    """A tenth fold is one of its own."""
    folder = layout.cross_validation_folder("models/x", [10, 2, 1])
    assert folder == "models/x/crossval_results_folds_1_2_10"
