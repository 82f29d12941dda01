"""Lesions and brain masks: what is cut is listed, what is protected is kept."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk
from helpers.refusals import has_reason
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from cta_data.errors import DataRefused
from cta_data.imaging.brain.masks import (
    apply_mask,
    depths_in_mask,
    lesions_cut_by_mask,
    protect_lesions,
)

SHAPE = (4, 5, 6)
LABELS = arrays.arrays(np.uint8, SHAPE, elements=st.integers(0, 3))
MASKS = arrays.arrays(np.uint8, SHAPE, elements=st.integers(0, 1))


@given(LABELS, MASKS)
def test_every_cut_voxel_is_counted(labels: np.ndarray, mask: np.ndarray) -> None:
    """The counts are those of a plain comparison, per lesion, in order of the ids."""
    cut = lesions_cut_by_mask(sitk.GetImageFromArray(labels), sitk.GetImageFromArray(mask))
    assert sum(one.n_outside for one in cut) == int(((labels > 0) & (mask == 0)).sum())
    assert [one.lesion_id for one in cut] == sorted({one.lesion_id for one in cut})
    for one in cut:
        assert one.n_voxels == int((labels == one.lesion_id).sum())
        assert 0 < one.fraction <= 1


@given(LABELS, MASKS, st.floats(0, 3))
def test_protected_lesions_are_never_cut(
    labels: np.ndarray, mask: np.ndarray, margin: float
) -> None:
    """After protection no lesion is cut, and nothing that was in the mask has left it."""
    label_image, mask_image = sitk.GetImageFromArray(labels), sitk.GetImageFromArray(mask)
    protected = protect_lesions(mask_image, label_image, margin)
    assert lesions_cut_by_mask(label_image, protected) == []
    assert (sitk.GetArrayFromImage(protected) >= mask).all()


def test_margin_is_in_millimetres() -> None:
    """A margin of 2 mm reaches two voxels of 1 mm and one of 2 mm, and no diagonal further."""
    labels = sitk.Image((9, 9, 9), sitk.sitkUInt8)
    labels.SetSpacing((1.0, 2.0, 4.0))
    labels[4, 4, 4] = 5
    grown = sitk.GetArrayFromImage(protect_lesions(labels * 0, labels, 2.0))
    expected = {(4, 4, x) for x in (2, 3, 4, 5, 6)} | {(4, 3, 4), (4, 5, 4)}
    assert {tuple(v) for v in np.argwhere(grown).tolist()} == expected


def test_outside_gets_the_value_and_inside_stays() -> None:
    """Applying a mask changes only what is outside it."""
    image = sitk.GetImageFromArray(np.arange(24, dtype=np.int16).reshape(2, 3, 4))
    mask = sitk.Cast(image >= 12, sitk.sitkUInt8)
    masked = sitk.GetArrayFromImage(apply_mask(image, mask, -7))
    assert (masked.ravel()[:12] == -7).all()
    assert masked.ravel()[12:].tolist() == list(range(12, 24))


def test_other_sizes_are_refused() -> None:
    """Labels and mask of different sizes are refused."""
    small, large = sitk.Image((3, 3, 3), sitk.sitkUInt8), sitk.Image((4, 3, 3), sitk.sitkUInt8)
    with pytest.raises(DataRefused, check=has_reason("image_grids_differ")):
        lesions_cut_by_mask(small, large)
    with pytest.raises(DataRefused, check=has_reason("image_grids_differ")):
        apply_mask(small, large)
    with pytest.raises(ValueError, match="negative"):
        protect_lesions(small, small, -1.0)


def test_depth_is_the_distance_to_the_surface_of_the_mask() -> None:
    """In a box of 9 × 9 × 5 voxels of 1 × 1 × 3 mm: from the middle along x; at a face; outside."""
    voxels = np.zeros((9, 15, 15), np.uint8)
    voxels[2:7, 3:12, 3:12] = 1
    mask = sitk.GetImageFromArray(voxels)
    mask.SetSpacing((1, 1, 3))
    mask.SetOrigin((10, 0, 0))
    points = [(-(10 + 7), -7, 12.0), (-(10 + 3), -7, 12.0), (-(10 + 1), -7, 12.0), (0, 0, 999.0)]
    assert depths_in_mask(mask, points) == pytest.approx([4, 0, 0, 0])
    empty = sitk.GetImageFromArray(np.zeros((3, 3, 3), np.uint8))
    assert depths_in_mask(empty, [(-1, -1, 1)]) == [0]
