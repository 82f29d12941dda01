"""Lesions have the volumes that they say, and the trial's distribution."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cta_data.imaging.geometry.grid import Grid
from cta_data.phantom.geometry import Rigid, identity, points_in, random_rigid
from cta_data.phantom.head.lesions import LARGEST_CM3, SMALLEST_CM3, draw_volumes, shape_of_volume


def test_volumes_follow_the_trial() -> None:
    """Median and quartiles lie within the spread of the four published groups; all in range."""
    volumes = draw_volumes(np.random.default_rng(0), 20_000) / 1000.0
    assert volumes.min() >= SMALLEST_CM3
    assert volumes.max() <= LARGEST_CM3
    first, median, third = np.quantile(volumes, [0.25, 0.5, 0.75])
    assert 0.03 <= first <= 0.06
    assert 0.11 <= median <= 0.26
    assert 0.48 <= third <= 1.35


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000), st.floats(10.0, 5000.0))
def test_a_shape_has_the_volume_asked_for(seed: int, volume: float) -> None:
    """Counting fine voxels finds the analytic volume within 2 %."""
    harmonics = np.random.default_rng(seed).normal(0.0, 0.09, 12)
    shape = shape_of_volume(np.array([3.0, -2.0, 1.0]), volume, harmonics)
    assert shape.volume_mm3() == pytest.approx(volume, rel=1e-6)
    step = shape.reach_mm() / 30.0
    grid = Grid((66, 66, 66), np.full(3, step), shape.centre - 32.5 * step, np.eye(3))
    box = (slice(0, 66), slice(0, 66), slice(0, 66))
    counted = int((shape.distance(points_in(grid, box)) <= 0.0).sum()) * step**3
    assert counted == pytest.approx(volume, rel=0.02)


@given(st.integers(0, 10_000))
def test_rigid_poses_invert_and_compose(seed: int) -> None:
    """A pose and its inverse cancel; ITK maps points as the pose does."""
    rng = np.random.default_rng(seed)
    pose = random_rigid(rng, degrees=10.0, millimetres=20.0, about=np.array([1.0, 2.0, 3.0]))
    points = rng.normal(0.0, 80.0, (5, 3))
    assert np.allclose(pose.inverse().apply(pose.apply(points)), points)
    both: Rigid = pose.inverse().after(pose)
    assert np.allclose(both.matrix(), identity().matrix())
    transform = pose.to_sitk()
    assert np.allclose(transform.TransformPoint(points[0].tolist()), pose.apply(points[0]))
