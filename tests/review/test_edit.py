"""Annotations out to an editor and back: nothing edited changes nothing, an edit is a version."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk
from helpers.command_line import Outcome, run_cta
from helpers.readers_study import make_readers_study
from helpers.refusals import has_reason

from cta_data.errors import ConfigurationError
from cta_data.review.edit_out import _whole_folder
from cta_data.study.study import Study

pytestmark = pytest.mark.slow
SIGNED = ("--reader", "R9", "--reason", "lesion 2 is a vessel")


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """Two patients; subject 001 is edited by tests that need no certain version of it."""
    return make_readers_study(tmp_path_factory.mktemp("edit"), patients=2)


def run(study: Study, *words: object) -> Outcome:
    return run_cta("edit", *map(str, words), study=study.root)


def given_out(study: Study, to: Path, annotation: str, *more: str, subject: str = "001") -> Path:
    done = run(
        *(study, "out", "own", "--subject", subject, "--to", to, "--annotation", annotation), *more
    )
    assert done.code == 0, done.text
    (folder,) = to.iterdir()
    return folder


def current(study: Study, subject: str = "001") -> set[str]:
    rows = Study(study.root).query(
        f"select annotation from annotations where status = 'current' and subject = '{subject}'"
    )
    return set(rows["annotation"])


def head(study: Study) -> str:
    done = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=study.root, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def test_what_was_not_edited_changes_nothing(study: Study, tmp_path: Path) -> None:
    """On each grid, also when an editor saved it again in another type: no version, no commit."""
    before, annotations = head(study), current(study)
    for grid in ("MPRAGE", "SPACE"):
        folder = given_out(study, tmp_path / grid, "HAQR2", "--grid", grid)
        path = folder / f"HAQR2_on_{grid}.nii.gz"
        image = nib.load(path)
        nib.save(nib.Nifti1Image(np.asanyarray(image.dataobj).astype("f4"), image.affine), path)
        done = run(study, "in", folder, *SIGNED)
        assert done.code == 0, done.text
    assert (head(study), current(study)) == (before, annotations)


def test_other_readers_open_what_is_given_out(study: Study, tmp_path: Path) -> None:
    """Slicer's segments by slicerio, where it is there, and by ITK: names, values, voxels."""
    folder = given_out(study, tmp_path / "out", "HAQR2")
    labels = nib.load(folder / "HAQR2_on_SPACE.nii.gz")
    segmentation = folder / "HAQR2_on_SPACE.seg.nrrd"
    voxels = sitk.GetArrayFromImage(sitk.ReadImage(str(segmentation))).transpose(2, 1, 0)
    assert np.array_equal(voxels, np.asanyarray(labels.dataobj))
    values = set(np.unique(voxels).tolist()) - {0}
    lines = (folder / "HAQR2_on_SPACE_labels.txt").read_text("utf-8").splitlines()
    described = {int(line.split()[0]) for line in lines if not line.startswith("#")}
    assert described == values | {0}
    assert {path.name for path in folder.glob("*.nii.gz")} == {
        "MPRAGE.nii.gz", "SPACE.nii.gz", "HAQR2_on_SPACE.nii.gz",
    }  # fmt: skip
    slicerio = pytest.importorskip("slicerio")
    found = slicerio.read_segmentation(str(segmentation))
    assert {one["labelValue"] for one in found["segments"]} == values
    names = json.loads((folder / "edit.json").read_text("utf-8"))["lesions"]
    assert {one["name"] for one in found["segments"]} == set(names.values())


def test_an_edit_is_a_version_and_costs_its_session_alone(study: Study, tmp_path: Path) -> None:
    """Edited on MPRAGE though drawn on SPACE: ids stay, the new one is new, the deleted is told."""
    folder = given_out(study, tmp_path / "out", "HAQR1", "--grid", "MPRAGE")
    path = folder / "HAQR1_on_MPRAGE.nii.gz"
    image = nib.load(path)
    voxels = np.asanyarray(image.dataobj).copy()
    ids = set(np.unique(voxels).tolist()) - {0}
    voxels[voxels == 2] = 0
    place = tuple(np.argwhere(voxels == 1)[0])
    voxels[place] = 0  # lesion 1 loses a voxel
    voxels[26:29, 26:29, 4:7] = 3  # painted with the value of lesion 3, far from it
    nib.save(nib.Nifti1Image(voxels, image.affine), path)
    done = run(study, "in", folder, *SIGNED, "--json")
    assert done.code == 0, done.text
    (taken,) = json.loads(done.out)["taken"]
    changes = {one["id"]: one["change"] for one in taken["changes"]}
    new = max(ids) + 1
    assert changes == {1: "changed", 2: "deleted", new: "new"}
    page = (folder / "changes.html").read_text("utf-8")
    assert page.count("data:image/png") == 3
    assert "HAQR1c1" in current(study) and "HAQR1" not in current(study)
    done = run_cta("transfer", study=study.root)
    assert "1 ok" in done.text and "1 not needed" in done.text
    rows = Study(study.root).query(
        "select v.labels_path from variants v where annotation = 'HAQR1c1' and grid = 'MPRAGE'"
    )
    kept = np.asanyarray(nib.load(study.root / rows["labels_path"][0]).dataobj)
    expected = voxels.copy()
    expected[26:29, 26:29, 4:7] = new
    assert np.array_equal(kept, expected)
    row = Study(study.root).query(
        "select author, reason, space, drawn_on from annotations where annotation = 'HAQR1c1'"
    )
    assert row.iloc[0].tolist() == ["R9", "lesion 2 is a vessel", "MPRAGE", "SPACE"]
    again = run(study, "in", folder, *SIGNED)
    assert again.code == 3 and "HAQR1" in again.text
    head_before = head(study)
    rerun = subprocess.run(
        ["datalad", "rerun", "HEAD~1"], cwd=study.root, capture_output=True, text=True, check=False
    )
    assert rerun.returncode == 0 and head(study) == head_before


