"""Real series from other people, held against what they publish for them."""

from __future__ import annotations

import hashlib
import json
import tarfile
from pathlib import Path

import nibabel as nib
import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from helpers.archives import extract_all
from helpers.refusals import has_reason

from cta_data.errors import DataRefused
from cta_data.formats.dicom.series import ConvertedSeries, convert_series
from cta_data.imaging.geometry.grid import ras_affine

AFFINE_TOLERANCE = 1e-4

VENDOR_STACKS = [
    "ge/anatomical/001",
    "ge/anatomical/001_implicit",
    "generic/anatomical/001",
    "generic/anatomical/001_implicit",
    "generic/anatomical/002_non_isotropic",
    "generic/compressed/001",
    "generic/compressed_j2k/001",
    "generic/compressed_jpeg/001",
    "generic/compressed_jpegls/001",
    "generic/compressed_rle/001",
    "hitachi/anatomical/001",
    "hitachi/anatomical/001_implicit",
    "hyperfine/anatomical/001",
    "philips/anatomical/001",
    "philips/anatomical/001_implicit",
    "philips_enhanced/anatomical/001",
    "philips_enhanced/anatomical/001_implicit",
    "siemens/anatomical/001",
    "siemens/anatomical/001_implicit",
    "siemens_multiframe/anatomical/001",
]
# The last two have a published image; we refuse them: one slice is no volume, colour no signal.
REFUSED_STACKS = {
    "failing/gantrytilting/001": "gantry_tilted",
    "failing/notavolume/001": "slices_at_one_position",
    "failing/sliceorientation/001": "slice_orientations_differ",
    "failing/slicecount/001": "slices_too_few",
    "ge/anatomical/001_single_slice": "slices_too_few",
    "generic/rgb/001": "image_in_colour",
}


def unpack(archive: Path, folder: Path) -> Path:
    with tarfile.open(archive) as packed:
        extract_all(packed, folder)
    return folder


def convert_folder(folder: Path) -> ConvertedSeries:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return convert_series([pydicom.dcmread(path) for path in files])


def digest(image: sitk.Image) -> str:
    """SHA-256 of the voxels with axes x, y, z in C order, as the references have it."""
    voxels = sitk.GetArrayViewFromImage(image).T
    return hashlib.sha256(np.ascontiguousarray(voxels).tobytes()).hexdigest()


@pytest.fixture(scope="module")
def vendors(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    archive = shared_data / "mr_dicom2nifti_multivendor" / "tests.tar.xz"
    return unpack(archive, tmp_path_factory.mktemp("vendors")) / "tests" / "data"


@pytest.mark.parametrize("stack", VENDOR_STACKS)
def test_vendors_and_transfer_syntaxes(vendors: Path, stack: str) -> None:
    """Voxels equal the published image (floats within rounding), the affine within 1e-4."""
    converted = convert_folder(vendors / stack)
    truth = nib.as_closest_canonical(nib.load(vendors / f"{stack}_ground_truth.nii.gz"))
    expected = np.squeeze(np.asanyarray(truth.dataobj))
    voxels = sitk.GetArrayFromImage(converted.image).T
    assert voxels.shape == expected.shape
    if expected.dtype.kind == "f":
        assert np.allclose(voxels, expected, rtol=1e-6, atol=1e-5)
    else:
        assert (voxels == expected).all()
    assert np.abs(ras_affine(converted.image) - truth.affine).max() < AFFINE_TOLERANCE


@pytest.mark.parametrize("stack", REFUSED_STACKS)
def test_what_is_no_volume_is_refused_with_what_was_measured(vendors: Path, stack: str) -> None:
    """The four that must fail, the single slice and the colour map."""
    with pytest.raises(DataRefused, check=has_reason(REFUSED_STACKS[stack])):
        convert_folder(vendors / stack)


def test_a_whole_oblique_mprage(shared_data: Path, tmp_path: Path) -> None:
    """192 obliquely sagittal slices give the voxels and affine that dcm2niix gives."""
    source = shared_data / "mr_siemens_mprage_sag"
    converted = convert_folder(unpack(source / "dicoms.tar.xz", tmp_path))
    text = (source / "peer_dcm2niix" / "reference_digest.json").read_text()
    (known,) = json.loads(text).values()
    assert list(converted.image.GetSize()) == known["canonical_RAS_shape"]
    assert digest(converted.image) == known["sha256_RAS_C_order_bytes"]
    affine = ras_affine(converted.image)
    assert np.abs(affine - known["canonical_RAS_affine"]).max() < AFFINE_TOLERANCE
    for index, value in known["probe_voxels_RAS"]:
        assert converted.image[index] == value
    assert converted.deviations == ()


@pytest.mark.parametrize("series", ["5_anat-T1w_acq-tfl", "6_anat-T1w_acq-tfl"])
def test_enhanced_multi_frame(shared_data: Path, tmp_path: Path, series: str) -> None:
    """A Siemens XA30 object gives the voxels of its reference.

    The reference takes its slice spacing (2 mm) from the header, ours comes from the positions
    (2.000001 mm): over 95 steps that is 1.04e-4 mm, hence the wider tolerance.
    """
    source = shared_data / "mr_siemens_xa30_enhanced_t1"
    converted = convert_folder(unpack(source / "In.tar.xz", tmp_path) / "In" / series)
    text = (source / "peer_dcm2niix" / "reference_digest.json").read_text()
    known = json.loads(text)[f"mr_siemens_xa30_enhanced_t1_{series}.nii.gz"]
    assert digest(converted.image) == known["sha256_RAS_C_order_bytes"]
    affine = ras_affine(converted.image)
    assert np.abs(affine - known["canonical_RAS_affine"]).max() < 1.2 * AFFINE_TOLERANCE
    assert converted.header["RepetitionTime"] == "1800"
    assert converted.header["EchoTime"] == "2.41"
