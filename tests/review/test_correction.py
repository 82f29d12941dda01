"""Corrections of annotations: a new version that counts, and nothing of an edit used by halves."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from helpers.command_line import Outcome, run_cta
from helpers.readers_study import make_readers_study

from cta_data.pipeline.overview import study_status
from cta_data.review import correction
from cta_data.study.study import Study

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """Two patients, measured; for tests that change nothing."""
    made = make_readers_study(tmp_path_factory.mktemp("correction"), patients=2)
    for step in ("strip", "measure"):
        assert run_cta(step, "--study", str(made.root)).code == 0
    return Study(made.root)


@pytest.fixture
def study(measured: Study, tmp_path: Path) -> Study:
    """A copy that a test may change."""
    return Study(Path(shutil.copytree(measured.root, tmp_path / "study", symlinks=True)))


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


def edited_lesions(study: Study, annotation: str) -> set[int]:
    """Return the ids of lesions that a correction changed or added."""
    row = Study(study.root).table("annotations").set_index("annotation").loc[annotation]
    lesions = json.loads((study.root / str(row["names_path"])).read_text("utf-8"))["Lesions"]
    return {lesion["id"] for lesion in lesions if lesion["flags"]}


def warnings_of(study: Study) -> list[int]:
    """Return how many warnings each session has: what is not transferred yet is one."""
    return [len(row.warnings) for row in study_status(Study(study.root)).sessions]


def statuses(study: Study) -> dict[str, tuple[str, str, int]]:
    rows = Study(study.root).query(
        "select annotation, status, origin, version from annotations where subject = '001'"
    )
    return {row.annotation: (row.status, row.origin, row.version) for row in rows.itertuples()}


def printed_by_git(study: Study, *arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=study.root, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def test_a_correction_counts_and_costs_its_session_alone(study: Study, tmp_path: Path) -> None:
    """Lesions keep their ids on every grid, the parent is kept, other sessions are not touched."""
    place = ("--study", str(study.root))
    before = labels_of(study, "HAQR1", "SPACE")
    original, told = lesions_of(study, "HAQR1", "MPRAGE"), warnings_of(study)
    image = nib.load(before)
    nib.save(nib.Nifti1Image(edited(before), image.affine), tmp_path / "fixed.nii.gz")
    about = ("--subject", "001", "--annotation", "HAQR1", "--author", "A1", "--reason", "a vessel")
    source = ("--labels", str(tmp_path / "fixed.nii.gz"), "--date", "2026-01-31")
    assert run_cta("correct", *about, *source, *place).code == 0
    assert statuses(study)["HAQR1"] == ("superseded", "delivered", 1)
    assert statuses(study)["HAQR1c1"] == ("current", "corrected", 2)
    assert warnings_of(study) == [told[0] + 1, told[1]]
    for step, expected in (("transfer", "1 ok"), ("measure", "1 ok")):
        done = run_cta(step, *place)
        assert done.code == 0 and expected in done.text and "1 not needed" in done.text
    wanted = {lesion: n for lesion, n in original.items() if lesion != 2} | {9: 27}
    assert warnings_of(study) == told
    assert lesions_of(study, "HAQR1c1", "SPACE") == wanted
    assert lesions_of(study, "HAQR1c1", "MPRAGE") == wanted
    assert lesions_of(study, "HAQR1", "MPRAGE") == original
    assert edited_lesions(study, "HAQR1c1") == {9}
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
    for step in (("measure",), ("transfer", "--recompute")):
        stopped = run_cta(*step, *place)
        assert stopped.code == 3 and "desc-HAQR1_dseg" in stopped.text
    assert np.array_equal(np.asanyarray(nib.load(path).dataobj), voxels)
    about = ("--subject", "001", "--author", "A1", "--reason", "edited in place")
    assert run_cta("correct", "--annotation", "HAQR1", *about, *place).code == 0
    for step in ("transfer", "measure"):
        assert run_cta(step, *place).code == 0
    assert lesions_of(study, "HAQR1c1", "SPACE")[9] == 27


def test_a_correction_that_was_killed_before_its_commit_is_finished(
    study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same command commits what was written, with its record, and no second version."""
    like = labels_of(study, "HAQR1", "SPACE")
    with monkeypatch.context() as patch:
        patch.setattr(correction, "commit_run", _die)
        assert corrected(study, edited(like), like, "x", "HAQR1").code == 130
    assert "HAQR1c1" in statuses(study)
    assert corrected(study, edited(like), like, "x", "HAQR1").code == 0
    assert [name for name in statuses(study) if "c" in name] == ["HAQR1c1"]
    assert printed_by_git(study, "status", "--porcelain") == ""
    assert "cta-data correct" in printed_by_git(study, "log", "-1", "--format=%s")


def _die(*_: object) -> None:
    raise KeyboardInterrupt