def test_segments_of_slicer_come_back(study: Study, tmp_path: Path) -> None:
    """A segment that was removed, in a file that is cropped to its segments, as Slicer may save."""
    folder = given_out(study, tmp_path / "out", "NAQR1", subject="002")
    path = folder / "NAQR1_on_MPRAGE.seg.nrrd"
    image = sitk.ReadImage(str(path))
    kept = sitk.GetArrayFromImage(image)
    kept[kept == 3] = 0
    edited = sitk.GetImageFromArray(kept)
    edited.CopyInformation(image)
    low = np.argwhere(kept).min(axis=0)[::-1]
    high = np.argwhere(kept).max(axis=0)[::-1] + 1
    box = edited[low[0] : high[0], low[1] : high[1], low[2] : high[2]]
    for key in image.GetMetaDataKeys():
        if key.startswith("Segment") and not key.endswith("Extent"):
            box.SetMetaData(key, image.GetMetaData(key))
    sitk.WriteImage(box, str(path), useCompression=True)
    done = run(study, "in", folder, "--large", *SIGNED, "--json")
    assert done.code == 0, done.text
    (taken,) = json.loads(done.out)["taken"]
    assert {one["id"]: one["change"] for one in taken["changes"]} == {3: "deleted"}


@pytest.mark.parametrize(
    ("shift", "fill", "code"),
    [
        (1.0, None, "edit_off_grid"),
        (0.0, 0, "correction_empty"),
        (0.0, -1, "correction_ids_invalid"),
    ],
)
def test_what_is_no_edit_of_these_labels_is_refused(
    study: Study, tmp_path: Path, shift: float, fill: int | None, code: str
) -> None:
    """Another grid, all lesions gone, a negative value: nothing is taken."""
    folder = given_out(study, tmp_path / "out", "HAQR1", subject="002")
    path = folder / "HAQR1_on_SPACE.nii.gz"
    image = nib.load(path)
    voxels, affine = np.asanyarray(image.dataobj).astype(np.int16), image.affine.copy()
    affine[:3, 3] += shift / 2
    if fill is not None:
        voxels[voxels > 0] = fill
    nib.save(nib.Nifti1Image(voxels, affine), path)
    before = head(study)
    done = run(study, "in", folder, *SIGNED, "--json")
    failed = json.loads(done.out)["failed"]
    assert done.code == 3 and head(study) == before
    assert [one["code"] for one in failed] == [code]


def test_a_folder_that_was_edited_is_not_overwritten(study: Study, tmp_path: Path) -> None:
    """A second `edit out` into it fails for its session, and with --overwrite replaces it."""
    folder = given_out(study, tmp_path / "out", "HAQR2")
    words = ("out", "own", "--subject", "001", "--annotation", "HAQR2", "--to", tmp_path / "out")
    assert run(study, *words).code == 3
    assert run(study, *words, "--overwrite").code == 0 and folder.is_dir()


def test_an_edit_stays_until_another_takes_its_place(study: Study, tmp_path: Path) -> None:
    """With --overwrite, too, where the session cannot be given out: nothing is lost or left."""
    folder = given_out(study, tmp_path / "out", "HAQR2")
    (folder / "HAQR2_on_SPACE.nii.gz").write_bytes(b"hours of work")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    words = ("out", "own", "--subject", "001", "--to", folder.parent, "--overwrite")
    assert run(study, *words, "--annotation", "HAQR2", "--grid", "CT").code == 3
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert run(study, *words, "--annotation", "HAQR2").code == 0
    assert (folder / "HAQR2_on_SPACE.nii.gz").read_bytes() != b"hours of work"
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


