"""What every cohort must hold, the package's and a user's: one set of checks for all of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from conformance.conformed import Conformed
from conformance.raw_cohort import RawSession
from helpers.raw_volumes import Volume, contour_volumes_mm3, corners, onto_axes
from numpy.typing import NDArray

from cta_data.bids.validation import validate
from cta_data.formats.dicom.rtstruct import read_structure_set
from cta_data.intake.add import naming_of

pytestmark = pytest.mark.slow

STEPS = ("convert", "register", "transfer", "strip", "measure")
NEAR_MM = 2e-3


def sessions_of(conformed: Conformed) -> dict[tuple[str, str], RawSession]:
    """Sessions as delivered, by subject label and session label."""
    return {(conformed.label_of(s), s.session): s for s in conformed.raw.sessions}


def read(path: Path) -> Volume:
    """Voxels and affine (RAS mm) of a converted image."""
    image = nib.load(path)
    return np.asanyarray(image.dataobj), image.affine


def placed(volume: Volume, shape: Sequence[int], affine: NDArray[np.float64]) -> NDArray[np.bool_]:
    """A mask on a grid that it is a part of: segmentations leave out what is empty."""
    mask, own = onto_axes(volume, affine)
    offset = (np.linalg.inv(affine) @ own[:, 3])[:3]
    first = np.round(offset).astype(int)
    assert np.abs(affine[:3, :3] @ (offset - first)).max() < NEAR_MM
    assert np.allclose(own[:3, :3], affine[:3, :3], atol=1e-4)
    whole = np.zeros(shape, dtype=bool)
    whole[tuple(slice(a, a + n) for a, n in zip(first, mask.shape, strict=True))] = mask
    return whole


def drawn_files(conformed: Conformed, label: str, session: str) -> list[Path]:
    """Lesions of a session on the grid that they were drawn on, where masks were delivered."""
    folder = conformed.derivatives / f"sub-{label}" / f"ses-{session}"
    return sorted(folder.rglob("*_desc-*source_dseg.nii.gz"))


def test_ids_there_and_back(conformed: Conformed) -> None:
    """A label leads to its identifier through sourcedata; by itself only where the card says so."""
    naming = naming_of(conformed.study.card(conformed.case.cohort))
    rows = conformed.subject_rows()
    sources = {row.source_id for row in rows}
    assert sources == {session.source_id for session in conformed.raw.sessions}
    assert len({row.subject for row in rows}) == len(sources)
    for (label, _), session in sessions_of(conformed).items():
        if session.label:
            assert label == session.label == naming.label_of(session.source_id)
        else:
            assert label.isdigit() and naming.label_of(session.source_id) == ""


def test_images_keep_voxels_and_places(conformed: Conformed) -> None:
    """Every image that was delivered, and no other: the same values at the same points."""
    images = conformed.study.images()
    images = images[images.description == ""]
    for (label, name), session in sessions_of(conformed).items():
        rows = images[(images.subject == label) & (images.session == name)]
        by_role = {(r.technique, r.contrast_phase): r for r in rows.itertuples()}
        assert len(by_role) == len(rows) and set(by_role) == set(session.images)
        for role, raw in session.images.items():
            voxels, affine = read(conformed.root / by_role[role].path)
            turned, own = onto_axes(raw.read(), affine)
            assert voxels.shape == turned.shape
            if raw.kind == "dose":
                assert np.allclose(voxels, turned, rtol=1e-6, atol=1e-6), role
            else:
                assert np.array_equal(voxels, turned), role
            apart = np.abs(corners(voxels.shape, affine) - corners(turned.shape, own)).max()
            assert apart < NEAR_MM, role
            assert list(by_role[role].shape) == list(voxels.shape)


def test_masks_keep_voxels_and_places(conformed: Conformed) -> None:
    """What was drawn is lesion and nothing else is: voxel by voxel, or the volume of contours."""
    lesions = conformed.study.lesions()
    for (label, name), session in sessions_of(conformed).items():
        drawn = drawn_files(conformed, label, name)
        if session.mask is None or session.mask.kind == "contours":
            assert drawn == []
        else:
            (path,) = drawn
            voxels, affine = read(path)
            raw = np.zeros(voxels.shape, dtype=bool)
            for one in session.mask.each():
                raw |= placed(one.lesion(), voxels.shape, affine)
            assert np.array_equal(voxels > 0, raw)
        if session.mask is not None and session.mask.kind == "contours":
            check_contour_volumes(conformed, label, session)
    assert set(lesions.cohort) <= {conformed.case.cohort}


def check_contour_volumes(conformed: Conformed, label: str, session: RawSession) -> None:
    """Each lesion has the volume that was drawn, to 1 % or a voxel, on the technique's grid."""
    assert session.mask is not None
    (path,) = session.mask.paths
    drawn = contour_volumes_mm3(path, session.lesions, session.step_mm)
    study = conformed.study
    expected = drawn
    if study.card(conformed.case.cohort).withholds_roi_names:
        rois = read_structure_set(path).rois
        expected = {f"ROI {roi.number}": drawn[roi.name] for roi in rois if roi.name in drawn}
    assert len(expected) == len(drawn)
    subjects, lesions = study.subjects(), study.lesions()
    own = subjects[(subjects.subject == label) & (subjects.session == session.session)]
    rows = lesions[(lesions.subject == label) & (lesions.session == session.session)]
    rows = rows[rows.grid == own.annotation_techniques.iloc[0][0]]
    assert sorted(rows.source_roi) == sorted(expected)
    for row in rows.itertuples():
        assert row.volume_drawn_mm3 == pytest.approx(expected[row.source_roi], rel=0.01)
        voxel = row.volume_mm3 / row.n_voxels
        allowed = max(0.01 * expected[row.source_roi], voxel)
        assert row.volume_mm3 == pytest.approx(expected[row.source_roi], abs=allowed)


