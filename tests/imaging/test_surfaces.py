"""Surface distances against a distance transform, which knows nothing of trees of points."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from cta_data.imaging.geometry.surfaces import surface_distances


@pytest.mark.parametrize("seed", range(20))
def test_distances_are_those_of_a_distance_transform(seed: int) -> None:
    """Blobs that reach the border and have holes, thick slices: the same in every surface voxel."""
    rng = np.random.default_rng(seed)
    spacing = rng.uniform(0.4, 4, 3)
    smooth = [ndimage.gaussian_filter(rng.normal(size=(14, 17, 19)), 1.2) for _ in range(2)]
    masks = [one > np.quantile(one, 0.8) for one in smooth]
    edges = [mask & ~ndimage.binary_erosion(mask) for mask in masks]
    wanted = [
        ndimage.distance_transform_edt(~other, sampling=spacing)[own]
        for own, other in (edges, edges[::-1])
    ]
    for found, known in zip(surface_distances(*masks, spacing), wanted, strict=True):
        np.testing.assert_allclose(found, known, atol=1e-6)


def test_one_voxel_is_all_surface() -> None:
    """Also where it fills the array: the distance to itself is 0."""
    there, back = surface_distances(np.ones((1, 1, 1), bool), np.ones((1, 1, 1), bool), (1, 1, 1))
    assert (there.tolist(), back.tolist()) == ([0.0], [0.0])
