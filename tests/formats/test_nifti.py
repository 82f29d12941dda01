"""NIfTI files: the same grid and voxels back, the same bytes every time, bad files named."""

from __future__ import annotations

import gzip
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk
from helpers.refusals import has_reason
from hypothesis import given, settings
from hypothesis import strategies as st

from cta_data.errors import CtaError, DataRefused
from cta_data.formats.nifti.image import read_header, read_image, write_image
from cta_data.imaging.geometry.grid import (
    describe_grid_difference,
    distance_of_grids_mm,
    ras_affine,
    same_grid,
    same_voxels,
)

TYPES = [np.int8, np.uint8, np.int16, np.uint16, np.int32, np.uint32, np.float32, np.float64]


def make_image(
    dtype: type = np.int16, angles: tuple[float, ...] = (0.1, 0.2, 0.3), seed: int = 0
) -> sitk.Image:
    numbers = np.random.default_rng(seed)
    image = sitk.GetImageFromArray(numbers.integers(0, 100, (4, 5, 6)).astype(dtype))
    image.SetSpacing((0.9, 0.86, 1.2))
    image.SetOrigin((-80.5, 12.25, 33.0))
    image.SetDirection(sitk.Euler3DTransform((0, 0, 0), *angles).GetMatrix())
    return image


@settings(max_examples=30, deadline=None)
@given(angles=st.tuples(*[st.floats(-3, 3)] * 3), dtype=st.sampled_from(TYPES))
def test_what_is_written_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, angles: tuple[float, ...], dtype: type
) -> None:
    """Voxels, type and grid survive, for any orientation."""
    path = tmp_path_factory.mktemp("nifti") / "image.nii.gz"
    image = make_image(dtype, angles)
    write_image(image, path)
    back = read_image(path)
    assert back.GetPixelID() == image.GetPixelID()
    assert (sitk.GetArrayFromImage(back) == sitk.GetArrayFromImage(image)).all()
    assert distance_of_grids_mm(image, back) <= 1e-4


@pytest.mark.parametrize("name", ["image.nii", "image.nii.gz"])
def test_other_readers_agree(tmp_path: Path, name: str) -> None:
    """SimpleITK and nibabel read our file as we do; both codes are scanner, units mm."""
    image = make_image()
    write_image(image, tmp_path / name)
    assert distance_of_grids_mm(sitk.ReadImage(str(tmp_path / name)), image) <= 1e-3
    other = nib.load(tmp_path / name)
    assert (sitk.GetArrayFromImage(image) == np.asanyarray(other.dataobj).T).all()
    assert np.allclose(other.affine, ras_affine(image), atol=1e-4)
    assert other.header["sform_code"] == other.header["qform_code"] == 1
    assert other.header.get_xyzt_units()[0] == "mm"
    assert other.header["descrip"].item() == b""


def test_the_same_image_gives_the_same_bytes_without_name_or_time(tmp_path: Path) -> None:
    """Gzip's flags and time are zero, so that a rerun changes nothing."""
    for name in ("a.nii.gz", "b.nii.gz"):
        write_image(make_image(), tmp_path / name)
    first, second = (tmp_path / name for name in ("a.nii.gz", "b.nii.gz"))
    assert first.read_bytes() == second.read_bytes()
    assert first.read_bytes()[3:8] == bytes(5)
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["a.nii.gz", "b.nii.gz"]


def test_an_annexed_link_is_replaced_and_its_target_untouched(tmp_path: Path) -> None:
    """Writing never goes through a symbolic link."""
    stored = tmp_path / "object"
    stored.write_bytes(b"content under another key")
    link = tmp_path / "image.nii.gz"
    link.symlink_to(stored)
    write_image(make_image(), link)
    assert not link.is_symlink()
    assert stored.read_bytes() == b"content under another key"


def test_not_fetched_is_told_from_missing(tmp_path: Path) -> None:
    """A dangling link asks for datalad get, a missing file does not."""
    link = tmp_path / "dropped.nii.gz"
    link.symlink_to(tmp_path / "nowhere")
    for read in (read_image, read_header):
        with pytest.raises(CtaError, check=has_reason("content_not_fetched")):
            read(link)
        with pytest.raises(CtaError, check=has_reason("file_not_found")):
            read(tmp_path / "missing.nii.gz")


