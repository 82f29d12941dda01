"""Brain extraction: each back end by its name, on phantoms with a known brain and on real heads."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import ModuleType, SimpleNamespace

import cc3d
import numpy as np
import pytest
import SimpleITK as sitk
from helpers.archives import extract_all
from helpers.refusals import has_reason
from scipy import ndimage

from cta_data.errors import ConfigurationError, DataRefused
from cta_data.imaging.brain import BACK_ENDS, BrainExtraction, extract_brain, hd_bet
from cta_data.imaging.geometry.resampling import resample
from cta_data.phantom.patient import DigitalPatient, VoxelSizes, generate_patient


@pytest.fixture(scope="module")
def patient() -> DigitalPatient:
    sizes = VoxelSizes(mprage=2.0, space=2.0, ct_in_plane=2.0, ct_slice=2.0)
    return generate_patient(1, voxel_sizes=sizes, phases=("none", "late"))


@pytest.fixture(scope="module")
def found(patient: DigitalPatient) -> Callable[[str], BrainExtraction]:
    """What morphology finds on each series of the phantom, once for all tests."""
    return cache(lambda series: extract_brain(patient.images[series], "morphology"))


@cache
def _real(path: Path) -> tuple[sitk.Image, sitk.Image]:
    """A real head and the brain that morphology finds in it, once for all tests."""
    image = sitk.ReadImage(str(path))
    return image, extract_brain(image).mask


def _dice(first: sitk.Image, second: sitk.Image) -> float:
    a = sitk.GetArrayViewFromImage(first) > 0
    b = sitk.GetArrayViewFromImage(second) > 0
    return float(2 * (a & b).sum() / (a.sum() + b.sum()))


def _small() -> sitk.Image:
    image = sitk.Image((6, 5, 4), sitk.sitkFloat32) + 3.0
    image.SetSpacing((1.0, 1.0, 2.0))
    return image


@pytest.mark.parametrize("series", ["MPRAGE-none", "MPRAGE-late", "SPACE"])
def test_morphology_finds_the_phantom_brain(
    patient: DigitalPatient, found: Callable[[str], BrainExtraction], series: str
) -> None:
    """With and without contrast, on both techniques, Dice with the true brain is 0.96 or more."""
    mask = found(series).mask
    true = patient.brain_masks[series.split("-")[0]]
    assert mask.GetPixelID() == sitk.sitkUInt8
    assert mask.GetSize() == patient.images[series].GetSize()
    assert _dice(mask, true) >= 0.96


def test_morphology_survives_a_strong_bias_field(patient: DigitalPatient) -> None:
    """A coil sensitivity that changes threefold across the head costs little."""
    image = sitk.Cast(patient.images["MPRAGE-late"], sitk.sitkFloat32)
    ramp = np.exp(np.linspace(-0.55, 0.55, image.GetSize()[1]))[None, :, None]
    tilted = sitk.GetImageFromArray((sitk.GetArrayFromImage(image) * ramp).astype(np.float32))
    tilted.CopyInformation(image)
    assert _dice(extract_brain(tilted).mask, patient.brain_masks["MPRAGE"]) >= 0.94


def test_morphology_gives_the_same_bits_twice(
    patient: DigitalPatient, found: Callable[[str], BrainExtraction]
) -> None:
    """Two runs with different default threads give identical masks."""
    before = sitk.ProcessObject.GetGlobalDefaultNumberOfThreads()
    first = sitk.GetArrayFromImage(found("SPACE").mask)
    try:
        sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(before + 3)
        second = sitk.GetArrayFromImage(extract_brain(patient.images["SPACE"]).mask)
    finally:
        sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(before)
    assert np.array_equal(first, second)


def test_morphology_leaves_muscle_that_blurred_bone_joins_to_the_brain(
    patient: DigitalPatient,
) -> None:
    """Of muscle over bone that is nearly as bright, an eighth at most is taken in (once 0.78)."""
    image = sitk.Cast(patient.images["MPRAGE-late"], sitk.sitkFloat32)
    brain = sitk.GetArrayFromImage(patient.brain_masks["MPRAGE"]) > 0
    values = sitk.GetArrayFromImage(image)
    away = ndimage.distance_transform_edt(~brain, sampling=image.GetSpacing()[::-1])
    middle = np.argwhere(brain).mean(axis=0)
    steps = np.array(image.GetSpacing()[::-1])
    edge = middle * steps - (0.0, 0.0, 60.0)
    points = np.moveaxis(np.indices(values.shape), 0, -1) * steps
    beside = np.linalg.norm(points - edge, axis=-1) < 45
    typical = float(np.median(values[brain]))
    bone, muscle = beside & (away > 0) & (away < 4), beside & (away >= 4) & (away < 16)
    values[bone] = np.maximum(values[bone], 0.7 * typical)
    values[muscle] = 0.8 * typical
    joined = sitk.GetImageFromArray(values)
    joined.CopyInformation(image)
    found = sitk.GetArrayFromImage(extract_brain(joined).mask) > 0
    assert found[muscle].mean() <= 0.125
    assert 2 * (found & brain).sum() / (found.sum() + brain.sum()) >= 0.98


def test_morphology_gives_the_same_voxels_however_the_image_is_stored(
    patient: DigitalPatient, found: Callable[[str], BrainExtraction]
) -> None:
    """Permuted and flipped axes move no voxel of the mask in space."""
    image = patient.images["SPACE"]
    turned = sitk.DICOMOrient(image, "ASL")
    back = sitk.DICOMOrient(extract_brain(turned).mask, _orientation(image))
    straight = sitk.GetArrayFromImage(found("SPACE").mask)
    assert np.array_equal(sitk.GetArrayFromImage(back), straight)


def _orientation(image: sitk.Image) -> str:
    return str(sitk.DICOMOrientImageFilter.GetOrientationFromDirectionCosines(image.GetDirection()))


@pytest.mark.parametrize(
    "name",
    [
        "nii_openms_p12/raw/patient12/study1_T1W.nii.gz",
        "nii_openms_p12/raw/patient12/study1_FLAIR.nii.gz",
        "mr_siemens_xa30_enhanced_t1/Ref/5_anat-T1w_acq-tfl.nii.gz",
        "mr_siemens_xa30_enhanced_t1/Ref/6_anat-T1w_acq-tfl.nii.gz",
    ],
)
@pytest.mark.thorough
def test_morphology_on_real_heads(shared_data: Path, name: str) -> None:
    """A real head gives one component of a brain's size."""
    image, brain = _real(shared_data / name)
    mask = sitk.GetArrayFromImage(brain)
    volume = mask.sum() * float(np.prod(image.GetSpacing())) / 1000
    sizes = np.bincount(cc3d.connected_components(mask, connectivity=26).ravel())[1:]
    assert 900 <= volume <= 1800
    assert sizes.max() / sizes.sum() > 0.999


