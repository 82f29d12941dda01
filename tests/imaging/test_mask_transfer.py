from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk
from helpers.refusals import has_reason
from hypothesis import given, settings
from hypothesis import strategies as st

from cta_data.errors import DataRefused
from cta_data.imaging.lesions.mask_transfer import lesions_from_mask, transfer_mask

IDENTITY = sitk.AffineTransform(3)


def as_image(voxels: np.ndarray, spacing: tuple[float, ...] = (1.0, 1.0, 1.0)) -> sitk.Image:
    image = sitk.GetImageFromArray(voxels)
    image.SetSpacing(spacing)
    return image


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6))
def test_identity_gives_the_mask_back(seed: int) -> None:
    """Any mask of several values comes back voxel for voxel, in its own pixel type."""
    random = np.random.default_rng(seed)
    voxels = random.choice([0, 0, 0, 1, 2, 7], (9, 10, 11)).astype(np.int16)
    mask = as_image(voxels, (0.9, 1.1, 2.0))
    result = transfer_mask(mask, mask, mask, IDENTITY)
    assert result.mask.GetPixelID() == mask.GetPixelID()
    assert np.array_equal(sitk.GetArrayFromImage(result.mask), voxels)
    assert all(row.volume_ratio == pytest.approx(1) for row in result.per_lesion)


def test_every_component_arrives_on_a_rotated_grid() -> None:
    """Thirty single voxels and blocks keep their values and volumes under a rotation."""
    random = np.random.default_rng(2)
    voxels = np.zeros((40, 40, 40), np.uint8)
    for number in range(30):
        z, y, x = 4 + 8 * np.array(np.unravel_index(number * 2, (4, 4, 4)))
        size = 1 + number % 4
        voxels[z : z + size, y : y + size, x : x + size] = 1 + random.integers(3)
    mask = as_image(voxels)
    rotation = sitk.Euler3DTransform((20, 20, 20), 0.3, -0.2, 0.25)
    target = as_image(np.zeros((70, 70, 70), np.uint8), (0.9, 0.8, 1.0))
    target.SetOrigin((-12, -8, -15))
    result = transfer_mask(mask, mask, target, rotation)
    assert len(result.per_lesion) == 30
    voxel = 0.9 * 0.8
    for row in result.per_lesion:
        assert row.lost_reason is None
        assert abs(row.volume_mm3 - row.volume_drawn_mm3) <= voxel / 2 + 1e-9
    assert set(np.unique(sitk.GetArrayFromImage(result.mask))) == set(np.unique(voxels))


def test_masks_that_are_no_labels_are_refused() -> None:
    """Fractions are refused; whole numbers stored as float are taken."""
    fractions = as_image(np.full((5, 5, 5), 0.25, np.float32))
    with pytest.raises(DataRefused, check=has_reason("mask_values_fractional", some="0.25")):
        transfer_mask(fractions, fractions, fractions, IDENTITY)
    whole = as_image(np.ones((5, 5, 5), np.float32))
    assert len(lesions_from_mask(whole)) == 1


def test_a_mask_on_another_grid_than_its_image_is_refused() -> None:
    """A mask that does not lie on the moving image is refused, and both grids are shown."""
    mask = as_image(np.ones((5, 5, 5), np.uint8))
    moving = as_image(np.ones((5, 5, 5), np.uint8), (1.0, 1.0, 1.5))
    with pytest.raises(DataRefused) as refused:
        transfer_mask(mask, moving, moving, IDENTITY)
    assert "of 1 × 1 × 1 mm" in refused.value.why and "of 1 × 1 × 1.5 mm" in refused.value.why


def test_an_empty_mask_stays_empty() -> None:
    """A mask without lesion gives an empty mask and no row."""
    empty = as_image(np.zeros((5, 5, 5), np.uint8))
    result = transfer_mask(empty, empty, empty, IDENTITY)
    assert result.per_lesion == () and not sitk.GetArrayFromImage(result.mask).any()
