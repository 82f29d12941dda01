"""Crops of findings: the finding is at the centre, on every technique, whatever its frame."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk
from helpers.refusals import has_reason
from helpers.typed_rows import typed

from cta_data.errors import DataRefused
from cta_data.formats.nifti.image import write_voxels
from cta_data.pipeline.session_images import SessionRows
from cta_data.reports.finding_crops import CaseCrops, Masks
from cta_data.scoring import CONVENTIONS
from cta_data.scoring.models.findings import REFERENCE
from cta_data.study.session_id import SessionId
from cta_data.study.tables import ImageRow, TransformRow

POINT_RAS = np.array([23.0, -31.0, 17.0])
"""Where the marker is, mm, in the space of MPRAGE."""
MPRAGE = np.array([[-1.0, 0, 0, 60], [0, 1.0, 0, -70], [0, 0, 1.5, -40], [0, 0, 0, 1]])
"""Voxel index to RAS mm; stored from right to left, as masks of the scores are not."""


def rotation(degrees: float) -> np.ndarray:
    """About the axis (1, 2, 3)."""
    axis = np.array([1.0, 2.0, 3.0]) / np.sqrt(14)
    cross = np.cross(np.eye(3), axis)
    turn = np.radians(degrees)
    return np.eye(3) - np.sin(turn) * cross + (1 - np.cos(turn)) * cross @ cross


def registration(degrees: float) -> sitk.AffineTransform:
    """Points of MPRAGE to points of SPACE (LPS, mm): turned and shifted."""
    transform = sitk.AffineTransform(3)
    transform.SetMatrix(rotation(degrees).ravel().tolist())
    transform.SetTranslation((9.0, -6.0, 4.0))
    return transform


def ras(point_lps: Any) -> np.ndarray:
    return np.array(point_lps) * (-1, -1, 1)


def marked(affine: np.ndarray, point_ras: np.ndarray, value: int = 100) -> np.ndarray:
    """Voxels (z, y, x) that are 10 but for the one nearest to a point."""
    voxels = np.full((60, 130, 120), 10, np.int16)
    x, y, z = np.rint(np.linalg.solve(affine, [*point_ras, 1])[:3]).astype(int)
    voxels[z, y, x] = value
    return voxels


def session(tmp_path: Path, degrees: float = 25.0) -> tuple[SessionRows, dict[str, Path]]:
    """MPRAGE and SPACE with a bright voxel at the same place of the head, registered; and masks."""
    transform = registration(degrees)
    inside = ras(transform.TransformPoint((POINT_RAS * (-1, -1, 1)).tolist()))
    space = np.eye(4)
    space[:3, :3] = rotation(8) @ np.diag([0.9, 1.1, 1.2])
    space[:3, 3] = inside - space[:3, :3] @ (40, 70, 25)  # the marker is a voxel of SPACE
    grids = {"MPRAGE": (MPRAGE, POINT_RAS), "SPACE": (space, inside)}
    masks = {}
    for technique, (affine, point) in grids.items():
        write_voxels(marked(affine, point), affine, tmp_path / f"{technique}.nii.gz")
        mask = (marked(affine, point) > 50).astype(np.uint8)
        mask[5, 5, 5:8] = 1  # another lesion, so that the number matters
        masks[technique] = tmp_path / f"mask_{technique}.nii.gz"
        write_voxels(mask, affine, masks[technique])
    sitk.WriteTransform(transform, str(tmp_path / "reg.tfm"))
    own = SessionId("internal", "1", "1").columns() | {"contrast_phase": "late", "description": ""}
    images = {
        t: typed(ImageRow, own | {"technique": t, "path": f"{t}.nii.gz", "modality": "MR"})
        for t in grids
    }
    pair = {"fixed": "MPRAGE", "moving": "SPACE", "path": "reg.tfm"}
    registered = typed(TransformRow, SessionId("internal", "1", "1").columns() | pair)
    return SessionRows("MPRAGE", images, {}, (registered,)), masks


def crops_of(tmp_path: Path, files: SessionRows, mask: Path) -> CaseCrops:
    study: Any = SimpleNamespace(root=tmp_path)
    masks = Masks("c1", mask, {"A": mask})
    return CaseCrops(study, files, masks, CONVENTIONS["article"], {})


def marker_mm(values: np.ndarray, pixel_mm: float) -> np.ndarray:
    """Offset of the bright spot from the centre of a crop (down, right), mm."""
    bright = np.where(values > (values.max() + values.min()) / 2, values, 0)
    place = np.array([(g * bright).sum() / bright.sum() for g in np.indices(values.shape)])
    return (place - (np.array(values.shape) - 1) / 2) * pixel_mm


@pytest.mark.parametrize("grid", ["MPRAGE", "SPACE"])
@pytest.mark.parametrize("degrees", [0.0, 25.0, -70.0])
def test_the_marker_is_at_the_centre_on_every_technique(
    tmp_path: Path, grid: str, degrees: float
) -> None:
    """A bright voxel at a known RAS point: also in the image that is rotated against the masks'."""
    files, masks = session(tmp_path, degrees)
    crops = crops_of(tmp_path, files, masks[grid])
    for origin in (REFERENCE, "A"):
        drawn = crops.crops(origin, 2)
        assert [crop.technique for crop in drawn] == ["MPRAGE", "SPACE"]
        for crop in drawn:
            assert crop.values.max() > 3 * np.median(crop.values)
            assert np.abs(marker_mm(crop.values, crop.pixel_mm)).max() < 0.6, crop.technique
            assert [outline.name for outline in crop.outlines] == ["reference", "model A"]
            middle = crop.values.shape[0] // 2
            assert crop.outlines[0].inside[middle, middle]


