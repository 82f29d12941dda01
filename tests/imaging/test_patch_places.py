"""Patches with and without a metastasis: where they are, and what is cut."""

from __future__ import annotations

import numpy as np
import pytest

from cta_data.imaging.geometry.distances import depth_in_voxels
from cta_data.imaging.lesions.patch_places import (
    DEPTH_TOLERANCE_MM,
    boxes_with,
    cut_patch,
    place_patches,
)

EDGE = 4


def head() -> np.ndarray:
    """A brain of 30 voxels along each axis, in a grid of 40."""
    brain = np.zeros((40, 40, 40), bool)
    brain[5:35, 5:35, 5:35] = True
    return brain


@pytest.mark.parametrize("edge", [1, 3, 4])
def test_a_box_with_a_voxel_is_one_whose_patch_holds_it(edge: int) -> None:
    """What the sums say of every centre, the patch that is cut there shows."""
    mask = np.random.default_rng(1).random((6, 7, 8)) < 0.02
    found = boxes_with(mask, edge)
    for centre in np.ndindex(mask.shape):
        patch = cut_patch(mask.astype(np.float32), (centre[0], centre[1], centre[2]), edge)
        assert found[centre] == patch.any()


def test_a_patch_at_the_border_is_filled() -> None:
    """The voxel of the centre is at half an edge; beyond the volume there is what was said."""
    volume = np.arange(27, dtype=np.float32).reshape(3, 3, 3) + 1
    patch = cut_patch(volume, (0, 1, 2), 2, outside=-1)
    assert patch.shape == (2, 2, 2) and patch[1, 1, 1] == volume[0, 1, 2]
    assert (patch[0] == -1).all()
    assert (cut_patch(volume, (50, 0, 0), 2) == 0).all()


def test_a_negative_matches_its_positive_in_depth_and_holds_no_lesion() -> None:
    """Each within 2 mm of depth, all voxels inside and free, and apart from the other negatives."""
    depth = depth_in_voxels(head()) * 1.0
    lesions = {1: (20, 20, 20), 2: (8, 20, 20), 7: (20, 30, 9)}
    occupied = np.zeros(depth.shape, bool)
    for z, y, x in lesions.values():
        occupied[z - 1 : z + 2, y - 1 : y + 2, x - 1 : x + 2] = True
    places = place_patches(lesions, occupied, depth, EDGE, np.random.default_rng(3))
    assert [(p.lesion, p.has_metastasis) for p in places] == [
        (number, kind) for number in (1, 2, 7) for kind in (True, False)
    ]
    for positive, negative in zip(places[::2], places[1::2], strict=True):
        assert positive.centre == lesions[positive.lesion]
        assert abs(positive.depth_mm - negative.depth_mm) <= DEPTH_TOLERANCE_MM
        assert depth[negative.centre] == negative.depth_mm > 0
        assert not cut_patch(occupied.astype(np.float32), negative.centre, EDGE).any()
    negatives = [np.array(place.centre) for place in places[1::2]]
    for number, one in enumerate(negatives):
        assert all(np.abs(one - other).max() >= EDGE // 2 for other in negatives[:number])


def test_the_seed_decides_and_nothing_else() -> None:
    """The same seed draws the same places, another seed others."""
    depth = depth_in_voxels(head()) * 1.0
    nothing = np.zeros(depth.shape, bool)
    drawn = [
        place_patches({1: (10, 20, 20)}, nothing, depth, EDGE, np.random.default_rng(seed))
        for seed in (0, 0, 1)
    ]
    assert drawn[0] == drawn[1] != drawn[2]


def test_a_lesion_without_a_matching_place_stays_without_a_negative() -> None:
    """A brain full of lesions has no free place; a lesion outside the grid has depth 0."""
    depth = depth_in_voxels(head()) * 1.0
    lesions = {1: (20, 20, 20), 2: (20, 20, 60)}
    places = place_patches(lesions, depth > 0, depth, EDGE, np.random.default_rng(0))
    assert [place.has_metastasis for place in places] == [True, True]
    assert places[1].depth_mm == 0
