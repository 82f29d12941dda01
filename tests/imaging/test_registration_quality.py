"""Quality values tell right transforms from wrong ones, and say why."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given
from hypothesis import strategies as st

from cta_data.imaging.registration.limits import (
    QualityLimits,
    RegistrationQuality,
    limits_from,
    reasons_against,
)
from cta_data.imaging.registration.quality import assess_transform, linear_part
from cta_data.phantom.patient import DigitalPatient, VoxelSizes, generate_patient

GOOD = RegistrationQuality(
    nmi=1.12,
    nmi_shuffled=1.0,
    peak=0.3,
    head_overlap=0.95,
    coverage=0.98,
    rotation_degrees=5.0,
    centre_shift_mm=4.0,
    scale_min=0.99,
    scale_max=1.01,
    shear=0.005,
    mirrored=False,
    mirror_fit=0.6,
)


@pytest.fixture(scope="module")
def patient() -> DigitalPatient:
    sizes = VoxelSizes(mprage=2.5, space=2.5, ct_in_plane=2.5, ct_slice=2.5)
    return generate_patient(4, voxel_sizes=sizes, phases=("late",))


def test_true_transform_is_accepted(patient: DigitalPatient) -> None:
    """The known transform between two techniques passes every limit."""
    true = patient.between("CT", "SPACE").to_sitk()
    quality = assess_transform(patient.images["CT"], patient.images["SPACE"], true)
    assert reasons_against(quality, QualityLimits()) == ()


@pytest.mark.parametrize("shift", [(8.0, 0.0, 0.0), (0.0, -8.0, 0.0), (0.0, 0.0, 8.0)])
def test_shifted_transform_is_rejected(
    patient: DigitalPatient, shift: tuple[float, float, float]
) -> None:
    """Eight millimetres beside the truth, a nudge makes it better, and that is a reason."""
    true = patient.between("MPRAGE", "SPACE").to_sitk()
    wrong = sitk.CompositeTransform([sitk.TranslationTransform(3, shift), true])
    quality = assess_transform(patient.images["MPRAGE-late"], patient.images["SPACE"], wrong)
    assert quality.peak < 0
    found = {reason.code for reason in reasons_against(quality, QualityLimits())}
    assert "mutual_information_peak_too_flat" in found


def test_disjoint_fields_of_view_are_rejected(patient: DigitalPatient) -> None:
    """A transform that leads outside the moving image has no coverage and says so."""
    far = sitk.TranslationTransform(3, (900.0, 0.0, 0.0))
    quality = assess_transform(patient.images["MPRAGE-late"], patient.images["SPACE"], far)
    assert quality.coverage == 0.0
    assert quality.head_overlap == 0.0
    found = {reason.code for reason in reasons_against(quality, QualityLimits())}
    assert "head_coverage_too_small" in found


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"nmi": 1.01}, "mutual_information_too_small"),
        ({"peak": 0.0}, "mutual_information_peak_too_flat"),
        ({"head_overlap": 0.41}, "head_overlap_too_small"),
        ({"coverage": 0.2}, "head_coverage_too_small"),
        ({"rotation_degrees": 100.0}, "rotation_too_large"),
        ({"centre_shift_mm": 200.0}, "head_centres_too_far_apart"),
        ({"scale_max": 1.2}, "scale_change_too_large"),
        ({"scale_min": 0.8}, "scale_change_too_large"),
        ({"shear": 0.2}, "shear_too_large"),
        ({"mirrored": True}, "transform_mirrors_head"),
        ({"mirror_fit": 1.4}, "mirrored_head_fits"),
        ({"peak": float("nan")}, "mutual_information_peak_too_flat"),
    ],
)
def test_each_limit_gives_its_own_reason(change: dict[str, float], code: str) -> None:
    """A good result with one bad value (or an undefined one) is rejected for that alone."""
    assert reasons_against(GOOD, QualityLimits()) == ()
    [reason] = reasons_against(dataclasses.replace(GOOD, **change), QualityLimits())
    assert reason.code == code
    if "value" in reason.values and not code.startswith("scale"):
        [(name, value)] = change.items()
        expected = value - GOOD.nmi_shuffled if name == "nmi" else value
        assert reason.values["value"] == pytest.approx(expected, nan_ok=True)


@given(st.lists(st.floats(-0.2, 0.2), min_size=12, max_size=12))
def test_linear_part_of_an_affine_is_its_matrix(values: list[float]) -> None:
    """For an affine transform the fit returns the matrix itself, wherever the head is."""
    matrix = np.eye(3) + np.reshape(values[:9], (3, 3))
    affine = sitk.AffineTransform(3)
    affine.SetMatrix(matrix.ravel().tolist())
    affine.SetTranslation([100 * v for v in values[9:]])
    np.testing.assert_allclose(linear_part(affine, (10.0, -20.0, 30.0), 85.0), matrix, atol=1e-9)


def test_unknown_limit_is_named() -> None:
    """A misspelt limit is an error that names it."""
    assert limits_from({"least_peak": 0.2}).least_peak == 0.2
    with pytest.raises(KeyError, match="least_peek"):
        limits_from({"least_peek": 0.2})