def test_label_values_as_stated(conformed: Conformed) -> None:
    """Raw masks hold known values; labels are 0 to the number of lesions, masks 0 and 1."""
    study, known = conformed.study, conformed.case.mask_values
    lesions, variants = study.lesions(), study.variants()
    for (label, name), session in sessions_of(conformed).items():
        if known and session.mask is not None:
            for one in session.mask.each():
                assert set(np.unique(one.read()[0]).tolist()) <= known
        numbers = set(range(1, session.n_lesions + 1))
        for path in drawn_files(conformed, label, name):
            assert set(np.unique(read(path)[0]).tolist()) - {0} == numbers
        folder = conformed.derivatives / f"sub-{label}" / f"ses-{name}"
        for path in folder.rglob("*_dseg.nii.gz"):
            assert set(np.unique(read(path)[0]).tolist()) <= numbers | {0}
        for path in folder.rglob("*_mask.nii.gz"):
            assert set(np.unique(read(path)[0]).tolist()) <= {0, 1}
        mine = lesions[(lesions.subject == label) & (lesions.session == name)]
        assert set(mine.lesion_id) == numbers
        mine = variants[(variants.subject == label) & (variants.session == name)]
        assert set(mine.n_drawn) <= {session.n_lesions}


def test_every_subject_is_accounted_for(conformed: Conformed) -> None:
    """Sessions in = converted + quarantined, a row each; what is not usable has a reason."""
    study, expected = conformed.study, sessions_of(conformed)
    subjects, units = study.subjects(), study.units()
    rows = {(r.subject, r.session): r for r in subjects.itertuples()}
    assert len(rows) == len(subjects) and set(rows) == set(expected)
    for step in STEPS:
        mine = units[units.step == step]
        assert Counter(zip(mine.subject, mine.session, strict=True)) == Counter(list(expected))
        lacking = mine[mine.status != "ok"]
        assert lacking.reason.fillna("").str.len().gt(0).all()
    converted = units[(units.step == "convert") & (units.status == "ok")]
    assert set(zip(converted.subject, converted.session, strict=True)) == set(expected)
    for key, session in expected.items():
        row = rows[key]
        assert (str(row.partition) == "excluded") == bool(session.excluded)
        assert not session.excluded or session.excluded in row.exclusion_reason
        assert tuple(row.missing) == session.missing
        assert pd.api.types.is_list_like(row.qualities) == (session.mask is not None)


def test_a_second_time_nothing_changes(conformed: Conformed) -> None:
    """Every unit is not needed, adding the source again writes nothing, and no commit is made."""
    assert {record.status for record in conformed.second.records} == {"notneeded"}
    counts = conformed.again["counts"]
    assert conformed.again["files_written"] == 0
    assert counts.get("series_notneeded", 0) == counts["series"] - counts.get("series_aside", 0)
    before, after = conformed.heads
    assert before == after
    assert all(not told for name, told in after.items() if name.endswith(" status"))


def test_the_bids_validator_finds_no_error(conformed: Conformed) -> None:
    """The official validator, NIfTI headers included, on the cohort's dataset."""
    assert [str(issue) for issue in validate(conformed.folder)] == []


def test_a_damaged_file_costs_its_own_session(conformed: Conformed) -> None:
    """It is not converted, with a reason; the others are; once mended, it is as well."""
    source_id, name = conformed.raw.victim
    victim = next(
        (conformed.label_of(s), name)
        for s in conformed.raw.sessions
        if (s.source_id, s.session) == (source_id, name)
    )
    records = {(r.unit.subject, r.unit.session.session): r for r in conformed.damaged.records}
    assert set(records) == set(sessions_of(conformed))
    assert records[victim].status == "impossible" and records[victim].reason
    others = [record.status for key, record in records.items() if key != victim]
    assert set(others) <= {"ok"}
    assert conformed.damaged.exit_code() == 3
    mended = {
        (r.unit.subject, r.unit.session.session): r
        for r in conformed.report.records[: len(records)]
    }
    assert mended[victim].status == "ok"
    # What was converted before is not converted again.
    assert {r.status for key, r in mended.items() if key != victim} <= {"notneeded"}
    assert not conformed.report.failures
