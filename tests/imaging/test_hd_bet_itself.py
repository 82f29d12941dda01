"""HD-BET's own predictor, with a small model in its format: the whole path, on a digital head."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from helpers.tiny_hd_bet import SPACING_MM, train_tiny_model

from cta_data.imaging.brain import BACK_ENDS, BrainExtraction
from cta_data.phantom.patient import DigitalPatient, VoxelSizes, generate_patient

pytestmark = [
    pytest.mark.thorough,
    pytest.mark.slow,
    pytest.mark.skipif(
        importlib.util.find_spec("HD_BET") is None, reason="hd-bet is not installed (extra brain)"
    ),
]


FIND = BACK_ENDS["hd-bet"]
"""The back end itself: what so small a model finds does not pass for a brain."""


def digital(seed: int, voxel_mm: float) -> DigitalPatient:
    return generate_patient(seed, voxel_sizes=VoxelSizes(*([voxel_mm] * 4)), phases=("late",))


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that was trained on one head of 4 mm, by a trainer that has to be looked up."""
    folder = tmp_path_factory.mktemp("weights") / "release"
    patient = digital(3, SPACING_MM)
    image, brain = patient.images["MPRAGE-late"], patient.brain_masks["MPRAGE"]
    train_tiny_model(folder, image, brain, "nnUNetTrainerNoMirroring")
    return folder


@pytest.fixture(scope="module")
def patient() -> DigitalPatient:
    return digital(8, 3.0)


@pytest.fixture(scope="module")
def found(weights: Path, patient: DigitalPatient) -> BrainExtraction:
    """The brain of a head that the model was not trained on, with the default options."""
    return FIND(patient.images["MPRAGE-late"], {"weights_folder": str(weights)})


def test_another_head_s_brain_is_found_in_any_orientation(
    weights: Path, patient: DigitalPatient, found: BrainExtraction
) -> None:
    """Dice above 0.8 with the known brain, on the image's own grid, and the same bits again."""
    image, brain = patient.images["MPRAGE-late"], patient.brain_masks["MPRAGE"]
    options = {"weights_folder": str(weights)}
    assert found.mask.GetSize() == image.GetSize()
    assert found.mask.GetPixelID() == sitk.sitkUInt8
    mask = sitk.GetArrayFromImage(found.mask)
    truth = sitk.GetArrayFromImage(brain)
    assert set(np.unique(mask)) == {0, 1}
    assert 2 * (mask & truth).sum() / (mask.sum() + truth.sum()) > 0.8
    again = sitk.GetArrayFromImage(FIND(image, options).mask)
    assert (again == mask).all()
    turned = sitk.Flip(sitk.PermuteAxes(image, (2, 0, 1)), (True, False, False))
    other = FIND(turned, options).mask
    back = sitk.PermuteAxes(sitk.Flip(other, (True, False, False)), (1, 2, 0))
    assert (sitk.GetArrayFromImage(back) == mask).mean() > 0.9999


def test_options_reach_the_predictor(
    weights: Path, patient: DigitalPatient, found: BrainExtraction
) -> None:
    """With test-time augmentation the mask differs a little, and the note says so."""
    options = {"weights_folder": str(weights), "test_time_augmentation": True}
    augmented = FIND(patient.images["MPRAGE-late"], options)
    first, second = (sitk.GetArrayFromImage(one.mask) for one in (augmented, found))
    assert "test-time augmentation on" in augmented.notes
    assert (first != second).any()
    assert (first == second).mean() > 0.97
