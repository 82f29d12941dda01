"""Distances inside of masks."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from cta_data.imaging.geometry.distances import box_around, depth_in_voxels


@pytest.mark.parametrize("share", [0.001, 0.5, 0.999])
def test_distances_are_those_of_scipy_to_the_last_bit(share: float) -> None:
    """Of masks that are nearly empty, half full and nearly full, on a grid of three lengths."""
    noise = np.random.default_rng(3).random((31, 20, 43))
    mask = ndimage.gaussian_filter(noise, 1.0)
    mask = mask < np.quantile(mask, share)
    assert mask.any() and not mask.all()
    assert (depth_in_voxels(mask) == ndimage.distance_transform_edt(mask)).all()


def test_a_mask_without_an_outside_is_infinitely_deep() -> None:
    """Nothing is near what is not there, and an empty mask has no depth."""
    full = np.ones((3, 4, 5), bool)
    assert np.isinf(depth_in_voxels(full)).all()
    assert (depth_in_voxels(~full) == 0).all()


def test_the_box_around_a_mask_holds_it_and_a_margin() -> None:
    """As far as the array goes; nothing is around an empty mask."""
    mask = np.zeros((9, 8, 7), bool)
    assert mask[box_around(mask, 2)].size == 0
    mask[4:6, 0, 5] = True
    assert box_around(mask, 0) == (slice(4, 6), slice(0, 1), slice(5, 6))
    assert mask[box_around(mask, 2)].shape == (6, 3, 4)
