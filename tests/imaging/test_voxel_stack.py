"""Masks go to other grids as the shape behind them, and to their own voxels as they are."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st

from cta_data.imaging.geometry.grid import Grid
from cta_data.imaging.lesions.mask_transfer import transfer_mask
from cta_data.imaging.lesions.voxel_stack import shape_of_voxels, stack_of_voxels

IDENTITY = sitk.Transform(3, sitk.sitkIdentity)


def grid_of(spacing: tuple[float, float, float], size: int = 40) -> Grid:
    direction = sitk.Euler3DTransform(sitk.Euler3DTransform())
    direction.SetRotation(0.2, -0.1, 0.3)
    return Grid(
        (size, size, size),
        np.array(spacing),
        np.array([-12.0, 7.0, 3.0]),
        np.array(direction.GetMatrix()).reshape(3, 3),
    )


def ball(grid: Grid, radius_mm: float) -> np.ndarray:
    index = np.stack(np.meshgrid(*[np.arange(n) for n in grid.size], indexing="ij"), -1)
    middle = grid.to_point(np.array([[n / 2 - 0.3 for n in grid.size]]))[0]
    distance = np.linalg.norm(grid.to_point(index.reshape(-1, 3)) - middle, axis=1)
    return np.asarray((distance <= radius_mm).reshape(grid.size).T)


def test_a_shape_keeps_volume_and_place_of_its_voxels() -> None:
    """Of balls from one voxel to a thousand, on cubes and on thick slices."""
    for spacing in ((1.0, 1.0, 1.0), (0.9, 0.9, 3.0)):
        grid = grid_of(spacing, 24)
        for radius in (1.0, 1.7, 3.0, 6.0):
            voxels = ball(grid, radius)
            assert voxels.any()
            own = stack_of_voxels(voxels, (0, 0, 0), grid)
            shape = shape_of_voxels(voxels, (0, 0, 0), grid)
            assert own.volume_mm3 == pytest.approx(voxels.sum() * np.prod(spacing))
            # Levels that tie stay together: a lesion of one voxel has eight corners alike.
            few = 0.13 if voxels.sum() < 10 else 0.02
            assert shape.volume_mm3 == pytest.approx(own.volume_mm3, rel=few)
            assert np.linalg.norm(shape.centroid_lps_mm - own.centroid_lps_mm) < 0.1


def test_a_shape_is_nearer_to_the_ball_than_its_voxels_are() -> None:
    """Points within a ball of 4 mm, drawn on slices of 3 mm: fewer are told wrongly."""
    grid = grid_of((1.0, 1.0, 3.0))
    voxels = ball(grid, 4.0)
    middle = grid.to_point(np.array([[n / 2 - 0.3 for n in grid.size]]))[0]
    points = middle + np.random.default_rng(3).uniform(-6, 6, (20_000, 3))
    truth = np.linalg.norm(points - middle, axis=1) <= 4.0
    wrong = []
    for stack in (
        stack_of_voxels(voxels, (0, 0, 0), grid),
        shape_of_voxels(voxels, (0, 0, 0), grid),
    ):
        local = (points - stack.origin) @ stack.to_local.T
        told = stack.contains(local[:, 0], local[:, 1], local[:, 2])
        wrong.append(int((told != truth).sum()))
    assert wrong[1] < 0.7 * wrong[0]


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), axis=st.integers(0, 2), shift=st.integers(-4, 4))
def test_on_the_same_voxels_a_mask_is_not_touched(seed: int, axis: int, shift: int) -> None:
    """Whatever the mask: cropped, turned by a right angle or mirrored in storage, values stay."""
    rng = np.random.default_rng(seed)
    voxels = (rng.random((8, 8, 8)) < 0.1).astype(np.uint8) * rng.integers(1, 3, (8, 8, 8))
    mask = grid_of((0.8, 1.1, 2.0), 8).image(voxels.astype(np.uint8))
    target = sitk.Flip(mask, [axis == i for i in range(3)])
    target = sitk.PermuteAxes(target, [1, 2, 0])[2:, :, : 8 + min(shift, 0)]
    moved = transfer_mask(mask, mask, target, IDENTITY).mask
    assert (sitk.GetArrayViewFromImage(moved) == sitk.GetArrayViewFromImage(target)).all()


def test_there_and_back_keeps_small_lesions() -> None:
    """Through 25 degrees and a finer grid and back: Dice above 0.85 from 30 voxels on."""
    grid = grid_of((1.0, 1.0, 1.0))
    turn = sitk.Euler3DTransform()
    turn.SetCenter(grid.to_point(np.array([[20.0, 20.0, 20.0]]))[0].tolist())
    turn.SetRotation(0.2, -0.3, 0.25)
    fine = Grid(grid.size, grid.spacing * 0.9, grid.origin + 1.3, grid.direction)
    for radius in (2.0, 3.0, 5.0):
        voxels = ball(grid, radius)
        mask, target = grid.image(voxels.astype(np.uint8)), fine.image(voxels.astype(np.uint8))
        there = transfer_mask(mask, mask, target, turn).mask
        back = transfer_mask(there, target, mask, turn.GetInverse()).mask
        found = sitk.GetArrayViewFromImage(back) > 0
        dice = 2 * (found & voxels).sum() / (found.sum() + voxels.sum())
        assert dice > 0.85, radius


def test_a_thin_lesion_arrives_in_one_part() -> None:
    """Two balls joined by a neck of one voxel stay one lesion, of the same number of voxels."""
    grid = grid_of((1.0, 1.0, 1.0))
    at = np.indices(grid.size[::-1])
    voxels = np.zeros(grid.size[::-1], bool)
    for centre in (12, 20):
        voxels |= (at[2] - centre) ** 2 + (at[1] - 20) ** 2 + (at[0] - 20) ** 2 <= 9
    voxels[20, 20, 16] = True
    mask = grid.image(voxels.astype(np.uint8))
    for angle in np.linspace(0.05, 0.75, 8):
        turn = sitk.Euler3DTransform()
        turn.SetCenter(grid.to_point(np.array([[18.0, 20.0, 20.0]]))[0].tolist())
        turn.SetRotation(angle, 0.3, angle)
        [row] = transfer_mask(mask, mask, mask, turn).per_lesion
        assert "several_components" not in row.flags
        assert row.n_voxels == voxels.sum()
