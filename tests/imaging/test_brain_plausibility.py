"""What is returned as a brain is one: masks with muscle, neck or scalp in them are refused."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk
from helpers.refusals import has_reason
from scipy import ndimage

from cta_data.errors import DataRefused
from cta_data.imaging import brain as brain_extraction
from cta_data.imaging.brain import BrainExtraction, extract_brain
from cta_data.imaging.brain.head_mask import head_mask
from cta_data.imaging.brain.plausibility import measure_brain, reasons_against_brain
from cta_data.imaging.geometry.resampling import isotropic, resample
from cta_data.phantom.patient import DigitalPatient, VoxelSizes, generate_patient

VOXEL_MM = 3.0


@pytest.fixture(scope="module")
def patient() -> DigitalPatient:
    return generate_patient(1, voxel_sizes=VoxelSizes(*([VOXEL_MM] * 4)), phases=("late",))


def head_of(image: sitk.Image) -> np.ndarray:
    mask = resample(head_mask(isotropic(image, 4.0)), image, interpolation="nearest")
    return sitk.GetArrayFromImage(mask) > 0


def mask_like(image: sitk.Image, voxels: np.ndarray) -> sitk.Image:
    mask = sitk.GetImageFromArray(voxels.astype(np.uint8))
    mask.CopyInformation(image)
    return mask


@pytest.mark.parametrize("technique", ["MPRAGE", "SPACE"])
def test_a_true_brain_passes(patient: DigitalPatient, technique: str) -> None:
    """The known brain is within every limit, also where the field of view cuts the neck off."""
    name = "MPRAGE-late" if technique == "MPRAGE" else technique
    image = sitk.DICOMOrient(patient.images[name], "LPS")
    brain = sitk.DICOMOrient(patient.brain_masks[technique], "LPS")
    assert reasons_against_brain(measure_brain(brain, image)) == ()
    lowest = int(np.argwhere(sitk.GetArrayViewFromImage(brain))[:, 0].min())
    image, brain = image[:, :, lowest + 3 :], brain[:, :, lowest + 3 :]
    assert reasons_against_brain(measure_brain(brain, image)) == ()


def test_each_wrong_mask_is_refused_with_its_numbers(patient: DigitalPatient) -> None:
    """Head, brain with what surrounds it, with a neck, beside the head, and too little of it."""
    image = sitk.DICOMOrient(patient.images["MPRAGE-late"], "LPS")
    brain = sitk.GetArrayFromImage(sitk.DICOMOrient(patient.brain_masks["MPRAGE"], "LPS")) > 0
    head = head_of(image)
    away = ndimage.distance_transform_edt(~brain) * VOXEL_MM
    middle = np.argwhere(brain).mean(axis=0)
    z, y, x = np.indices(brain.shape)
    neck = (np.hypot(y - middle[1], x - middle[2]) * VOXEL_MM < 30) & (z < middle[0]) & head
    wrong = {
        "brain_too_large": brain | ((away < 8) & head),
        "brain_below_skin": head,
        "brain_not_convex": brain | neck,
        "brain_outside_head": np.roll(brain, 25, axis=1),
        "brain_too_small": ndimage.binary_erosion(brain, iterations=12),
    }
    for code, voxels in wrong.items():
        reasons = reasons_against_brain(measure_brain(mask_like(image, voxels), image))
        found = {reason.code: reason.values for reason in reasons}
        assert code in found, (code, found)
        assert found[code]["value"] != pytest.approx(found[code]["limit"])


def test_what_a_back_end_returns_is_checked(
    patient: DigitalPatient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mask of the whole head is refused with its volume, whichever back end found it."""
    image = patient.images["MPRAGE-late"]
    mask = mask_like(image, head_of(image))
    found = BrainExtraction(mask, "morphology", "0")
    monkeypatch.setitem(brain_extraction.BACK_ENDS, "morphology", lambda image, options: found)
    with pytest.raises(DataRefused, check=has_reason("brain_mask_implausible")):
        extract_brain(image)
    assert extract_brain(image, "provided", {"mask": mask}).backend == "provided"


def test_an_empty_mask_is_refused(patient: DigitalPatient) -> None:
    """Nothing found is 0 cm³, not a crash."""
    image = patient.images["SPACE"]
    nothing = mask_like(image, np.zeros(image.GetSize()[::-1]))
    found = {r.code: r.values for r in reasons_against_brain(measure_brain(nothing, image))}
    assert found["brain_too_small"]["value"] == 0
