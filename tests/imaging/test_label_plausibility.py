"""Annotations that cannot be right are refused or shown; what can be right is neither."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk

from cta_data.imaging.lesions.mask_lesions import MaskMeaning, lesions_of_masks
from cta_data.imaging.lesions.plausibility import (
    alike_labels,
    brain_size,
    lesions_too_large,
    planes_apart,
    share_without_image,
)
from cta_data.imaging.rasterization.contour_planes import planes_of_rois
from cta_data.imaging.rasterization.contours import Contour, Roi


def box(spacing_mm: float, voxels: int = 40) -> sitk.Image:
    """A brain of this many voxels in each direction."""
    mask = np.pad(np.ones((voxels,) * 3, np.uint8), 3)
    image = sitk.GetImageFromArray(mask)
    image.SetSpacing((spacing_mm,) * 3)
    return image


@pytest.mark.parametrize(
    ("spacing_mm", "impossible", "shown"),
    [(0.1, True, False), (0.3, False, True), (2.5, False, False), (5.0, False, True)],
)
def test_the_size_of_a_brain(spacing_mm: float, impossible: bool, shown: bool) -> None:
    """4 mm are no brain, 12 mm and 200 mm are shown, 100 mm (1,000 cm³) are one."""
    refused, look_at = brain_size(box(spacing_mm))
    assert (bool(refused), bool(look_at)) == (impossible, shown)


def test_the_largest_metastasis_is_one() -> None:
    """100 cm³ in a brain of 1,200 pass; a brain that is lesion does not, and is named."""
    assert lesions_too_large({1: 100.0, 2: 0.01}, 1200.0) == []
    [found] = lesions_too_large({1: 0.1, 2: 1200.0}, 1200.0)
    assert (found.code, found.values["lesion"]) == ("lesion_too_large", 2)


def test_a_mask_of_every_voxel_is_refused() -> None:
    """It has no background; a mask of all but one voxel has."""
    mask = np.ones((4, 5, 6), np.uint8)
    placed = sitk.GetImageFromArray(mask)
    assert lesions_of_masks([("met", mask)], MaskMeaning((1,)), placed).impossible
    mask[0, 0, 0] = 0
    assert not lesions_of_masks([("met", mask)], MaskMeaning((1,)), placed).impossible


@pytest.mark.parametrize(
    ("apart_mm", "impossible", "shown"),
    [(0.2, True, False), (1.0, False, False), (2.0, False, False), (12.0, False, True)],
)
def test_planes_against_slices(apart_mm: float, impossible: bool, shown: bool) -> None:
    """On slices of 2 mm: planes of 0.2 mm are written in cm; of 12 mm they are shown."""
    square = np.array([(-9.0, -9, 0), (9, -9, 0), (9, 9, 0), (-9, 9, 0)])
    contours = tuple(Contour(square + (0, 0, n * apart_mm)) for n in range(3))  # noqa: RUF005
    [drawn] = planes_of_rois([Roi(1, "GTV", contours=contours)], [2.0, 2.0, 2.0])
    assert drawn is not None
    refused, look_at = planes_apart("GTV", drawn, 2.0)
    assert (bool(refused), bool(look_at)) == (impossible, shown)


def test_one_label_under_two_patients() -> None:
    """Shown where their images differ; sessions of one patient, and copies of an image, are not."""
    same = [("a", "1", "image a", "label"), ("b", "2", "image b", "label")]
    other = [("c", "3", "image c", "own"), ("d", "3", "image d", "own")]
    copies = [("e", "4", "image e", "third"), ("f", "5", "image e", "third")]
    [found] = alike_labels([*same, *other, *copies])
    assert found.startswith("a and b ")


def test_a_label_where_nothing_is() -> None:
    """The share of a label outside of an image of the brain alone."""
    image = box(1.0)
    label = np.zeros(sitk.GetArrayViewFromImage(image).shape, np.uint8)
    label[0:2, 5, 5] = 1
    assert share_without_image(sitk.GetImageFromArray(label), image) == 1.0
    label[5:7, 5, 5] = 1
    assert share_without_image(sitk.GetImageFromArray(label), image) == 0.5
