"""Subgroups of an evaluation in a study: what the tables know of each lesion."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from helpers.table_study import COHORT, make_table_study

from cta_data.reports.lesion_subgroups import DEPTH, StudyLevels
from cta_data.scoring import ARTICLE, find_instances, score_case
from cta_data.scoring.collection import Pairing, Scores
from cta_data.scoring.models import ScoredSet
from cta_data.study.session_id import SessionId
from cta_data.study.tables import ImageRow, MeasuredLesionRow, SessionRow, VariantRow

SESSIONS = [SessionId(COHORT, f"{number:05d}", "1") for number in range(2)]


def scored(root: Path) -> ScoredSet:
    """Two cases with one lesion each, 3 voxels of 20 mm³; of the first the label is known."""
    mask = np.zeros((3, 3, 9), np.uint8)
    mask[1, 1, 2:5] = 1
    found = find_instances(mask, ARTICLE)
    affine = np.diag([2.0, 2.0, 5.0, 1.0])
    cases = tuple(
        score_case(found, found, ARTICLE, affine=affine, case=one.case, lesion_ids=ids)
        for one, ids in zip(SESSIONS, ([(4, 7)], ()), strict=True)
    )
    labels = {SESSIONS[0].case: root / "first_labels.nii.gz"}
    patients = {one.case: (one.cohort, one.subject, one.session) for one in SESSIONS}
    scores = Scores(ARTICLE, None, cases, (), Pairing({}, lesion_labels=labels))
    return ScoredSet("EXT", "A", scores, "MPRAGE", patients=patients)


def test_levels_come_from_the_tables(tmp_path: Path) -> None:
    """Of patient, image and lesion; an upper limit is in the next class; unknown ones are absent.

    An instance of two lesions has the depth of the shallower one.
    """
    study = make_table_study(tmp_path / "study", 2)
    first = SESSIONS[0]
    study.tables.upsert(
        [SessionRow(session=first, sex="female", age_years=60.0, primary_tumour="lung")]
    )
    image = {"technique": "MPRAGE", "contrast_phase": "post", "modality": "MR", "path": "x"}
    scanner = {"manufacturer": "Siemens", "model": "Skyra", "field_strength_t": 3.0}
    study.tables.upsert(
        [ImageRow(session=first, description="", spacing_mm=(1, 1, 1), **image, **scanner)]
    )
    variant = {"annotation": "NAQ", "quality": "NAQ", "grid": "MPRAGE"}
    paths = {"labels_path": "first_labels.nii.gz", "mask_path": "m", "account_path": "a"}
    study.tables.upsert([VariantRow(session=first, **variant, **paths)])
    measured = [
        MeasuredLesionRow(session=first, **variant, lesion_id=number, brain_depth_mm=depth)
        for number, depth in ((4, 12.0), (7, 3.0))
    ]
    study.tables.upsert(measured)
    found = StudyLevels(study).of([scored(study.root)])["A"]
    of_patient = {
        "test set": "EXT",
        "cohort": COHORT,
        "sex": "female",
        "age (years)": "60–70",
        "primary tumour": "lung",
        "scanner": "Siemens Skyra",
        "field strength (T)": "3",
        "voxel volume (mm³)": "0.9–1.2",
    }
    assert found.cases["EXT", first.case] == of_patient
    of_lesion = {"lesion volume (cm³)": "0.05–0.1", DEPTH: "0–5"}
    assert found.lesions["EXT", first.case, 1] == of_patient | of_lesion
    assert set(found.cases["EXT", SESSIONS[1].case]) == {"test set", "cohort"}
    other = found.lesions["EXT", SESSIONS[1].case, 1]
    assert set(other) == {"test set", "cohort", "lesion volume (cm³)"}


def test_without_a_study_masks_tell_little(tmp_path: Path) -> None:
    """Test set and volume of the lesion; no variable is named of which nothing can be known."""
    known = StudyLevels(None)
    levels = known.of([scored(tmp_path)])["A"]
    assert set(levels.lesions["EXT", SESSIONS[0].case, 1]) == {*known.variables, "cohort"}