def test_the_id_of_a_deleted_lesion_is_not_that_of_another(study: Study, tmp_path: Path) -> None:
    """The last lesion goes in one version; what the next one adds elsewhere gets a new id."""

    def edit(annotation: str, change: Callable[[np.ndarray], None]) -> dict[str, Any]:
        folder = given_out(study, tmp_path / annotation, annotation)
        path = folder / f"{annotation}_on_MPRAGE.nii.gz"
        image = nib.load(path)
        voxels = np.asanyarray(image.dataobj).copy()
        change(voxels)
        nib.save(nib.Nifti1Image(voxels, image.affine), path)
        done = run(study, "in", folder, "--large", *SIGNED, "--json")
        assert done.code == 0, done.text
        (taken,) = json.loads(done.out)["taken"]
        return taken

    def delete_last(voxels: np.ndarray) -> None:
        voxels[voxels == 3] = 0

    def add_one(voxels: np.ndarray) -> None:
        voxels[26:29, 26:29, 4:7] = 3

    first = edit("NAQR1", delete_last)
    assert run_cta("transfer", study=study.root).code == 0
    second = edit(first["annotation"], add_one)
    assert [(one["id"], one["change"]) for one in second["changes"]] == [(4, "new")]


def test_an_edit_that_was_killed_before_its_commit_is_finished(
    study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same command again commits the one version; of another edit it says what is wrong."""
    folder = given_out(study, tmp_path / "out", "HAQR2", subject="002")
    path = folder / "HAQR2_on_SPACE.nii.gz"
    image = nib.load(path)
    voxels = np.asanyarray(image.dataobj).copy()
    voxels[tuple(np.argwhere(voxels == 1)[0])] = 0
    nib.save(nib.Nifti1Image(voxels, image.affine), path)
    before = head(study)

    def killed(*given: object, **more: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("cta_data.review.correction.commit_run", killed)
        assert run(study, "in", folder, *SIGNED).code != 0
    assert head(study) == before
    other = voxels.copy()
    other[tuple(np.argwhere(voxels == 2)[0])] = 0
    nib.save(nib.Nifti1Image(other, image.affine), path)
    refused = run(study, "in", folder, *SIGNED, "--json")
    assert [one["code"] for one in json.loads(refused.out)["failed"]] == ["edit_out_of_date"]
    nib.save(nib.Nifti1Image(voxels, image.affine), path)
    done = run(study, "in", folder, *SIGNED, "--json")
    assert done.code == 0, done.text
    assert json.loads(done.out)["taken"][0]["annotation"] == "HAQR2c1"
    assert head(study) != before and "HAQR2c1" in current(study, "002")


def test_a_folder_that_came_meanwhile_is_not_replaced(tmp_path: Path) -> None:
    """Two commands give one session out at once: the second refuses, and leaves nothing."""
    folder = tmp_path / "session"
    unclear = pytest.raises(ConfigurationError, check=has_reason("edit_folder_not_empty"))
    with unclear, _whole_folder(folder, replaced=False) as unfinished:
        (unfinished / "new").touch()
        folder.mkdir()
        (folder / "edited").touch()
    assert [path.name for path in tmp_path.rglob("*")] == ["session", "edited"]


def test_a_cropped_label_image_is_no_edit(study: Study, tmp_path: Path) -> None:
    """Lesions outside of the crop would be gone unseen; and a study is no place to edit in."""
    folder = given_out(study, tmp_path / "out", "HAQR1", subject="002")
    path = folder / "HAQR1_on_SPACE.nii.gz"
    image = nib.load(path)
    nib.save(nib.Nifti1Image(np.asanyarray(image.dataobj)[:24], image.affine), path)
    done = run(study, "in", folder, *SIGNED, "--json")
    assert done.code == 3
    assert [one["code"] for one in json.loads(done.out)["failed"]] == ["edit_off_grid"]
    words = ("out", "own", "--subject", "002", "--annotation", "HAQR1", "--to", study.root / "e")
    assert run(study, *words).code == 1 and not (study.root / "e").exists()


def test_who_and_why_are_needed(study: Study, tmp_path: Path) -> None:
    """Without a reader or a reason, and with a name for a code: exit code 1."""
    folder = given_out(study, tmp_path / "out", "HAQR2")
    assert run(study, "in", folder, "--reader", "R9").code == 1
    assert run(study, "in", folder, "--reason", "x").code == 1
    assert run(study, "in", folder, "--reader", "Dr. Müller", "--reason", "x").code == 1
    assert run(study, "in", tmp_path).code == 1


def test_a_page_that_cannot_be_drawn_does_not_hide_the_version(
    study: Study, tmp_path: Path
) -> None:
    """The edit is in the study: exit code 0, the new version, and why it has no page."""
    folder = given_out(study, tmp_path / "out", "HAQR1", subject="002")
    (folder / "changes.html").mkdir()
    path = folder / "HAQR1_on_SPACE.nii.gz"
    image = nib.load(path)
    voxels = np.asanyarray(image.dataobj).copy()
    voxels[tuple(np.argwhere(voxels == 1)[0])] = 0
    nib.save(nib.Nifti1Image(voxels, image.affine), path)
    done = run(study, "in", folder, *SIGNED, "--json")
    assert done.code == 0, done.text
    (taken,) = json.loads(done.out)["taken"]
    assert taken["page"] is None and "changes.html" in taken["page_failure"]
    assert taken["annotation"] in current(study, "002")
