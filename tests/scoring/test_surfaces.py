"""Surface distances against known answers and by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from cta_data.imaging.geometry.surface_elements import element_areas, surface_elements
from cta_data.scoring import ARTICLE, find_instances
from cta_data.scoring.surfaces import DISTANCES, lesion_distances, mask_distances


def ball(centre: tuple[float, float, float], radius: float) -> np.ndarray:
    at = np.indices((24, 26, 28)) - np.array(centre)[:, None, None, None]
    return np.asarray((at**2).sum(axis=0) <= radius**2).astype(np.uint8)


def loose() -> np.ndarray:
    """Four voxels in a row that turns twice, three that touch by corners, and one alone."""
    mask = np.zeros((24, 26, 28), np.uint8)
    row = [(5, 5, 5), (5, 5, 6), (5, 6, 6), (6, 6, 6)]
    for voxel in (*row, (9, 9, 9), (10, 10, 10), (9, 10, 11), (12, 3, 3)):
        mask[voxel] = 1
    return mask


CUBES, SLICES = (1.0, 1.0, 1.0), (0.7, 0.9, 3.0)  # along z, y, x
KNOWN = [
    ("balls", CUBES, (3.464101615, 2.828427125, 1.041697616, 0.308374911, 0.626018129)),
    ("balls", SLICES, (6.264183905, 3.43074336, 1.006040818, 0.306299333, 0.584328453)),
    ("loose", CUBES, (4.69041576, 4.123105626, 1.469308118, 0.143163664, 0.3116323)),
    ("loose", SLICES, (5.848931526, 4.912229636, 1.715106674, 0.159264656, 0.259539029)),
]
"""What surface-distance 0.1 returned, and of the means of both directions the mean."""


@pytest.mark.parametrize(("masks", "spacing", "known"), KNOWN)
def test_distances_are_those_of_surface_distance(
    masks: str, spacing: tuple[float, float, float], known: tuple[float, ...]
) -> None:
    """All five figures, on cubes and on thick slices; of single voxels and odd shapes, too."""
    balls = ball((11, 12, 13), 5.2), ball((12, 10, 14), 6.1)
    a, b = balls if masks == "balls" else (loose(), ball((7, 7, 7), 3.1))
    found = mask_distances(*(find_instances(m, ARTICLE) for m in (a, b)), spacing[::-1])
    assert tuple(getattr(found, name) for name in DISTANCES) == pytest.approx(known, abs=1e-8)


def test_the_surface_of_a_box_by_hand() -> None:
    """Faces count whole, edges as a bevel of 1/√2, corners as a triangle of √3/8, in mm² each."""
    box = np.zeros((9, 9, 9), bool)
    box[2:7, 2:7, 2:7] = True
    _, codes = surface_elements(box)
    areas = element_areas(np.ones(3))[codes]
    assert areas.sum() == pytest.approx(6 * 16 + 12 * 4 / math.sqrt(2) + 8 * math.sqrt(3) / 8)


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
