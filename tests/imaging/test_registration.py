"""Registration of digital patients whose true transforms are known."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk
from helpers.made_once import made_once
from helpers.refusals import has_reason

from cta_data.errors import DataRefused
from cta_data.imaging.geometry.resampling import resample
from cta_data.imaging.registration import register as registration
from cta_data.imaging.registration.limits import QualityLimits
from cta_data.imaging.registration.register import (
    RegistrationResult,
    RegistrationSettings,
    register_images,
    register_volumes,
)
from cta_data.imaging.registration.stages import mean_distance
from cta_data.imaging.registration.volume import RegistrationVolume, prepare_volume
from cta_data.phantom.patient import DigitalPatient, VoxelSizes, generate_patient

Register = Callable[[str, str, str], RegistrationResult]

ANOTHER_PROCESS = """
import json, sys
import SimpleITK as sitk
from cta_data.imaging.registration.register import RegistrationSettings, register_images
sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(5)
*names, settings = sys.argv[1:]
fixed, moving = (sitk.ReadImage(name) for name in names)
result = register_images(fixed, moving, RegistrationSettings(**json.loads(settings)))
print(json.dumps([result.parameters, result.quality.as_dict(), result.metric_value]))
"""


COARSER: dict[str, Any] = {"finest_mm": 4.0, "samples": 20_000}
"""Where not the error but what leads to a result is looked at: the same levels, on fewer voxels."""


@pytest.fixture(scope="module")
def patient() -> DigitalPatient:
    sizes = VoxelSizes(mprage=2.0, space=2.0, ct_in_plane=2.0, ct_slice=2.0)
    return generate_patient(2, voxel_sizes=sizes, phases=("late",))


@pytest.fixture(scope="module")
def volumes(patient: DigitalPatient) -> dict[str, RegistrationVolume]:
    """Every technique, prepared once for all registrations at the real resolution."""
    finest = RegistrationSettings.finest_mm
    return {
        name: prepare_volume(_image(patient, name), finest, name)
        for name in ("MPRAGE", "SPACE", "CT")
    }


@pytest.fixture(scope="module")
def register(
    volumes: dict[str, RegistrationVolume], tmp_path_factory: pytest.TempPathFactory
) -> Register:
    """Registrations with the default settings of each kind, each pair once."""

    def registered(fixed: str, moving: str, kind: str) -> RegistrationResult:
        def make(folder: Path) -> RegistrationResult:
            settings = RegistrationSettings(kind=kind)
            return register_volumes(volumes[fixed], volumes[moving], settings)

        return made_once(tmp_path_factory, f"registered_{fixed}_{moving}_{kind}", make)

    return registered


def _image(patient: DigitalPatient, technique: str) -> sitk.Image:
    return patient.images["MPRAGE-late" if technique == "MPRAGE" else technique]


def _error(
    patient: DigitalPatient, fixed: str, moving: str, transform: sitk.Transform
) -> tuple[float, float]:
    """Mean and maximum target registration error (mm) over the brain."""
    mask = patient.brain_masks[fixed]
    voxels = np.argwhere(sitk.GetArrayViewFromImage(mask))[::41, ::-1]
    points = np.array([mask.TransformIndexToPhysicalPoint(v) for v in voxels.tolist()])
    mapped = np.array([transform.TransformPoint(p) for p in points.tolist()])
    distance = np.linalg.norm(patient.between(fixed, moving).apply(points) - mapped, axis=1)
    return float(distance.mean()), float(distance.max())


def _moved(image: sitk.Image, degrees: float, shift: tuple[float, float, float]) -> sitk.Image:
    """The same voxels elsewhere in the scanner: only the header changes."""
    pose = sitk.Euler3DTransform()
    pose.SetCenter(image.TransformContinuousIndexToPhysicalPoint([n / 2 for n in image.GetSize()]))
    pose.SetRotation(np.deg2rad(degrees), 0.0, np.deg2rad(degrees / 2))
    pose.SetTranslation(shift)
    rotation = np.array(pose.GetMatrix()).reshape(3, 3)
    moved = sitk.Image(image)
    moved.SetOrigin(pose.TransformPoint(image.GetOrigin()))
    moved.SetDirection((rotation @ np.array(image.GetDirection()).reshape(3, 3)).ravel().tolist())
    return moved


def _mirrored(image: sitk.Image) -> sitk.Image:
    straight = sitk.DICOMOrient(image, "LPS")
    mirror = sitk.GetImageFromArray(sitk.GetArrayFromImage(straight)[:, :, ::-1].copy())
    mirror.CopyInformation(straight)
    return mirror


@pytest.mark.parametrize(
    ("fixed", "moving"), [("MPRAGE", "SPACE"), ("CT", "MPRAGE"), ("CT", "SPACE")]
)
@pytest.mark.parametrize("kind", ["rigid", pytest.param("affine", marks=pytest.mark.thorough)])
def test_brain_lands_where_it_lay(
    patient: DigitalPatient, register: Register, fixed: str, moving: str, kind: str
) -> None:
    """Each pair is accepted; the error is half a millimetre on average at most, one anywhere."""
    result = register(fixed, moving, kind)
    mean, largest = _error(patient, fixed, moving, result.transform)
    assert result.accepted, result.reasons
    assert mean <= 0.5
    assert largest <= 1.0


def test_far_and_turned_head_is_found(patient: DigitalPatient) -> None:
    """A head 25 degrees and 90 mm away is found as well as one that is near."""
    moved = _moved(_image(patient, "SPACE"), 25.0, (50.0, -60.0, 45.0))
    settings = RegistrationSettings(kind="rigid")
    result = register_images(_image(patient, "MPRAGE"), moved, settings)
    assert result.accepted, result.reasons
    back = sitk.CompositeTransform([_placing(_image(patient, "SPACE"), moved), result.transform])
    assert _error(patient, "MPRAGE", "SPACE", back)[0] <= 0.5


def _placing(image: sitk.Image, moved: sitk.Image) -> sitk.Transform:
    """Points of ``moved`` to the points of ``image`` with the same voxel index."""
    matrix = np.array(image.GetDirection()).reshape(3, 3)
    other = np.array(moved.GetDirection()).reshape(3, 3)
    placing = sitk.AffineTransform(3)
    placing.SetMatrix((matrix @ other.T).ravel().tolist())
    placing.SetCenter(moved.GetOrigin())
    placing.SetTranslation(np.subtract(image.GetOrigin(), moved.GetOrigin()).tolist())
    return placing


def test_transform_resamples_moving_onto_fixed(patient: DigitalPatient, register: Register) -> None:
    """The transform is in ITK's resampling direction: the moved brain mask meets the fixed one."""
    result = register("CT", "SPACE", "rigid")
    carried = resample(
        patient.brain_masks["SPACE"], _image(patient, "CT"), result.transform, "nearest"
    )
    a = sitk.GetArrayViewFromImage(carried) > 0
    b = sitk.GetArrayViewFromImage(patient.brain_masks["CT"]) > 0
    assert 2 * (a & b).sum() / (a.sum() + b.sum()) > 0.95


