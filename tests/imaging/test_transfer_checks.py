"""What a transfer did to a lesion is measured, and told where it is out of limits."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk
from helpers.refusals import require_reason

from cta_data.imaging.geometry.grid import Grid
from cta_data.imaging.lesions.coverage import PointMap
from cta_data.imaging.lesions.drawn_lesions import DrawnLesion
from cta_data.imaging.lesions.label_transfer import TransferResult, transfer_lesions
from cta_data.imaging.lesions.mask_transfer import lesions_from_mask
from cta_data.imaging.lesions.surface_distance import largest_surface_distance_mm
from cta_data.imaging.lesions.transfer_checks import TransferCheck, check_transfer, untouched
from cta_data.imaging.lesions.transfer_limits import TransferLimits, limits_of
from cta_data.reasons import Reason

SPACING = (1.0, 1.0, 1.0)
IDENTITY = sitk.Transform(3, sitk.sitkIdentity)


def codes(check: TransferCheck) -> list[str]:
    return [reason.code for reason in check.reasons]


def image(voxels: np.ndarray, origin: tuple[float, float, float] = (0, 0, 0)) -> sitk.Image:
    made = sitk.GetImageFromArray(voxels.astype(np.uint8))
    made.SetSpacing(SPACING)
    made.SetOrigin(origin)
    return made


def ball(radius: float, size: int = 40, centre: float = 20.0) -> np.ndarray:
    at = np.indices((size,) * 3) - centre
    return (at**2).sum(axis=0) <= radius**2


def checked(
    mask: sitk.Image,
    transform: sitk.Transform,
    target: sitk.Image,
    change: np.ndarray | None = None,
    **limits: float,
) -> TransferCheck:
    """Carry the one lesion of a mask, spoil what arrived where `change` says, and check it."""
    lesions = lesions_from_mask(mask)
    result = transfer_lesions(lesions, transform, target)
    if change is not None:
        result = TransferResult(Grid.of(target).image(change.astype(np.uint16)), result.per_lesion)
    [one] = check_transfer(lesions, result, transform, Grid.of(mask), limits_of(limits))
    return one


def turned(degrees: float = 20.0) -> sitk.Transform:
    turn = sitk.Euler3DTransform()
    turn.SetCenter((20.0, 20.0, 20.0))
    turn.SetRotation(0.1, np.radians(degrees), 0.2)
    turn.SetTranslation((0.4, -0.3, 0.7))
    return turn


def test_a_rigid_transfer_passes_with_numbers_near_their_ideal() -> None:
    """A ball of 6 mm: volume kept to a voxel, shift and surface far below a voxel, one part."""
    mask = image(ball(6.0))
    found = checked(mask, turned(), mask)
    assert found.reasons == ()
    assert found.volume_ratio == pytest.approx(1.0, abs=0.01)
    assert found.volume_scale == pytest.approx(1.0)
    assert found.centroid_shift_mm is not None and found.centroid_shift_mm < 0.1
    assert found.surface_distance_mm is not None and found.surface_distance_mm < 1.3
    assert found.dice_there_and_back is not None and found.dice_there_and_back > 0.9
    assert (found.components_drawn, found.components_arrived) == (1, 1)


def test_what_the_field_of_view_cuts_off_counts_as_lost_volume() -> None:
    """Half a ball outside the target: the ratio is a half, though the part inside is complete."""
    mask = image(ball(6.0))
    target = image(np.zeros((40, 40, 20)), origin=(20.5, 0, 0))
    found = checked(mask, IDENTITY, target)
    assert found.volume_ratio == pytest.approx(0.46, abs=0.05)
    assert any("in the field of view" in str(reason) for reason in found.reasons)


def test_a_lesion_outside_is_lost_with_its_reason() -> None:
    """Nothing can be measured of it; volume ratio and Dice are 0."""
    found = checked(image(ball(4.0)), IDENTITY, image(ball(4.0), origin=(200.0, 0, 0)))
    assert found.volume_ratio == 0.0 and found.dice_there_and_back == 0.0
    assert found.surface_distance_mm is None and found.centroid_shift_mm is None
    assert found.reasons[0].code == "lesion_lost"


def test_a_transform_that_swells_a_lesion_is_told() -> None:
    """An affine map that doubles volume keeps the ratio, so its scale is judged apart."""
    swell = sitk.AffineTransform(3)
    swell.SetCenter((20.0, 20.0, 20.0))
    swell.Scale(0.5 ** (1 / 3))
    mask = image(ball(5.0))
    found = checked(mask, swell, mask)
    assert found.volume_ratio == pytest.approx(1.0, abs=0.02)
    assert found.volume_scale == pytest.approx(2.0)
    [reason] = found.reasons
    require_reason(reason, "volume_scale_out_of_limits", scale=pytest.approx(2.0, abs=0.01))


def test_a_piece_that_lies_apart_is_seen_by_distance_and_number_of_parts() -> None:
    """Ten voxels put 10 mm away: the surface distance tells, and one part became two."""
    voxels = ball(6.0)
    spoilt = voxels.copy()
    spoilt[20, 20, 35:37] = True
    mask = image(voxels)
    found = checked(mask, IDENTITY, mask, spoilt)
    assert found.surface_distance_mm == pytest.approx(10.0, abs=0.8)
    assert Reason("lesion_split", n_drawn=1, n_arrived=2) in found.reasons
    assert "surface_distance_too_large" in codes(found)


def test_a_displaced_result_comes_back_displaced() -> None:
    """Voxels moved by 4 of a ball's 8 mm: there and back is poor, and the limit says so."""
    voxels = ball(4.0)
    mask = image(voxels)
    found = checked(mask, IDENTITY, mask, np.roll(voxels, 4, axis=2))
    shared = (voxels & np.roll(voxels, 4, axis=2)).sum() / voxels.sum()
    assert found.dice_there_and_back == pytest.approx(shared)
    assert "dice_there_and_back_too_small" in codes(found)


