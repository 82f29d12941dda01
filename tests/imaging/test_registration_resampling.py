"""Resampling keeps values, geometry and bits."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st

from cta_data.imaging.geometry.resampling import isotropic, resample


def _ramp(size: tuple[int, int, int], spacing: tuple[float, float, float]) -> sitk.Image:
    """An image whose value is x + 2 y + 3 z of the voxel's point."""
    grid = sitk.Image(size, sitk.sitkFloat32)
    grid.SetSpacing(spacing)
    grid.SetOrigin((-20.0, 5.0, 11.0))
    z, y, x = np.indices(size[::-1])
    values = (x * spacing[0] - 20) + 2 * (y * spacing[1] + 5) + 3 * (z * spacing[2] + 11)
    image = sitk.GetImageFromArray(values.astype(np.float32))
    image.CopyInformation(grid)
    return image


@settings(max_examples=20, deadline=None)
@given(st.floats(1.0, 4.0), st.tuples(*[st.floats(0.5, 3.0)] * 3))
def test_isotropic_keeps_a_linear_image(target: float, spacing: tuple[float, float, float]) -> None:
    """Averaging and interpolating change nothing in the middle of a ramp, whatever the spacings."""
    coarse = isotropic(_ramp((40, 40, 40), spacing), target)
    assert coarse.GetSpacing() == (target,) * 3
    middle = [n // 2 for n in coarse.GetSize()]
    x, y, z = coarse.TransformIndexToPhysicalPoint(middle)
    assert coarse.GetPixel(middle) == pytest.approx(x + 2 * y + 3 * z, abs=0.1)


def test_transform_maps_reference_to_image() -> None:
    """A shift of 3 mm fetches the value that lies 3 mm further in the image."""
    image = _ramp((30, 30, 30), (1.0, 1.0, 1.0))
    shifted = resample(image, image, sitk.TranslationTransform(3, (3.0, 0.0, 0.0)))
    assert shifted.GetPixel(10, 10, 10) == pytest.approx(image.GetPixel(13, 10, 10), abs=1e-4)


def test_outside_gets_the_default_and_type_is_kept() -> None:
    """Outside the field of view lies the default value; a label image stays uint8."""
    labels = sitk.Image((8, 8, 8), sitk.sitkUInt8) + 1
    away = resample(labels, labels, sitk.TranslationTransform(3, (50.0, 0.0, 0.0)), "nearest", 7)
    assert away.GetPixelID() == sitk.sitkUInt8
    assert set(np.unique(sitk.GetArrayFromImage(away))) == {7}


def test_unknown_interpolation_is_an_error() -> None:
    """A misspelt interpolation is refused with the names that exist."""
    image = sitk.Image((4, 4, 4), sitk.sitkUInt8)
    with pytest.raises(ValueError, match="bspline, linear, nearest"):
        resample(image, image, interpolation="cubic")