@pytest.mark.parametrize("visit", ["study1", "study2"])
@pytest.mark.thorough
def test_two_techniques_of_one_visit_give_one_brain(shared_data: Path, visit: str) -> None:
    """Masks of a real T1 and FLAIR, 3 mm slices, brought together as published, agree by 0.94."""
    folder = shared_data / "nii_openms_p12" / "raw" / "patient12"
    (_, t1), (flair, of_flair) = (_real(folder / f"{visit}_{n}.nii.gz") for n in ("T1W", "FLAIR"))
    published = sitk.ReadTransform(str(folder / f"{visit}_T1W_intrastudy_to_FLAIR.txt"))
    carried = resample(t1, flair, published, "nearest")
    assert _dice(carried, of_flair) >= 0.94


def test_morphology_on_the_real_sagittal_mprage(shared_data: Path, tmp_path: Path) -> None:
    """A child's oblique sagittal MPRAGE, read from its DICOM series, gives a brain's volume."""
    import tarfile

    archive = shared_data / "mr_siemens_mprage_sag" / "dicoms.tar.xz"
    with tarfile.open(archive) as files:
        extract_all(files, tmp_path)
    folder = next(tmp_path.rglob("*.dcm")).parent
    names = sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder))
    image = sitk.ReadImage(names)
    mask = sitk.GetArrayFromImage(extract_brain(image).mask)
    assert 900 <= mask.sum() * float(np.prod(image.GetSpacing())) / 1000 <= 1800


def test_morphology_refuses_an_image_without_a_head() -> None:
    """An image of zeros is refused, not masked; so is a slab of some slices, and a colour image."""
    with pytest.raises(DataRefused, check=has_reason("head_not_found")):
        extract_brain(sitk.Image((80, 80, 80), sitk.sitkFloat32))
    with pytest.raises(DataRefused, check=has_reason("field_of_view_too_small")):
        extract_brain(sitk.Image((80, 80, 8), sitk.sitkFloat32))
    with pytest.raises(DataRefused, check=has_reason("brain_image_not_a_volume", n_components=3)):
        extract_brain(sitk.Image((80, 80, 80), sitk.sitkVectorUInt8, 3))


def test_unknown_back_end_lists_those_that_exist() -> None:
    """A misspelt back end is an error of configuration that names all back ends."""
    with pytest.raises(ConfigurationError) as caught:
        extract_brain(_small(), "bet")
    assert all(name in str(caught.value) for name in BACK_ENDS)


def test_none_is_the_whole_image() -> None:
    """The back end for stripped data returns ones on the same grid."""
    found = extract_brain(_small(), "none")
    assert sitk.GetArrayFromImage(found.mask).all()
    assert found.mask.GetSpacing() == (1.0, 1.0, 2.0)


def test_provided_mask_is_taken_from_file_and_made_binary(tmp_path: Path) -> None:
    """Any non-zero value of the given mask is brain."""
    mask = sitk.Cast(_small(), sitk.sitkUInt8) * 0
    mask[2, 2, 2] = 200
    sitk.WriteImage(mask, str(tmp_path / "mask.nii.gz"))
    found = extract_brain(_small(), "provided", {"mask": tmp_path / "mask.nii.gz"})
    assert sitk.GetArrayFromImage(found.mask).sum() == 1
    assert found.mask[2, 2, 2] == 1