def test_same_bits_in_another_process_with_other_threads(
    patient: DigitalPatient, tmp_path: Path
) -> None:
    """Parameters, metric and quality are equal to the last bit, whatever ITK's default threads."""
    names = [str(tmp_path / "fixed.nii"), str(tmp_path / "moving.nii")]
    for name, technique in zip(names, ("MPRAGE", "SPACE"), strict=True):
        sitk.WriteImage(_image(patient, technique), name)
    first = register_images(*map(sitk.ReadImage, names), RegistrationSettings(**COARSER))
    command = [sys.executable, "-c", ANOTHER_PROCESS, *names, json.dumps(COARSER)]
    other = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    here = json.dumps([first.parameters, first.quality.as_dict(), first.metric_value])
    assert other.strip() == here


def test_global_thread_setting_is_left_alone(patient: DigitalPatient) -> None:
    """ITK's default number of threads is after a registration what it was before."""
    before = sitk.ProcessObject.GetGlobalDefaultNumberOfThreads()
    try:
        sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(3)
        settings = RegistrationSettings(kind="rigid", **COARSER)
        register_images(_image(patient, "MPRAGE"), _image(patient, "SPACE"), settings)
        assert sitk.ProcessObject.GetGlobalDefaultNumberOfThreads() == 3
    finally:
        sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(before)


