from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk
from helpers.refusals import has_reason
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.spatial.distance import pdist

from cta_data.errors import DataRefused
from cta_data.imaging.lesions.measurement import measure_lesions

SPACING = (0.9, 0.8, 1.2)


def as_image(voxels: np.ndarray) -> sitk.Image:
    image = sitk.GetImageFromArray(voxels)
    image.SetSpacing(SPACING)
    image.SetOrigin((-20, 10, 5))
    return image


def ball(shape: tuple[int, int, int], centre: tuple[float, float, float], radius: float):
    z, y, x = np.indices(shape)
    away = [(x, 0.9), (y, 0.8), (z, 1.2)]
    squared = sum(((i - c) * s) ** 2 for (i, s), c in zip(away, centre, strict=True))
    return squared <= radius**2


SHAPE = (30, 44, 40)


def scene(contrast: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    lesion = ball(SHAPE, (19, 21, 14), 5)
    noise = np.random.default_rng(seed).normal(100, 10, SHAPE)
    return lesion.astype(np.uint16) * 3, (noise + contrast * lesion).astype(np.float32)


def test_a_ball_has_the_measures_of_a_ball() -> None:
    """Volume, centroid (RAS) and diameter are those of geometry, within the voxels' size."""
    labels, values = scene(50)
    (row,) = measure_lesions(as_image(labels), as_image(values))
    assert row.lesion_id == 3 and row.n_voxels == int((labels == 3).sum())
    assert row.volume_mm3 == pytest.approx(row.n_voxels * 0.9 * 0.8 * 1.2)
    assert row.volume_cm3 == pytest.approx(4 / 3 * np.pi * 5**3 / 1000, rel=0.03)
    expected = (20 - 19 * 0.9, -10 - 21 * 0.8, 5 + 14 * 1.2)
    assert row.centroid_ras_mm == pytest.approx(expected, abs=1e-6)
    assert 10 - 0.5 <= row.max_diameter_mm <= 10 + np.linalg.norm(SPACING)


def test_one_voxel_has_its_diagonal() -> None:
    """The diameter of a single voxel is the distance between its opposite corners."""
    labels = np.zeros(SHAPE, np.uint16)
    labels[5, 6, 7] = 1
    (row,) = measure_lesions(as_image(labels), as_image(labels.astype(np.float32)))
    assert row.max_diameter_mm == pytest.approx(np.linalg.norm(SPACING))


@given(arrays(bool, st.tuples(*[st.integers(1, 5)] * 3)).filter(np.any))
def test_a_diameter_is_the_largest_distance_of_any_two_corners(lesion: np.ndarray) -> None:
    """Of any shape, in one part or several: all corners are compared here."""
    labels = lesion.astype(np.uint16)
    (row,) = measure_lesions(as_image(labels), as_image(labels.astype(np.float32)))
    voxels = np.argwhere(lesion)[:, ::-1]
    corners = voxels[:, None, :] + np.indices((2, 2, 2)).reshape(3, -1).T - 0.5
    expected = pdist(corners.reshape(-1, 3) * SPACING).max()
    assert row.max_diameter_mm == pytest.approx(expected)


@pytest.mark.parametrize("contrast", [-40.0, 0.0, 60.0])
def test_contrast_to_noise_is_the_contrast_over_the_noise(contrast: float) -> None:
    """With noise of SD 10 the ratio is a tenth of the contrast, its sign included."""
    labels, values = scene(contrast)
    (row,) = measure_lesions(as_image(labels), as_image(values))
    assert row.contrast_to_noise_ratio == pytest.approx(contrast / 10, abs=0.5)
    assert row.contrast_to_noise_reason == ""


def test_a_bright_neighbour_and_the_outside_of_the_brain_do_not_count() -> None:
    """Another lesion's voxels and voxels outside the brain mask are not surroundings."""
    labels, values = scene(60)
    (alone,) = measure_lesions(as_image(labels), as_image(values))
    neighbour = ball(SHAPE, (27, 21, 14), 1.5)
    labels[neighbour], values[neighbour] = 1, 5000
    first, second = measure_lesions(as_image(labels), as_image(values))
    assert (first.lesion_id, second.lesion_id) == (1, 3)
    close = alone.contrast_to_noise_ratio
    assert second.contrast_to_noise_ratio == pytest.approx(close, rel=0.1)
    brain = np.ones(SHAPE, np.uint8)
    brain[:14] = 0
    values[:14] = 9000
    _, masked = measure_lesions(as_image(labels), as_image(values), as_image(brain))
    assert masked.contrast_to_noise_ratio > close  # half of the lesion is bright now
    assert np.isfinite(masked.contrast_to_noise_ratio)


def test_an_undefined_ratio_is_nan_with_a_reason() -> None:
    """No surroundings, no noise and values that are not finite each give NaN and say why."""
    labels, values = scene(60)
    cases = {
        "voxels of brain": (values, np.zeros(SHAPE, np.uint8)),
        "no noise": (np.full(SHAPE, 7.0, np.float32), None),
        "not finite": (np.full(SHAPE, np.nan, np.float32), None),
    }
    for word, (image, brain) in cases.items():
        mask = None if brain is None else as_image(brain)
        (row,) = measure_lesions(as_image(labels), as_image(image), mask)
        assert np.isnan(row.contrast_to_noise_ratio) and word in row.contrast_to_noise_reason


def test_images_on_other_grids_are_refused() -> None:
    """Labels measured on an image of another geometry are refused, both being shown."""
    labels, values = scene(60)
    other = as_image(values)
    other.SetOrigin((-20, 10, 6))
    with pytest.raises(DataRefused, check=has_reason("labels_off_grid")):
        measure_lesions(as_image(labels), other)


def test_no_lesion_gives_no_row() -> None:
    """An empty label image has no measurement."""
    empty = as_image(np.zeros(SHAPE, np.uint16))
    assert measure_lesions(empty, as_image(np.zeros(SHAPE, np.float32))) == ()