def test_provided_mask_on_another_grid_is_refused() -> None:
    """A shifted, mirrored, larger or empty mask is refused with what differs."""
    shifted = sitk.Cast(_small(), sitk.sitkUInt8)
    shifted.SetOrigin((0.5, 0.0, 0.0))
    with pytest.raises(DataRefused, check=has_reason("brain_mask_off_grid")):
        extract_brain(_small(), "provided", {"mask": shifted})
    turned = sitk.Cast(_small(), sitk.sitkUInt8)
    turned.SetDirection((-1.0, 0, 0, 0, 1, 0, 0, 0, 1))
    with pytest.raises(DataRefused, check=has_reason("brain_mask_off_grid")):
        extract_brain(_small(), "provided", {"mask": turned})
    with pytest.raises(DataRefused, check=has_reason("brain_mask_off_grid")):
        extract_brain(_small(), "provided", {"mask": sitk.Image((7, 5, 4), sitk.sitkUInt8)})
    empty = sitk.Cast(_small(), sitk.sitkUInt8) * 0
    with pytest.raises(DataRefused, check=has_reason("brain_mask_empty")):
        extract_brain(_small(), "provided", {"mask": empty})


def test_provided_without_a_mask_says_what_to_give(tmp_path: Path) -> None:
    """No option, and a file that is not there, are errors of configuration."""
    with pytest.raises(ConfigurationError, check=has_reason("brain_mask_not_given")):
        extract_brain(_small(), "provided")
    with pytest.raises(ConfigurationError, check=has_reason("brain_mask_not_found")):
        extract_brain(_small(), "provided", {"mask": tmp_path / "absent.nii.gz"})


def test_hd_bet_without_its_extra_names_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where HD-BET is not installed the error holds the pip command."""
    monkeypatch.setattr(hd_bet.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ConfigurationError, check=has_reason("hd_bet_not_installed")):
        extract_brain(_small(), "hd-bet")


def test_hd_bet_without_weights_says_what_to_put_where(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Missing weights are named with their folder and their source, and nothing is fetched."""
    monkeypatch.setattr(hd_bet.importlib.util, "find_spec", lambda name: object())
    with pytest.raises(ConfigurationError) as caught:
        extract_brain(_small(), "hd-bet", {"weights_folder": str(tmp_path)})
    for part in (str(tmp_path), "checkpoint_final.pth", "zenodo"):
        assert part in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_hd_bet_drives_its_predictor_and_restores_the_orientation(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The predictor gets our folder's weights, and its labels return to the image's own grid."""
    for name in ("dataset.json", "plans.json", "fold_all/checkpoint_final.pth"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    seen: dict[str, object] = {}

    def predict(values: np.ndarray, properties: dict[str, object]) -> np.ndarray:
        seen.update(shape=values.shape, spacing=properties["spacing"], folder=fake.folder())
        return (values[0] > 10).astype(np.uint8)

    predictor = SimpleNamespace(predict_single_npy_array=predict)
    fake = _FakeHdBet(predictor)
    monkeypatch.setattr(hd_bet.importlib.util, "find_spec", lambda name: object())
    monkeypatch.setattr(hd_bet, "version", lambda name: "2.0.1")
    monkeypatch.setitem(sys.modules, "torch", fake.torch)
    monkeypatch.setattr(hd_bet, "_make_torchvision_importable", lambda: None)
    monkeypatch.setitem(sys.modules, "HD_BET", ModuleType("HD_BET"))
    monkeypatch.setitem(sys.modules, "HD_BET.hd_bet_prediction", fake.prediction)
    image = sitk.PermuteAxes(_small(), (2, 0, 1))
    image[1, 4, 2] = 50.0
    found = BACK_ENDS["hd-bet"](image, {"weights_folder": tmp_path})
    assert found.version == "2.0.1"
    assert np.argwhere(sitk.GetArrayFromImage(found.mask)).tolist() == [[2, 4, 1]]
    assert fake.used_folder == str(tmp_path)
    assert seen["folder"] == "default"
    with pytest.raises(DataRefused, check=has_reason("brain_mask_implausible", backend="hd-bet")):
        extract_brain(image, "hd-bet", {"weights_folder": tmp_path})


class _FakeHdBet:
    """Stands in for torch and HD-BET, which are not part of the base installation."""

    def __init__(self, predictor: SimpleNamespace) -> None:
        self.used_folder = ""
        self.predictor = predictor
        self.prediction = ModuleType("HD_BET.hd_bet_prediction")
        self.prediction.folder_with_parameter_files = "default"  # type: ignore[attr-defined]
        self.prediction.get_hdbet_predictor = self._make  # type: ignore[attr-defined]
        self.torch = ModuleType("torch")
        self.torch.device = str  # type: ignore[attr-defined]
        self.torch.get_num_threads = lambda: 1  # type: ignore[attr-defined]
        self.torch.set_num_threads = lambda n: None  # type: ignore[attr-defined]

    def folder(self) -> str:
        return str(self.prediction.folder_with_parameter_files)  # type: ignore[attr-defined]

    def _make(self, use_tta: bool, device: str, verbose: bool) -> SimpleNamespace:
        self.used_folder = self.folder()
        return self.predictor