def test_mirrored_image_is_rejected(
    patient: DigitalPatient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An image stored with left and right exchanged is not accepted, and the reason says so.

    Left and right are told apart on voxels of 8 and 4 mm, whatever the last level is. Turned starts
    that end within 3 mm of each other, or of the first, are not refined again.
    """
    search, refine = registration._Search, registration._Search._refined
    places: list[tuple[float, sitk.Transform]] = []

    def noted(self: Any, transform: Any, report: Any) -> Any:
        places.append((self.coordinates.unit_mm, transform))
        return refine(self, transform, report)

    monkeypatch.setattr(search, "_refined", noted)
    mirrored = _mirrored(_image(patient, "SPACE"))
    result = register_images(_image(patient, "MPRAGE"), mirrored, RegistrationSettings(**COARSER))
    assert not result.accepted
    assert "mirrored_head_fits" in {reason.code for reason in result.reasons}
    assert 1 < len(places) <= 4
    for (unit, one), (_, other) in combinations(places, 2):
        assert unit * mean_distance(one, other) > 3.0


def test_a_second_try_is_announced_and_noted(
    patient: DigitalPatient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before the turned starts, which take long, it is said why; a good pair needs no word."""
    monkeypatch.setattr(registration, "_SECOND_STARTS_KEPT", 1)
    said: list[str] = []
    fixed, moving = (
        prepare_volume(_image(patient, name), COARSER["finest_mm"], name)
        for name in ("MPRAGE", "SPACE")
    )
    plain = register_volumes(fixed, moving, RegistrationSettings(**COARSER), said.append)
    assert said == []
    assert plain.notes == ()
    none = RegistrationSettings(limits=QualityLimits(least_peak=2.0), **COARSER)
    result = register_volumes(fixed, moving, none, said.append)
    assert len(said) == 1
    assert "turned starts" in said[0]
    assert any("turned starts tried" in note for note in result.notes)


def test_a_head_gives_one_result_however_it_is_stored(patient: DigitalPatient) -> None:
    """Permuted and flipped axes of either image change no bit of the transform."""
    fixed, moving = _image(patient, "MPRAGE"), _image(patient, "SPACE")
    settings = RegistrationSettings(**COARSER)
    straight, turned = (
        register_images(sitk.DICOMOrient(fixed, one), sitk.DICOMOrient(moving, other), settings)
        for one, other in (("RAS", "RAS"), ("SLA", "PIR"))
    )
    np.testing.assert_allclose(
        turned.transform.GetParameters(), straight.transform.GetParameters(), rtol=0, atol=1e-9
    )


@pytest.mark.thorough
def test_consistency_hardly_depends_on_the_seed(
    volumes: dict[str, RegistrationVolume], register: Register
) -> None:
    """Of a right pair it stays below a third of its limit, and within 0.1 mm over five seeds.

    The way back takes every voxel: a seed moves no more than the points inside them.
    """
    limit = QualityLimits().most_inverse_consistency_mm
    pair = volumes["CT"], volumes["SPACE"]
    found = [register_volumes(*pair, RegistrationSettings(seed=n)) for n in range(4)]
    found.append(register("CT", "SPACE", "rigid"))
    values = [float(one.quality.inverse_consistency_mm or np.nan) for one in found]
    assert max(values) <= limit / 3
    assert max(values) - min(values) <= 0.1


def test_a_mask_is_refused() -> None:
    """A body of one value holds nothing to register by."""
    values = np.zeros((24, 24, 24), np.uint8)
    values[4:20, 4:20, 4:20] = 1
    mask = sitk.GetImageFromArray(values)
    mask.SetSpacing((8.0, 8.0, 8.0))
    with pytest.raises(DataRefused, check=has_reason("registration_image_constant", name="fixed")):
        prepare_volume(mask, 8.0, "fixed")


def test_noise_is_refused(patient: DigitalPatient) -> None:
    """A volume of noise holds no head, and the message says which of the two images it is."""
    values = np.abs(np.random.default_rng(7).normal(0, 100, (90, 90, 90))).astype(np.float32)
    noise = sitk.GetImageFromArray(values)
    noise.SetSpacing((2.0, 2.0, 2.0))
    with pytest.raises(
        DataRefused, check=has_reason("head_not_found_for_registration", name="moving")
    ):
        register_images(_image(patient, "MPRAGE"), noise)
    with pytest.raises(
        DataRefused, check=has_reason("head_not_found_for_registration", name="fixed")
    ):
        register_images(noise, _image(patient, "MPRAGE"))


def test_unknown_kind_is_an_error() -> None:
    """A kind that does not exist is refused before any work."""
    with pytest.raises(ValueError, match="rigid or affine"):
        RegistrationSettings(kind="elastic")


@pytest.mark.parametrize("seed", [0, 2**32 - 2, 2**32 - 1, np.uint8(255), np.int64(7)])
def test_every_seed_is_one_for_all_levels(seed: Any) -> None:
    """SimpleITK takes what is drawn for a level: a number of Python, and never 0, its clock."""
    settings = RegistrationSettings(seed=seed)
    method = sitk.ImageRegistrationMethod()
    for level in range(3):
        drawn = registration.seed_of(settings, level)
        method.SetMetricSamplingPercentage(0.5, drawn)
        assert drawn != sitk.sitkWallClock
    assert json.dumps(settings.seed) == str(int(seed))


@pytest.mark.thorough
def test_real_pair_agrees_with_its_publishers(shared_data: Path) -> None:
    """On a real T1 and FLAIR with 3 mm slices the result lies within 1.5 mm of the publishers'."""
    folder = shared_data / "nii_openms_p12" / "raw" / "patient12"
    fixed = sitk.ReadImage(str(folder / "study1_FLAIR.nii.gz"))
    moving = sitk.ReadImage(str(folder / "study1_T1W.nii.gz"))
    published = sitk.ReadTransform(str(folder / "study1_T1W_intrastudy_to_FLAIR.txt"))
    result = register_images(fixed, moving, RegistrationSettings(kind="rigid"))
    assert result.accepted, result.reasons
    assert float(result.quality.inverse_consistency_mm or np.nan) <= 0.6
    centre = np.array([2.0, 12.0, 30.0])
    offsets = np.array([[0, 0, 0], [50, 0, 0], [-50, 0, 0], [0, 50, 0], [0, -50, 0], [0, 0, 40]])
    apart = [
        np.linalg.norm(np.subtract(result.transform.TransformPoint(p), published.TransformPoint(p)))
        for p in (centre + offsets).tolist()
    ]
    assert max(apart) < 1.5