def test_much_of_an_annotation_changes_only_on_request(measured: Study) -> None:
    """An image in place of labels would be a hundred lesions."""
    like = labels_of(measured, "HAQR1", "SPACE")
    voxels = np.asanyarray(nib.load(like).dataobj)
    assert corrected(measured, (voxels == 1).astype(np.uint8), like, "x", "HAQR1").code == 3
    assert "HAQR1c1" not in statuses(measured)


def corrected(study: Study, labels: np.ndarray, like: Path, reason: str, name: str) -> Outcome:
    """Correct an annotation of subject 001 by labels on the grid of a file."""
    path = study.root.parent / "labels.nii.gz"
    nib.save(nib.Nifti1Image(labels, nib.load(like).affine), path)
    about = ("--subject", "001", "--annotation", name, "--author", "A1", "--reason", reason)
    return run_cta("correct", *about, "--labels", str(path), "--study", str(study.root))


def test_corrections_follow_each_other_and_their_records_can_be_run_again(study: Study) -> None:
    """Also before a transfer, with braces in the reason, and with the same reason twice."""
    like = labels_of(study, "HAQR1", "SPACE")
    mask = (edited(like) > 0).astype(np.uint8) * 255
    assert corrected(study, mask, like, "lesion {2} is a vessel", "HAQR1").code == 0
    first = printed_by_git(study, "rev-parse", "HEAD")
    source = study.root / str(
        Study(study.root).table("annotations").set_index("annotation").loc["HAQR1c1", "path"]
    )
    assert set(np.unique(nib.load(source).dataobj)) == {0, 1, 3, 4, 5, 6}
    fewer = np.asanyarray(nib.load(source).dataobj).copy()
    fewer[fewer == 5] = 0
    assert corrected(study, fewer, source, "lesion {2} is a vessel", "HAQR1c1").code == 0
    found = statuses(study)
    assert found["HAQR1c2"] == ("current", "corrected", 3) and found["HAQR1c1"][0] == "superseded"
    head = printed_by_git(study, "rev-parse", "HEAD")
    done = subprocess.run(
        ["datalad", "rerun", first], cwd=study.root, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert printed_by_git(study, "status", "--porcelain") == ""
    assert printed_by_git(study, "rev-parse", "HEAD") == head
    assert statuses(study) == found
    assert run_cta("transfer", "--study", str(study.root)).code == 0


@pytest.mark.parametrize(("value", "at"), [(-2, 2), (70000, 2)])
def test_values_that_are_no_ids_are_refused(measured: Study, value: int, at: int) -> None:
    """Nothing is written, and the annotation counts as before."""
    like = labels_of(measured, "HAQR1", "SPACE")
    labels = np.asanyarray(nib.load(like).dataobj).astype(np.int32)
    labels[labels == at] = value
    before = statuses(measured)
    assert corrected(measured, labels, like, "x", "HAQR1").code == 3
    assert statuses(measured) == before


def test_labels_of_something_else_are_refused(measured: Study) -> None:
    """They share no voxel with the annotation that they are said to correct."""
    like = labels_of(measured, "HAQR1", "SPACE")
    elsewhere = np.zeros_like(np.asanyarray(nib.load(like).dataobj))
    elsewhere[0:3, 29:32, 0:3] = 1
    before = statuses(measured)
    assert corrected(measured, elsewhere, like, "x", "HAQR1").code == 3
    assert statuses(measured) == before


def test_of_images_with_one_header_the_lesions_tell_which_was_edited(study: Study) -> None:
    """A patient who moved between two images of one grid: the labels on the other lie elsewhere."""
    moved = labels_of(study, "HAQR1", "MPRAGE")
    subprocess.run(["git", "annex", "unlock", moved.name], cwd=moved.parent, check=True)
    image = nib.load(moved)
    voxels, affine = np.roll(np.asanyarray(image.dataobj), 3, axis=0), image.affine
    nib.save(nib.Nifti1Image(voxels, affine), moved)
    like = labels_of(study, "HAQR1", "SPACE")
    assert corrected(study, edited(like), like, "x", "HAQR1").code == 0
    rows = Study(study.root).table("annotations").set_index("annotation")
    assert rows.loc["HAQR1c1", "space"] == "SPACE"


@pytest.mark.parametrize(
    "missing",
    [
        ("--reason", "x"),
        ("--subject", "001", "--reason", ""),
        ("--subject", "999"),
        ("--subject", "001", "--reason", "x", "--date", "2999-01-01"),
    ],
)
def test_what_is_missing_is_said(measured: Study, missing: tuple[str, ...]) -> None:
    """No subject, no reason, or an unknown subject: exit code 1 and no new annotation."""
    before = statuses(measured)
    done = run_cta("correct", "--author", "A1", *missing, "--study", str(measured.root))
    assert done.code == 1 and statuses(measured) == before
