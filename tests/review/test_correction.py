"""Corrections of annotations: a new version that counts, and nothing of an edit used by halves."""

from __future__ import annotations

import subprocess
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from helpers.command_line import run_cta
from helpers.readers_study import make_readers_study

from cta_data.study.study import Study

pytestmark = pytest.mark.slow


@pytest.fixture
def study(tmp_path: Path) -> Study:
    """Two patients, measured."""
    made = make_readers_study(tmp_path, patients=2)
    for step in ("strip", "measure"):
        assert run_cta(step, "--study", str(made.root)).code == 0
    return Study(made.root)


def labels_of(study: Study, annotation: str, grid: str) -> Path:
    rows = study.table("variants")
    rows = rows[(rows["annotation"] == annotation) & (rows["grid"] == grid)]
    return study.root / str(sorted(rows["labels_path"])[0])


def edited(path: Path) -> np.ndarray:
    """The labels without lesion 2, and with a new one."""
    voxels = np.asanyarray(nib.load(path).dataobj).copy()
    voxels[voxels == 2] = 0
    voxels[25:28, 25:28, 8:11] = 9
    return voxels


def lesions_of(study: Study, annotation: str, grid: str) -> dict[int, int]:
    rows = Study(study.root).query(
        "select lesion_id, n_voxels from lesions where subject = '001' "
        f"and annotation = '{annotation}' and grid = '{grid}' order by 1"
    )
    return dict(zip(rows["lesion_id"].tolist(), rows["n_voxels"].tolist(), strict=True))


def statuses(study: Study) -> dict[str, tuple[str, str, int]]:
    rows = Study(study.root).query(
        "select annotation, status, origin, version from annotations where subject = '001'"
    )
    return {row.annotation: (row.status, row.origin, row.version) for row in rows.itertuples()}


def test_a_correction_counts_and_costs_its_session_alone(study: Study, tmp_path: Path) -> None:
    """Lesions keep their ids on every grid, the parent is kept, other sessions are not touched."""
    place = ("--study", str(study.root))
    before = labels_of(study, "HAQR1", "SPACE")
    original = lesions_of(study, "HAQR1", "MPRAGE")
    image = nib.load(before)
    nib.save(nib.Nifti1Image(edited(before), image.affine), tmp_path / "fixed.nii.gz")
    about = ("--subject", "001", "--annotation", "HAQR1", "--author", "A1", "--reason", "a vessel")
    source = ("--labels", str(tmp_path / "fixed.nii.gz"), "--date", "2026-01-31")
    assert run_cta("correct", *about, *source, *place).code == 0
    assert statuses(study)["HAQR1"] == ("superseded", "delivered", 1)
    assert statuses(study)["HAQR1c1"] == ("current", "corrected", 2)
    for step, expected in (("transfer", "1 ok"), ("measure", "1 ok")):
        done = run_cta(step, *place)
        assert done.code == 0 and expected in done.text and "1 not needed" in done.text
    wanted = {lesion: n for lesion, n in original.items() if lesion != 2} | {9: 27}
    assert lesions_of(study, "HAQR1c1", "SPACE") == wanted
    assert lesions_of(study, "HAQR1c1", "MPRAGE") == wanted
    assert lesions_of(study, "HAQR1", "MPRAGE") == {}
    assert run_cta("convert", "--recompute", *place).code == 0
    assert statuses(study)["HAQR1"][0] == "superseded" and "HAQR1c1" in statuses(study)
    assert "2 not needed" in run_cta("transfer", *place).text


def test_a_binary_mask_gets_the_ids_that_its_lesions_had(study: Study, tmp_path: Path) -> None:
    """A component is the lesion that it overlaps most; what overlaps none is a new lesion."""
    before = labels_of(study, "HAQR1", "MPRAGE")
    mask = (edited(before) > 0).astype(np.uint8)
    nib.save(nib.Nifti1Image(mask, nib.load(before).affine), tmp_path / "mask.nii.gz")
    place = ("--study", str(study.root), "--subject", "001", "--annotation", "HAQR1")
    about = ("--author", "A1", "--reason", "x", "--labels", str(tmp_path / "mask.nii.gz"))
    assert run_cta("correct", *about, *place).code == 0
    for step in ("transfer", "measure"):
        assert run_cta(step, "--study", str(study.root)).code == 0
    assert set(lesions_of(study, "HAQR1c1", "MPRAGE")) == {1, 3, 4, 5, 6}


def test_an_edited_file_stops_what_reads_it(study: Study) -> None:
    """It is neither used nor overwritten, until it is taken as a correction."""
    place = ("--study", str(study.root))
    path = labels_of(study, "HAQR1", "MPRAGE")
    voxels, affine = edited(path), nib.load(path).affine
    subprocess.run(["git", "annex", "unlock", path.name], cwd=path.parent, check=True)
    nib.save(nib.Nifti1Image(voxels, affine), path)
    subprocess.run(["datalad", "save", "-r", "-m", "edit"], cwd=study.root, check=True)
    stopped = run_cta("measure", *place)
    assert stopped.code == 3 and "desc-HAQR1_dseg" in stopped.text
    run_cta("transfer", "--recompute", *place)
    assert np.array_equal(np.asanyarray(nib.load(path).dataobj), voxels)
    about = ("--subject", "001", "--author", "A1", "--reason", "edited in place")
    assert run_cta("correct", "--annotation", "HAQR1", *about, *place).code == 0
    for step in ("transfer", "measure"):
        assert run_cta(step, *place).code == 0
    assert lesions_of(study, "HAQR1c1", "SPACE")[9] == 27


@pytest.mark.parametrize(
    "missing", [("--reason", "x"), ("--subject", "001", "--reason", ""), ("--subject", "999")]
)
def test_what_is_missing_is_said(study: Study, missing: tuple[str, ...]) -> None:
    """No subject, no reason, or an unknown subject: exit code 1 and no new annotation."""
    before = statuses(study)
    done = run_cta("correct", "--author", "A1", *missing, "--study", str(study.root))
    assert done.code == 1 and statuses(study) == before
