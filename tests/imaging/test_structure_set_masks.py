"""Each region of a structure set for itself, through the command line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from helpers.command_line import Outcome, run_cta
from helpers.structure_sets import (
    DrawnContour,
    DrawnRoi,
    circle,
    drawn_sphere,
    write_series,
    write_structure_set,
)

SLICES = [float(z) for z in range(40)]
WHOLE = drawn_sphere("met", (0, 0, 20), 6.0, SLICES)
TILTED = drawn_sphere("tilted", (15, 0, 20), 6.0, SLICES, tilt_degrees=13.0)
DAMAGED = DrawnRoi(
    "damaged", [*WHOLE.contours[:4], DrawnContour(circle((0, 0), 5, 22), text="1,5")]
)
EMPTY = DrawnRoi("empty", [])
OFF_SLICES = drawn_sphere("off", (-15, 0, 20), 6.0, [z + 0.3 for z in SLICES])


def rasterized(
    folder: Path, rois: list[DrawnRoi], *options: str, out: str = "masks", nifti: bool = False
) -> tuple[Outcome, dict[str, dict]]:
    """The outcome of `rasterize`, and its rows by name."""
    write_series(folder / "mr", SLICES)
    contours = write_structure_set(folder / "rs.dcm", rois)
    image = folder / "mr"
    if nifti:
        image = folder / "mr.nii.gz"
        reader = sitk.ImageSeriesReader()
        reader.SetFileNames(sorted(str(path) for path in (folder / "mr").iterdir()))
        sitk.WriteImage(reader.Execute(), str(image))
    outcome = run_cta("rasterize", contours, image, folder / out, "--json", *options)
    rows = json.loads(outcome.out) if outcome.out.strip() else []
    return outcome, {row["name"]: row for row in rows}


def test_a_region_that_is_refused_costs_itself_alone(tmp_path: Path) -> None:
    """It has its status, its reason and no file; the others are written; the exit code is 3."""
    outcome, rows = rasterized(tmp_path, [WHOLE, DAMAGED, TILTED, EMPTY])
    assert outcome.code == 3
    statuses = {name: row["status"] for name, row in rows.items()}
    assert statuses == {"met": "ok", "damaged": "refused", "tilted": "ok", "empty": "no_contours"}
    assert "contour 5 has coordinates that are not numbers" in " ".join(rows["damaged"]["notes"])
    assert rows["damaged"]["file"] is None
    assert len(list((tmp_path / "masks").iterdir())) == 3
    assert rows["tilted"]["volume_mm3"] == pytest.approx(rows["tilted"]["volume_drawn_mm3"], abs=1)
    assert rows["tilted"]["volume_drawn_mm3"] == pytest.approx(4 / 3 * np.pi * 6**3, rel=0.02)


def test_one_mask_of_all_holds_those_that_can_be_read(tmp_path: Path) -> None:
    """A file with all regions has the readable ones; of damaged regions alone none is made."""
    outcome, rows = rasterized(tmp_path / "a", [WHOLE, DAMAGED], out="all.nii.gz")
    mask = sitk.GetArrayFromImage(sitk.ReadImage(str(tmp_path / "a" / "all.nii.gz")))
    assert outcome.code == 3 and mask.sum() == rows["met"]["n_voxels"] > 800
    outcome, rows = rasterized(tmp_path / "b", [DAMAGED], out="all.nii.gz")
    assert outcome.code == 3 and rows["damaged"]["status"] == "refused"
    assert not (tmp_path / "b" / "all.nii.gz").exists()


@pytest.mark.parametrize("out", ["masks", "all.nii.gz"])
def test_no_earlier_mask_stands_for_a_region_that_is_refused_now(tmp_path: Path, out: str) -> None:
    """With --overwrite it is removed, and what others put beside it stays; without, it is kept."""
    _, before = rasterized(tmp_path, [DrawnRoi("damaged", WHOLE.contours)], out=out)
    mask = Path(before["damaged"]["file"])
    beside = mask.with_name("notes.txt")
    beside.write_text("mine", "utf-8")
    contours = write_structure_set(tmp_path / "rs.dcm", [DAMAGED])
    words = ("rasterize", contours, tmp_path / "mr", tmp_path / out, "--json")
    assert run_cta(*words).code == 1 and mask.exists()
    done = run_cta(*words, "--overwrite")
    assert (done.code, json.loads(done.out)[0]["status"]) == (3, "refused")
    assert not mask.exists() and beside.exists()


def test_without_uids_each_region_shows_by_its_planes_that_it_belongs(tmp_path: Path) -> None:
    """On NIfTI, planes off the slices or tilted against them refuse their own region."""
    outcome, rows = rasterized(tmp_path, [WHOLE, TILTED, OFF_SLICES], nifti=True)
    assert outcome.code == 3
    statuses = {name: row["status"] for name, row in rows.items()}
    assert statuses == {"met": "ok", "tilted": "refused", "off": "refused"}
    assert "13.00°" in " ".join(rows["tilted"]["notes"])


def test_without_the_check_every_region_is_filled(tmp_path: Path) -> None:
    """Who knows that the coordinates agree gets the tilted region and the one off the slices."""
    outcome, rows = rasterized(
        tmp_path, [WHOLE, TILTED, OFF_SLICES], "--no-reference-check", nifti=True
    )
    assert outcome.code == 0
    for row in rows.values():
        assert row["volume_mm3"] == pytest.approx(row["volume_drawn_mm3"], rel=0.03)


def test_masks_of_a_dicom_series_are_in_ras_order(tmp_path: Path) -> None:
    """As the documentation says; those of a NIfTI image have the image's own order."""
    rasterized(tmp_path / "a", [WHOLE], out="all.nii.gz")
    rasterized(tmp_path / "b", [WHOLE], out="all.nii.gz", nifti=True)
    directions = [
        sitk.ReadImage(str(tmp_path / name)).GetDirection()
        for name in ("a/all.nii.gz", "b/all.nii.gz", "b/mr.nii.gz")
    ]
    assert np.allclose(directions[0], np.diag([-1, -1, 1]).ravel())
    assert np.allclose(directions[1], directions[2])
    assert not np.allclose(directions[0], directions[2])