def test_damaged_files_are_refused(tmp_path: Path) -> None:
    """Truncated gzip, truncated voxels and other files are refused by name."""
    path = tmp_path / "image.nii.gz"
    write_image(make_image(), path)
    whole = path.read_bytes()
    for cut in (len(whole) - 1, len(whole) // 2, 20, 5):
        path.write_bytes(whole[:cut])
        with pytest.raises(DataRefused, check=has_reason("compressed_file_damaged")):
            read_image(path)
    damaged = bytearray(whole)
    damaged[len(whole) // 2] ^= 255
    path.write_bytes(bytes(damaged))
    with pytest.raises(DataRefused):
        read_image(path)
    path.write_bytes(gzip.compress(gzip.decompress(whole)[:-10]))
    with pytest.raises(DataRefused, check=has_reason("nifti_truncated")):
        read_image(path)
    path.write_bytes(b"not an image at all" * 50)
    with pytest.raises(DataRefused, check=has_reason("not_a_nifti_file")):
        read_image(path)


def test_several_gzip_members_are_one_file(tmp_path: Path) -> None:
    """bgzip and the like write many members; all are read."""
    path = tmp_path / "image.nii.gz"
    write_image(make_image(), path)
    plain = gzip.decompress(path.read_bytes())
    path.write_bytes(gzip.compress(plain[:400]) + gzip.compress(plain[400:]))
    assert (sitk.GetArrayFromImage(read_image(path)) == sitk.GetArrayFromImage(make_image())).all()


def save(path: Path, voxels: np.ndarray, affine: np.ndarray | None) -> Path:
    nib.Nifti1Image(voxels, affine).to_filename(path)
    return path


def test_volumes_of_other_shapes(tmp_path: Path) -> None:
    """A fourth axis of one is dropped; more volumes are refused."""
    single = save(tmp_path / "one.nii.gz", np.zeros((3, 4, 5, 1), np.int16), np.eye(4))
    assert read_image(single).GetSize() == (3, 4, 5)
    several = save(tmp_path / "two.nii.gz", np.zeros((3, 4, 5, 2), np.int16), np.eye(4))
    with pytest.raises(DataRefused, check=has_reason("nifti_not_a_volume", shape=(3, 4, 5, 2))):
        read_image(several)


def test_orientation_is_needed_and_shear_refused(tmp_path: Path) -> None:
    """No sform and no qform is refused, so is shear; cosines that are rounded are accepted."""
    voxels = np.zeros((3, 4, 5), np.int16)
    with pytest.raises(DataRefused, check=has_reason("nifti_orientation_missing")):
        read_image(save(tmp_path / "nowhere.nii.gz", voxels, None))
    sheared = np.eye(4)
    sheared[0, 1] = 0.2
    with pytest.raises(DataRefused, check=has_reason("image_axes_not_orthogonal")):
        read_image(save(tmp_path / "sheared.nii.gz", voxels, sheared))
    rounded = np.eye(4)
    rounded[0, 1] = 4e-4
    image = read_image(save(tmp_path / "rounded.nii.gz", voxels, rounded))
    matrix = np.array(image.GetDirection()).reshape(3, 3)
    assert np.allclose(matrix.T @ matrix, np.eye(3), atol=1e-12)


def test_slope_intercept_and_byte_order(tmp_path: Path) -> None:
    """Scaled files give their values; big-endian files are read."""
    values = np.linspace(-5, 5, 60).reshape(3, 4, 5)
    image = nib.Nifti1Image(values, np.eye(4))
    image.set_data_dtype(np.int16)
    image.to_filename(tmp_path / "scaled.nii.gz")
    read = sitk.GetArrayFromImage(read_image(tmp_path / "scaled.nii.gz")).T
    assert np.allclose(read, values, atol=1e-3)
    header = nib.Nifti1Header(endianness=">")
    header.set_data_dtype(np.dtype(">i2"))
    whole = np.arange(60, dtype=np.int16).reshape(3, 4, 5)
    big = nib.Nifti1Image(whole, np.eye(4), header)
    big.to_filename(tmp_path / "big.nii.gz")
    assert (whole == sitk.GetArrayFromImage(read_image(tmp_path / "big.nii.gz")).T).all()


def test_header_alone(tmp_path: Path) -> None:
    """The header is read without the voxels."""
    write_image(make_image(), tmp_path / "image.nii.gz")
    assert read_header(tmp_path / "image.nii.gz").get_data_shape() == (6, 5, 4)


def test_only_scalar_volumes_are_written(tmp_path: Path) -> None:
    """Vectors, planes, sheared grids and other endings are refused before a file appears."""
    sheared = make_image()
    sheared.SetDirection((1, 0.3, 0, 0, 1, 0, 0, 0, 1))
    for image in (sitk.Image(3, 3, sitk.sitkInt16), make_vector(), sheared):
        with pytest.raises(DataRefused):
            write_image(image, tmp_path / "image.nii.gz")
    with pytest.raises(CtaError):
        write_image(make_image(), tmp_path / "image.mha")
    assert list(tmp_path.iterdir()) == []


def make_vector() -> sitk.Image:
    return sitk.Image([3, 3, 3], sitk.sitkVectorFloat32, 3)


def test_grids_are_compared_where_it_matters() -> None:
    """A tiny turn that moves a corner by more than the tolerance is another grid."""
    image = make_image()
    moved = make_image()
    moved.SetOrigin(np.add(image.GetOrigin(), (0, 0.5, 0)).tolist())
    assert same_grid(image, make_image())
    assert not same_grid(image, moved)
    assert distance_of_grids_mm(image, moved) == pytest.approx(0.5)
    assert "corners up to 0.5 mm apart" in describe_grid_difference(image, moved)
    cropped = image[:5, :, :]
    assert not same_grid(image, cropped)
    text = describe_grid_difference(image, cropped)
    assert "6 × 5 × 4" in text
    assert "5 × 5 × 4" in text


@given(st.permutations([0, 1, 2]), st.tuples(*[st.booleans()] * 3))
def test_voxels_are_the_same_in_any_order_of_the_axes(axes: list[int], flips: tuple[bool]) -> None:
    """Also of an oblique image; half a voxel away, or another size, is another grid."""
    image = make_image()
    turned = sitk.Flip(sitk.PermuteAxes(image, axes), list(flips))
    assert same_voxels(image, turned) and same_voxels(turned, image)
    moved = sitk.Image(turned)
    moved.SetOrigin([value + 0.3 for value in turned.GetOrigin()])
    assert not same_voxels(image, moved)
    assert not same_voxels(image, turned[1:, :, :])
