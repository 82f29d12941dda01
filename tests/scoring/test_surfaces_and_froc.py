"""Surface distances against SimpleITK and by hand; FROC by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
import SimpleITK as sitk

from cta_data.scoring import ARTICLE, find_instances
from cta_data.scoring.models.froc import froc
from cta_data.scoring.surfaces import lesion_distances, mask_distances


def ball(centre: tuple[float, float, float], radius: float) -> np.ndarray:
    at = np.indices((24, 26, 28)) - np.array(centre)[:, None, None, None]
    return np.asarray((at**2).sum(axis=0) <= radius**2).astype(np.uint8)


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (0.7, 0.9, 3.0)])
def test_the_largest_distance_is_simpleitk_s(spacing: tuple[float, float, float]) -> None:
    """Hausdorff distance of two balls, in mm, on cubes and on thick slices."""
    a, b = ball((11, 12, 13), 5.2), ball((12, 10, 14), 6.1)
    images = []
    for mask in (a, b):
        image = sitk.GetImageFromArray(mask)
        image.SetSpacing(spacing)
        images.append(image)
    known = sitk.HausdorffDistanceImageFilter()
    known.Execute(*images)
    found = mask_distances(*(find_instances(m, ARTICLE) for m in (a, b)), spacing)
    assert found.hausdorff_mm == pytest.approx(known.GetHausdorffDistance(), rel=1e-6)
    assert found.mean_surface_mm <= found.hausdorff95_mm <= found.hausdorff_mm


def test_a_shifted_box_by_hand() -> None:
    """Two boxes two voxels apart along x, voxels of 1.5 mm there: 3 mm at most; itself: 0."""
    a = np.zeros((10, 10, 20), np.uint8)
    a[3:6, 3:6, 3:6] = 1
    b = np.roll(a, 2, axis=2)
    first, second = (find_instances(mask, ARTICLE) for mask in (a, b))
    assert lesion_distances(first, second, (0, 0), (1.5, 1, 1)).hausdorff_mm == pytest.approx(3.0)
    same = lesion_distances(first, first, (0, 0), (1.5, 1, 1))
    assert (same.hausdorff_mm, same.hausdorff95_mm, same.mean_surface_mm) == (0.0, 0.0, 0.0)


def test_one_lesion_is_measured_apart_from_the_others() -> None:
    """A far lesion changes the distance of the masks and not that of the pair."""
    a, b = ball((8, 8, 8), 3), ball((8, 8, 9), 3)
    far = b.copy()
    far[20, 20, 20] = 1
    first, second = (find_instances(mask, ARTICLE) for mask in (a, far))
    near = lesion_distances(first, second, (0, 0), (1, 1, 1))
    assert near.hausdorff_mm < 2 < mask_distances(first, second, (1, 1, 1)).hausdorff_mm


def test_nothing_has_no_distance() -> None:
    """Undefined, and not zero."""
    empty = find_instances(np.zeros((4, 4, 4), np.uint8), ARTICLE)
    full = find_instances(np.ones((4, 4, 4), np.uint8), ARTICLE)
    assert math.isnan(mask_distances(full, empty, (1, 1, 1)).hausdorff_mm)


def test_froc_by_hand() -> None:
    """Two lesions with probabilities 0.9 and 0.4, a false one with 0.6: three operating points."""
    reference = np.zeros((4, 4, 30), np.uint8)
    reference[1, 1, 2:6] = reference[1, 1, 12:16] = 1
    probability = np.zeros(reference.shape)
    probability[1, 1, 2:6], probability[1, 1, 12:16], probability[3, 3, 20:24] = 0.9, 0.4, 0.6
    empty = np.zeros_like(reference)
    rows = froc([(reference, probability), (empty, np.zeros(empty.shape))], (0.3, 0.5, 0.8))
    assert rows["tp"].tolist() == [2, 1, 1]
    assert rows["fp"].tolist() == [1, 1, 0]
    assert rows["sensitivity"].tolist() == [1.0, 0.5, 0.5]
    assert rows["fp_per_case"].tolist() == [0.5, 0.5, 0.0]
    none = froc([(empty, np.zeros(empty.shape))], (0.5,))
    assert math.isnan(none["sensitivity"].iloc[0])


@pytest.mark.parametrize("wrong", [np.full((2, 2, 2), 1.5), np.full((2, 2, 2), np.nan)])
def test_what_is_no_probability_is_refused(wrong: np.ndarray) -> None:
    """Logits or NaN give no curve."""
    with pytest.raises(ValueError, match="between 0 and 1"):
        froc([(np.ones((2, 2, 2), np.uint8), wrong)])
