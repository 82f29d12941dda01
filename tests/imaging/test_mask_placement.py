"""Masks onto the voxels of their image: any order of axes, any extent, and no voxel in between."""

from __future__ import annotations

from itertools import permutations, product

import numpy as np
import pytest
import SimpleITK as sitk
from helpers.refusals import has_reason

from cta_data.errors import DataRefused
from cta_data.imaging.geometry.grid import Grid
from cta_data.imaging.lesions.mask_placement import onto_voxels, reordered

GRID = Grid(
    (9, 8, 7),
    np.array([0.9, 1.1, 2.0]),
    np.array([-11.0, 4.0, 30.0]),
    np.array([[0.8, -0.6, 0], [0.6, 0.8, 0], [0, 0, 1]]),
)


@pytest.fixture
def drawn() -> sitk.Image:
    """Values that differ from voxel to voxel, in a part of the grid."""
    voxels = np.zeros((7, 8, 9), np.uint8)
    voxels[2:5, 3:6, 1:7] = np.arange(1, 55).reshape(3, 3, 6)
    return GRID.image(voxels)


@pytest.mark.parametrize("axes", list(permutations(range(3))))
@pytest.mark.parametrize("flips", list(product((False, True), repeat=3)))
def test_every_order_and_direction_of_axes_gives_the_same_voxels(
    drawn: sitk.Image, axes: tuple[int, ...], flips: tuple[bool, ...]
) -> None:
    """All 48 ways to store a mask lead to the values that it was drawn with."""
    stored = sitk.PermuteAxes(drawn, axes)
    stored = sitk.Flip(stored, flips)
    assert np.array_equal(onto_voxels(stored, GRID), sitk.GetArrayFromImage(drawn))
    voxels = reordered(sitk.GetArrayFromImage(stored), stored, GRID)
    assert voxels is not None and np.array_equal(voxels, sitk.GetArrayFromImage(drawn))


def test_another_world_is_no_other_order(drawn: sitk.Image) -> None:
    """A part of the slices, or a shift of a tenth of a millimetre, is not reordered."""
    part, moved = drawn[1:8, :, 2:5], sitk.Image(drawn)
    moved.SetOrigin([value + 0.1 for value in drawn.GetOrigin()])
    for other in (part, moved):
        assert reordered(sitk.GetArrayFromImage(other), other, GRID) is None


def test_a_part_of_the_slices_is_enough(drawn: sitk.Image) -> None:
    """A mask of some slices and columns lies where it was cut from; the rest is 0."""
    part = drawn[1:8, :, 2:5]
    assert np.array_equal(onto_voxels(part, GRID), sitk.GetArrayFromImage(drawn))


@pytest.mark.parametrize(("share", "told"), [(0.5, "0.50"), (-0.5, "0.50"), (0.2, "0.20")])
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_part_of_a_voxel_off_is_refused_with_the_offset(
    drawn: sitk.Image, axis: int, share: float, told: str
) -> None:
    """Half a voxel along any axis is no place of the image's, and the message says how far."""
    shift = np.zeros(3)
    shift[axis] = share
    drawn.SetOrigin(drawn.TransformContinuousIndexToPhysicalPoint(shift.tolist()))
    with pytest.raises(
        DataRefused, check=has_reason("mask_voxels_between_image_voxels")
    ) as refused:
        onto_voxels(drawn, GRID)
    offsets = refused.value.why.split(" voxels")[0].removeprefix("off by ").split(", ")
    assert offsets[axis] == told


def test_rounded_positions_pass(drawn: sitk.Image) -> None:
    """What writing decimals makes of a place is not an offset."""
    drawn.SetOrigin([round(value, 2) + 0.004 for value in drawn.GetOrigin()])
    assert onto_voxels(drawn, GRID).any()


@pytest.mark.parametrize("factor", [0.5, 1.3, 2.0])
@pytest.mark.parametrize("alone", [False, True])
def test_other_voxels_are_refused(drawn: sitk.Image, factor: float, alone: bool) -> None:
    """Voxels of another size may meet the image's places, and are others all the same."""
    if alone:
        drawn = sitk.Cast(drawn == 1, sitk.sitkUInt8)
    drawn.SetSpacing([value * factor for value in drawn.GetSpacing()])
    with pytest.raises(DataRefused, check=has_reason("mask_voxels_between_image_voxels")):
        onto_voxels(drawn, GRID)


def test_what_reaches_beyond_the_image_is_refused(drawn: sitk.Image) -> None:
    """A whole number of voxels aside, a part of the mask would be lost."""
    drawn.SetOrigin(drawn.TransformIndexToPhysicalPoint((3, 0, 0)))
    with pytest.raises(DataRefused, check=has_reason("mask_outside_image")):
        onto_voxels(drawn, GRID)


def test_an_empty_mask_is_empty_wherever_it_lies(drawn: sitk.Image) -> None:
    """Nothing has no place to be off."""
    empty = drawn * 0
    empty.SetOrigin((0.4, 0.3, 0.2))
    assert not onto_voxels(empty, GRID).any()
