"""Inverses of transforms, held against points sent there and back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from helpers.refusals import has_reason

from cta_data.errors import DataRefused
from cta_data.imaging.geometry.inverse import inverse_of

SPACING = 6.0
SIZE = (24, 23, 21)


def points(n: int = 400, seed: int = 3) -> np.ndarray:
    """Points (LPS, mm) well inside the field's grid."""
    low = np.array([-100.0, -95.0, -80.0]) + 30
    span = SPACING * (np.array(SIZE) - 1) - 60
    return low + span * np.random.default_rng(seed).random((n, 3))


def waves(
    amplitude_mm: float, wavelength_mm: float, offset: tuple[float, float, float] = (0, 0, 0)
) -> sitk.DisplacementFieldTransform:
    """A smooth deformation, a sinusoid along each axis driven by the next, and an offset."""
    z, y, x = np.indices(SIZE[::-1], dtype=np.float64)
    rate = 2 * np.pi * SPACING / wavelength_mm
    vectors = amplitude_mm * np.stack([np.sin(rate * y), np.sin(rate * z), np.sin(rate * x)], -1)
    field = sitk.GetImageFromArray(vectors + np.array(offset), isVector=True)
    field.SetSpacing((SPACING,) * 3)
    field.SetOrigin((-100.0, -95.0, -80.0))
    return sitk.DisplacementFieldTransform(field)


def affine() -> sitk.AffineTransform:
    made = sitk.AffineTransform(3)
    made.Rotate(0, 1, 0.2)
    made.SetTranslation((7.0, -5.0, 3.0))
    return made


def misses(transform: sitk.Transform, back: sitk.Transform) -> np.ndarray:
    """How far (mm) each point is from where it was after going there and back."""
    return np.array(
        [
            np.linalg.norm(np.subtract(back.TransformPoint(transform.TransformPoint(p)), p))
            for p in points().tolist()
        ]
    )


@pytest.mark.parametrize("offset", [(0.0, 0.0, 0.0), (40.0, -25.0, 10.0)])
def test_a_smooth_deformation_comes_back(offset: tuple[float, float, float]) -> None:
    """To less than a tenth of a millimetre, also where the field holds the scanners' offset."""
    there = waves(5.0, 90.0, offset)
    assert misses(there, inverse_of(there)).max() < 0.1


def test_an_affine_transform_has_its_formula() -> None:
    """The inverse is exact."""
    assert misses(affine(), inverse_of(affine())).max() < 1e-9


def test_of_a_composite_each_part_comes_back_in_the_other_order() -> None:
    """Affine after a deformation after affine: undone from the last to the first."""
    there = sitk.CompositeTransform([affine(), waves(4.0, 100.0), affine()])
    back = inverse_of(there)
    assert misses(there, back).max() < 0.1


def test_a_file_of_a_composite_gives_the_same_inverse(tmp_path: Path) -> None:
    """A transform that was written and read again is inverted as the one in memory."""
    there = sitk.CompositeTransform([affine(), waves(4.0, 100.0)])
    sitk.WriteTransform(there, str(tmp_path / "there.tfm"))
    read = sitk.ReadTransform(str(tmp_path / "there.tfm"))
    assert misses(read, inverse_of(read)).max() < 0.1


def test_a_deformation_that_folds_is_refused() -> None:
    """Where two points become one there is no way back, and it is said how far it misses."""
    with pytest.raises(DataRefused, check=has_reason("deformation_not_invertible")) as raised:
        inverse_of(waves(40.0, 90.0))
    assert "mm" in str(raised.value.why)


def test_where_a_deformation_is_undefined_so_is_its_inverse() -> None:
    """Vectors that an object leaves undefined lead to undefined points, not to false ones."""
    there = waves(2.0, 100.0)
    vectors = sitk.GetArrayFromImage(there.GetDisplacementField())
    vectors[10:14, 10:14, 10:14] = np.nan
    field = sitk.GetImageFromArray(vectors, isVector=True)
    field.CopyInformation(there.GetDisplacementField())
    back = inverse_of(sitk.DisplacementFieldTransform(field))
    undefined = np.array([-100.0, -95.0, -80.0]) + 12 * SPACING
    far = np.array([-100.0, -95.0, -80.0]) + 18 * SPACING
    assert not np.isfinite(back.TransformPoint(undefined.tolist())).all()
    assert np.isfinite(back.TransformPoint(far.tolist())).all()
