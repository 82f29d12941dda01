"""Every subject is converted, quarantined or excluded, with a reason; `doctor` sees what is off."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from cta_data.engine import Report, Selection
from cta_data.engine.acceptance import REJECTED
from cta_data.pipeline.accounting import account, exclusions, partition_options, usable_patients
from cta_data.pipeline.doctor import Finding, diagnose
from cta_data.pipeline.partition import partition
from cta_data.reasons import Reason
from cta_data.review.acceptance import ReviewDecision, decide_about
from cta_data.study.study import Study
from cta_data.study.tables import SessionRow, UnitRow
from cta_data.study.unit_id import UnitId

pytestmark = pytest.mark.slow

Built = tuple[Study, Report]


def copy_of(study: Study, folder: Path) -> Study:
    """Copy a study so that a test may change it."""
    shutil.copytree(study.root, folder / "study", symlinks=True)
    return Study(folder / "study")


def levels(findings: list[Finding]) -> dict[str, str]:
    """Return the level of each subject of the findings."""
    return {finding.subject: finding.level for finding in findings}


def test_a_quarantined_subject_keeps_a_row_with_its_reason(built: Built, tmp_path: Path) -> None:
    """A session whose conversion was refused stays in `subjects`, excluded, and says why."""
    study = copy_of(built[0], tmp_path)
    row = study.tables.index(UnitRow, ("step",))[("convert",)][0]
    study.tables.upsert(
        [replace(row, status="impossible", reason="3 slices", reason_code="slices_missing")]
    )
    session = row.id.session
    study.tables.replace(SessionRow, ("subject",), {(session.subject,)}, [])
    account(study)
    excluded = study.tables.by_key(SessionRow)[session]
    assert excluded.partition == "excluded"
    assert (excluded.exclusion_step, excluded.exclusion_code) == ("convert", "slices_missing")
    assert "3 slices" in (excluded.exclusion_reason or "")
    assert len(study.tables.rows(SessionRow)) == len(built[0].subjects())


def test_the_first_step_that_stopped_gives_the_reason(built: Built, tmp_path: Path) -> None:
    """Later steps that were blocked by it do not replace the reason."""
    study = copy_of(built[0], tmp_path)
    session = study.tables.index(UnitRow, ("step",))[("register",)][0].id.session
    why = {"reason": "heads overlap 0.3", "reason_code": "head_overlap_too_small"}
    for step, stopped_by in (("register", None), ("measure", "register")):
        row = study.tables.by_key(UnitRow)[UnitId(step, session).key]
        stopped = replace(row, status="impossible", stopped_by=stopped_by, **why)
        study.tables.upsert([stopped])
    reason = exclusions(study)[session]
    assert reason.values["step"] == "register"
    assert reason.finding == Reason.kept("head_overlap_too_small", "heads overlap 0.3")


def test_who_is_rejected_leaves_the_partition_at_once(built: Built, tmp_path: Path) -> None:
    """Before anything is planned again: the others are partitioned without the patient."""
    study = copy_of(built[0], tmp_path)
    before = usable_patients(study)
    gone = before[0]
    selection = Selection((gone.cohort,), (gone.subject,))
    verdict = ReviewDecision(REJECTED, "ab", "the wrong patient", "2026-01-02")
    assert decide_about(study, selection, verdict, ["accept"], commit=False)
    assert usable_patients(study) == before[1:]
    expected = {
        (a.patient.cohort, a.patient.subject): a.partition
        for a in partition(before[1:], partition_options(study.configuration.build))
    }
    told = {row.session.patient: row.partition for row in study.tables.rows(SessionRow)}
    assert told == {**told, **expected, (gone.cohort, gone.subject): "excluded"}


def test_a_sound_study_has_no_finding(built: Built) -> None:
    """Neither an error nor a warning about the study's content."""
    found = levels(diagnose(built[0].root))
    assert found["units"] == "ok"
    assert "error" not in found.values()


def test_doctor_sees_lost_changed_and_stray_files(built: Built, tmp_path: Path) -> None:
    """An output that is gone, one with other content, and one that no unit made are told apart."""
    study = copy_of(built[0], tmp_path)
    derived = study.root / study.derivatives_path("internal")
    masks = sorted(derived.glob("sub-*/ses-1/anat/*_desc-*AQ_mask.nii.gz"))
    masks[0].unlink()
    other = tmp_path / "other"
    other.write_bytes(b"other content")
    os.replace(other, masks[1])
    (derived / "sub-001" / "stray.nii.gz").write_bytes(b"x")
    found = levels(diagnose(study.root))
    assert found["outputs"] == "warning"
    assert found["content"] == "error"
    assert found["cohort internal"] == "warning"