def test_a_single_voxel_may_be_rounded() -> None:
    """A lesion of a quarter of a voxel is given one: four times its volume, and no reason."""
    mask = image(ball(0.0))
    coarse = sitk.GetImageFromArray(np.zeros((20, 20, 10), np.uint8))
    coarse.SetSpacing((4.0, 2.0, 2.0))
    found = checked(mask, IDENTITY, coarse)
    assert found.volume_ratio > 3 and found.reasons == ()


def test_limits_are_what_the_configuration_names() -> None:
    """A stricter limit of one value turns a pass into a reason, and leaves the others."""
    mask = image(ball(6.0))
    assert checked(mask, turned(), mask).reasons == ()
    strict = checked(mask, turned(), mask, most_surface_distance_diagonals=0.1)
    assert codes(strict) == ["surface_distance_too_large"]
    assert limits_of({}) == TransferLimits()


def deformation(amplitude_mm: float) -> sitk.DisplacementFieldTransform:
    x = np.arange(40, dtype=np.float64)
    vectors = np.zeros((40, 40, 40, 3))
    vectors[..., 0] = amplitude_mm * np.sin(2 * np.pi * x / 20)
    return sitk.DisplacementFieldTransform(sitk.GetImageFromArray(vectors, isVector=True))


def test_a_deformation_brings_a_lesion_back() -> None:
    """There and back through a smooth field, a ball is nearly what it was."""
    mask = image(ball(5.0))
    found = checked(mask, deformation(0.4), mask)
    assert found.dice_there_and_back is not None and found.dice_there_and_back > 0.95
    assert found.reasons == ()


def test_a_deformation_that_folds_has_no_way_back() -> None:
    """There-and-back is unknown, not zero, and is no reason."""
    mask = image(ball(5.0))
    found = checked(mask, deformation(8.0), mask)
    assert found.dice_there_and_back is None
    assert "dice_there_and_back_too_small" not in codes(found)


def test_on_its_own_grid_nothing_happened() -> None:
    """A mask's lesions are what they are, with as many parts as they have."""
    voxels = ball(3.0)
    voxels[2, 2, 2] = True
    mask = image(voxels)
    lesions = lesions_from_mask(mask)
    rows = untouched(transfer_lesions(lesions, IDENTITY, mask))
    assert [row.reasons for row in rows] == [(), ()]
    assert {row.volume_ratio for row in rows} == {1.0}


@pytest.mark.parametrize("shift", [1, 3, 7])
def test_the_surface_distance_of_a_shifted_box_is_the_shift(shift: int) -> None:
    """Known answer: a box of voxels moved along an axis lies exactly that far away."""
    voxels = np.zeros((30, 30, 30), bool)
    voxels[10:16, 10:16, 10:16] = True
    [lesion] = lesions_from_mask(image(voxels))
    assert isinstance(lesion, DrawnLesion) and lesion.voxels is not None
    point_map = PointMap(IDENTITY, Grid.of(image(voxels)))
    moved = largest_surface_distance_mm(
        lesion.voxels, point_map, np.ones((6, 6, 6), bool), (10 + shift, 10, 10)
    )
    assert moved == pytest.approx(shift, abs=0.02)
    still = largest_surface_distance_mm(
        lesion.voxels, point_map, np.ones((6, 6, 6), bool), (10, 10, 10)
    )
    assert still == 0.0