def test_a_wrong_registration_is_seen(tmp_path: Path) -> None:
    """With another rotation, the marker of the other technique is not at the centre: no luck."""
    files, masks = session(tmp_path)
    sitk.WriteTransform(registration(35.0), str(tmp_path / "reg.tfm"))
    first, second = crops_of(tmp_path, files, masks["MPRAGE"]).crops(REFERENCE, 2)
    assert np.abs(marker_mm(first.values, first.pixel_mm)).max() < 0.6
    gone = second.values.max() < 0.5 * first.values.max()
    assert gone or np.abs(marker_mm(second.values, second.pixel_mm)).max() > 2


def test_right_is_on_the_left_and_anterior_at_the_top(tmp_path: Path) -> None:
    """A bright voxel 6 mm to the right and 4 mm to the front of the finding is up on the left."""
    files, masks = session(tmp_path)
    aside = marked(MPRAGE, POINT_RAS + np.array([6.0, 4.0, 0.0]))
    write_voxels(aside, MPRAGE, tmp_path / "MPRAGE.nii.gz")
    crop = crops_of(tmp_path, files, masks["MPRAGE"]).crops(REFERENCE, 2)[0]
    # Right is +x in RAS: towards smaller columns.
    assert marker_mm(crop.values, crop.pixel_mm) == pytest.approx((-4, -6), abs=0.6)


def test_images_of_one_grid_need_no_registration_and_others_are_left_out(tmp_path: Path) -> None:
    """What was delivered on the masks' grid is shown; what nothing connects is told."""
    files, masks = session(tmp_path)
    alone = SessionRows("MPRAGE", files.images, {}, ())
    crops = crops_of(tmp_path, alone, masks["MPRAGE"])
    assert [crop.technique for crop in crops.crops(REFERENCE, 2)] == ["MPRAGE"]
    assert "no registration connects SPACE with MPRAGE" in crops.left_out["SPACE"]
    flair = {"FLAIR": files.images["MPRAGE"], **files.images}
    crops = crops_of(tmp_path, SessionRows("MPRAGE", flair, {}, ()), masks["MPRAGE"])
    assert [crop.technique for crop in crops.crops(REFERENCE, 2)] == ["MPRAGE", "FLAIR"]
    other_frame = {**flair, "FLAIR": replace(files.images["MPRAGE"], frame=2)}
    other_frame["MPRAGE"] = replace(files.images["MPRAGE"], frame=1)
    crops = crops_of(tmp_path, SessionRows("MPRAGE", other_frame, {}, ()), masks["MPRAGE"])
    assert set(crops.left_out) == {"FLAIR", "SPACE"}


def test_what_cannot_be_placed_is_refused(tmp_path: Path) -> None:
    """A mask on the grid of no image, a lesion that is not there, a file that is gone."""
    files, masks = session(tmp_path)
    with pytest.raises(DataRefused, check=has_reason("lesion_not_in_mask", lesion=9)):
        crops_of(tmp_path, files, masks["MPRAGE"]).crops(REFERENCE, 9)
    shifted = MPRAGE.copy()
    shifted[0, 3] += 1
    write_voxels(np.ones((60, 130, 120), np.uint8), shifted, tmp_path / "shifted.nii.gz")
    with pytest.raises(DataRefused, check=has_reason("mask_grid_unknown")):
        crops_of(tmp_path, files, tmp_path / "shifted.nii.gz")
    (tmp_path / "SPACE.nii.gz").unlink()
    with pytest.raises(DataRefused, check=has_reason("picture_file_missing")):
        crops_of(tmp_path, files, masks["MPRAGE"])


def test_a_false_positive_tells_which_reference_lesions_it_overlaps(tmp_path: Path) -> None:
    """None, or their numbers."""
    files, masks = session(tmp_path)
    crops = crops_of(tmp_path, files, masks["MPRAGE"])
    assert crops.overlapped("A", 2) == (2,)
    empty = np.zeros((60, 130, 120), np.uint8)
    empty[50, 50, 50] = 1
    write_voxels(empty, MPRAGE, tmp_path / "other.nii.gz")
    study: Any = SimpleNamespace(root=tmp_path)
    lonely = Masks("c1", masks["MPRAGE"], {"A": tmp_path / "other.nii.gz"})
    assert CaseCrops(study, files, lonely, CONVENTIONS["article"], {}).overlapped("A", 1) == ()
