"""Contrast phases are images of their own: labels land where the lesions are on each of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk
from helpers.referenced_objects import move_series, refer_to
from helpers.trial_study import SIZES, make_study
from helpers.typed_rows import typed

from cta_data.cohorts import shipped_card_text
from cta_data.cohorts.card import Card
from cta_data.engine import RunOptions
from cta_data.phantom import DigitalPatient, generate_patient
from cta_data.phantom.trial import write_patient
from cta_data.pipeline.runner import SUBJECT_STEPS, execute
from cta_data.review.picture_content import SessionFiles
from cta_data.review.pictures_page import PASSED, UNANNOTATED
from cta_data.study.phases import phase_order, phase_rank, space_of
from cta_data.study.session_id import SessionId
from cta_data.study.study import Study
from cta_data.study.tables import ImageRow, TransformRow, VariantRow
from cta_data.validation import parse_toml

SEED = 3  # SPACE shares the frame of MPRAGE, and there is no registration object
SHIFT_MM = 10.0
PHASES = ("early", "late")


def middle_of(labels: sitk.Image) -> np.ndarray:
    """The middle of all lesion voxels (LPS, mm)."""
    voxels = np.argwhere(sitk.GetArrayViewFromImage(labels) > 0)[:, ::-1]
    points = [labels.TransformContinuousIndexToPhysicalPoint(v) for v in voxels.tolist()]
    return np.mean(points, axis=0)


def transferred(
    folder: Path, raw: Path, patient: DigitalPatient, *, moved_mm: float
) -> tuple[Study, np.ndarray]:
    """A study of contours on the early phase, and how far labels on the late one are off (mm)."""
    study = make_study(folder, raw)
    steps = [step for step in SUBJECT_STEPS if step.name in ("convert", "register", "transfer")]
    execute(study, steps, RunOptions(command=("cta-data", "transfer")))
    study = Study(study.root)
    [row] = study.table("variants").query("grid == 'MPRAGE'").to_dict("records")
    labels = sitk.ReadImage(str(study.root / row["labels_path"]))
    assert row["n_arrived"] == row["n_drawn"] > 0
    truth = middle_of(patient.lesion_labels["MPRAGE"]) + np.array([moved_mm, 0, 0])
    return study, middle_of(labels) - truth


@pytest.mark.slow
@pytest.mark.thorough
def test_labels_follow_a_phase_that_lies_elsewhere(tmp_path: Path) -> None:
    """The two phases are registered to each other, though the technique is one.

    A reader's outlines are off by a millimetre anyway; the labels of phases in one frame of
    reference say by how much.
    """
    of_both: dict[str, Any] = {"quality": "NAQ", "voxel_sizes": SIZES, "phases": PHASES}
    patient = generate_patient(SEED, **of_both)
    written = write_patient(tmp_path, seed=SEED, **of_both)
    early = written.series["MPRAGE-early"]
    refer_to(written.structure_set, early, patient.between("CT", "MPRAGE").matrix())
    raw = written.raw.parent
    still, usual = transferred(tmp_path / "still", raw, patient, moved_mm=0)
    rows = {row["moving"]: row for row in still.transforms().to_dict("records")}
    assert rows["MPRAGEEarly"]["source"] == "identity" and rows["MPRAGEEarly"]["accepted"]
    move_series(written.series["MPRAGE-late"], (SHIFT_MM, 0, 0), "late")
    study, off = transferred(tmp_path / "moved", raw, patient, moved_mm=SHIFT_MM)
    rows = {row["moving"]: row for row in study.transforms().to_dict("records")}
    assert rows["MPRAGEEarly"]["source"] == "computed" and rows["MPRAGEEarly"]["accepted"]
    assert np.linalg.norm(off - usual) < 1.0


def card_with(post: list[str]) -> Card:
    """The shipped card of the internal cohort with other names of its phases."""
    named = ", ".join(f'"{name}"' for name in post)
    text = shipped_card_text("internal").replace('post = ["early", "late"]', f"post = [{named}]")
    return parse_toml(text, Card, where="card")


@pytest.mark.parametrize("post", [["early", "late"], ["2min", "10min"], ["first", "early", "last"]])
def test_the_latest_phase_is_worked_on_whatever_it_is_called(post: list[str]) -> None:
    """The order of a card's own names is that of its rule; an image before contrast is the last."""
    card = card_with(post)
    order = phase_order(card, "MPRAGE")
    phases = ["none", *post]
    assert sorted(phases, key=lambda p: phase_rank(p, order), reverse=True) == phases
    assert space_of("MPRAGE", post[-1], phases, order) == "MPRAGE"
    assert space_of("MPRAGE", "none", phases, order) == "MPRAGENone"


@pytest.mark.parametrize("accepted", [False, True])
def test_pictures_show_a_phase_that_an_annotation_lies_on(accepted: bool) -> None:
    """Labels rest on its registration, which a person has to be able to look at.

    Before there is an annotation, every registration is shown.
    """
    session = SessionId("internal", "1", "1")
    own = session.columns()
    shown = {"contrast_phase": "late", "description": ""}
    images = {
        space: typed(ImageRow, own | shown | {"technique": space.removesuffix("Early")})
        for space in ("MPRAGE", "MPRAGEEarly", "SPACE", "CT")
    }
    transforms = tuple(
        typed(
            TransformRow,
            own
            | {"fixed": "MPRAGE", "moving": space}
            | {"accepted": accepted or space != "MPRAGEEarly"},
        )
        for space in ("MPRAGEEarly", "SPACE", "CT")
    )
    variants = tuple(
        typed(VariantRow, own | {"annotation": "NAQ", "quality": "NAQ", "grid": grid})
        for grid in ("MPRAGE", "SPACE")
    )
    about = (session, "MPRAGE", images, {}, transforms)
    files = SessionFiles(*about, variants, {}, {}, PASSED, ())
    assert files.moving == ["MPRAGEEarly", "SPACE"]
    before = SessionFiles(*about, (), {}, {}, UNANNOTATED, ())
    assert before.moving == ["CT", "MPRAGEEarly", "SPACE"]
