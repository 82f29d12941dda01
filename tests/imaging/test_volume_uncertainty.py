"""The interval of a volume holds the true one as often as it says, on bodies of known volume."""

from __future__ import annotations

import math

import numpy as np
import pytest

from cta_data.imaging.lesions.volume_uncertainty import NORMAL_95, volume_sd, volume_sds
from cta_data.phantom.head.lesions import StarShape, shape_of_volume

BODIES = 150
SPACINGS = [(1.0, 1.0, 1.0), (0.9, 0.9, 1.25), (1.0, 1.0, 2.0), (0.72, 0.72, 3.0)]


def voxels_of(
    shape: StarShape, spacing_mm: tuple[float, ...], random: np.random.Generator
) -> np.ndarray:
    """Return the voxels (z, y, x) whose centre lies in a shape that is anywhere on the grid."""
    steps = np.array(spacing_mm)
    reach = np.ceil((shape.reach_mm() + steps) / steps)
    x, y, z = (
        step * (np.arange(-n, n + 1) + shift)
        for step, n, shift in zip(steps, reach, random.uniform(-0.5, 0.5, 3), strict=True)
    )
    points = np.stack(np.broadcast_arrays(x, y[:, None], z[:, None, None]), axis=-1)
    return np.asarray(shape.distance(points) <= 0)


def body(random: np.random.Generator, volume_mm3: float, margin_mm: float = 0.0) -> StarShape:
    """Return an irregular body of a volume, whose outline is drawn too far out by a margin."""
    return shape_of_volume(np.zeros(3), volume_mm3, random.normal(0, 0.09, 12), margin_mm)


@pytest.mark.parametrize("spacing", SPACINGS)
def test_what_voxels_cut_off_is_within_the_interval(spacing: tuple[float, float, float]) -> None:
    """19 times in 20, whatever the spacing and the size: it is derived, and fitted to nothing."""
    random = np.random.default_rng(1)
    voxel = math.prod(spacing)
    errors = []
    for volume in voxel * np.exp(random.uniform(np.log(60), np.log(1500), BODIES)):
        found = voxels_of(body(random, volume), spacing, random)
        errors.append((found.sum() * voxel - volume) / volume_sd(found, spacing, 0.0))
    assert 0.90 <= np.mean(np.abs(errors) <= NORMAL_95) <= 0.99
    assert abs(np.mean(errors)) < 0.3


def test_planted_growth_is_within_the_interval_of_the_change() -> None:
    """19 times in 20, of outlines that miss the surface by a quarter of a voxel (one SD)."""
    random = np.random.default_rng(2)
    spacing, inside = (1.0, 1.0, 1.0), []
    for before, factor in zip(
        random.uniform(100, 800, BODIES), random.uniform(0.4, 3, BODIES), strict=True
    ):
        volumes, spreads = [], []
        for volume in (before, before * factor):
            drawn = voxels_of(body(random, volume, random.normal(0, 0.25)), spacing, random)
            volumes.append(int(drawn.sum()))
            spreads.append(volume_sd(drawn, spacing))
        off = (volumes[1] - volumes[0]) - before * (factor - 1)
        inside.append(abs(off) <= NORMAL_95 * math.hypot(*spreads))
    assert 0.90 <= np.mean(inside) <= 0.99


def test_every_lesion_of_an_image_has_its_own() -> None:
    """By its id, whatever others are there; one voxel has six faces of 1 mm²."""
    labels = np.zeros((6, 6, 6), np.uint16)
    labels[1, 1, 1], labels[3:5, 3:5, 3:5] = 4, 2
    found = volume_sds(labels, (1, 1, 1), 0.25)
    assert set(found) == {2, 4}
    assert found[4] == pytest.approx(math.sqrt(0.06665 * 4 + (0.25 * 4) ** 2), rel=1e-3)
    assert found[2] == pytest.approx(volume_sd(np.ones((2, 2, 2), bool), (1, 1, 1)))


def test_millimetres_are_what_counts() -> None:
    """Twice the spacing, eight times the volume and its standard deviation."""
    cube = np.ones((3, 4, 5), bool)
    once, twice = (volume_sd(cube, (n * 0.7, n * 0.8, n * 1.5)) for n in (1, 2))
    assert twice == pytest.approx(8 * once, rel=1e-3)
