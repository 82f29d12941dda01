"""NIfTI files put in place: voxels untouched, nothing of a patient left, damage refused."""

from __future__ import annotations

import gzip
import io
import struct
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk
from helpers.refusals import has_reason
from nibabel.nifti1 import Nifti1Extension

from cta_data.errors import DataRefused
from cta_data.formats.nifti.copy import place_nifti
from cta_data.formats.nifti.image import read_image
from cta_data.imaging.geometry.grid import same_grid

AFFINE = np.array([[-1.0, 0, 0, 120], [0, -0.9, 0, 90], [0, 0, 1.2, -70], [0, 0, 0, 1]])
VOXELS = np.random.default_rng(0).integers(-50, 900, (12, 10, 8)).astype(np.int16)


def saved(path: Path, image: nib.Nifti1Image) -> Path:
    nib.save(image, path)
    return path


def clean(tmp_path: Path, **header: object) -> Path:
    """A file as nibabel writes it, with changes to its header."""
    image = nib.Nifti1Image(VOXELS, AFFINE)
    for name, value in header.items():
        image.header[name] = value
    return saved(tmp_path / "Mueller_Hans_t1.nii.gz", image)


def reads_as(path: Path, voxels: np.ndarray, affine: np.ndarray) -> bool:
    image = nib.load(path)
    return np.array_equal(np.asanyarray(image.dataobj), voxels) and np.allclose(
        image.affine, affine, atol=1e-5
    )


def test_compressed_voxels_are_kept_and_the_gzip_header_is_not(tmp_path: Path) -> None:
    """The deflate stream is the same bytes; name and time are gone; order and affine stay."""
    source, target = tmp_path / "Mueller_Hans.nii.gz", tmp_path / "placed.nii.gz"
    plain = gzip.decompress(clean(tmp_path).read_bytes())
    with source.open("wb") as raw, gzip.GzipFile("Mueller_Hans.nii", "wb", 9, raw, 1e9) as stream:
        stream.write(plain)
    assert b"Mueller" in source.read_bytes()
    placed = place_nifti(source, target)
    content = target.read_bytes()
    assert placed.unchanged and placed.notes == ()
    assert b"Mueller" not in content and content[3] == 0 and content[4:8] == b"\0\0\0\0"
    assert content[10:] == source.read_bytes()[10 + len("Mueller_Hans.nii") + 1 :]
    assert reads_as(target, VOXELS, AFFINE)
    assert same_grid(placed.grid, read_image(target))


@pytest.mark.parametrize(
    ("header", "kept"),
    [
        ({"descrip": b"TE=2.4;Time=101010.500"}, False),
        ({"descrip": b"Mueller^Hans"}, False),
        ({"aux_file": b"mueller.nii"}, False),
        ({"intent_name": b"Hans"}, False),
        ({"db_name": b"4711"}, False),
        ({"descrip": b"19460312 Smith John"}, False),
        ({"descrip": b"4711"}, False),
        ({"descrip": b"12.05.1960"}, False),
        ({"descrip": b"ITK Mueller Hans"}, False),
        ({"descrip": b"FSL\0MUELLER"}, False),
        ({"descrip": b"FSL5.0"}, True),
        ({"descrip": b"SPM12"}, True),
        ({"descrip": b"6.0.4:ddd0a010"}, True),
        ({"descrip": b"nibabel 5.4", "aux_file": b"none"}, True),
    ],
)
def test_free_text_goes_and_names_of_software_may_stay(
    tmp_path: Path, header: dict[str, bytes], kept: bool
) -> None:
    """Whatever is not plainly a program's own name is taken away, and that is noted."""
    target = tmp_path / "placed.nii.gz"
    placed = place_nifti(clean(tmp_path, **header), target)
    found = nib.load(target).header
    for name, text in header.items():
        assert bytes(found[name]).rstrip(b"\0") == (text if kept else b"")
    assert placed.unchanged is kept
    assert all("removed" in note for note in placed.notes) and bool(placed.notes) is not kept
    assert reads_as(target, VOXELS, AFFINE)


def test_extensions_are_dropped(tmp_path: Path) -> None:
    """A DICOM header that a converter kept as an extension is gone, the voxels stay."""
    image = nib.Nifti1Image(VOXELS, AFFINE)
    image.header.extensions.append(Nifti1Extension("comment", b"PatientName Mueller^Hans"))
    source = saved(tmp_path / "with.nii.gz", image)
    placed = place_nifti(source, tmp_path / "placed.nii.gz")
    assert b"Mueller" not in gzip.decompress((tmp_path / "placed.nii.gz").read_bytes())
    assert placed.notes == ("extensions removed from the header",)
    assert reads_as(tmp_path / "placed.nii.gz", VOXELS, AFFINE)


def test_bytes_behind_the_voxels_are_dropped(tmp_path: Path) -> None:
    """Nothing rides along behind the last voxel."""
    plain = gzip.decompress(clean(tmp_path).read_bytes()) + b"Mueller^Hans"
    source = tmp_path / "long.nii.gz"
    source.write_bytes(gzip.compress(plain))
    place_nifti(source, tmp_path / "placed.nii.gz")
    assert b"Mueller" not in gzip.decompress((tmp_path / "placed.nii.gz").read_bytes())


def other_forms(tmp_path: Path) -> dict[str, Path]:
    """Forms of the same image that no tool downstream should have to know."""
    big = nib.Nifti1Image(VOXELS, AFFINE, nib.Nifti1Header(endianness=">"))
    members = gzip.decompress(clean(tmp_path).read_bytes())
    two = tmp_path / "members.nii.gz"
    two.write_bytes(gzip.compress(members[:400]) + gzip.compress(members[400:]))
    return {
        "uncompressed": saved(tmp_path / "plain.nii", nib.Nifti1Image(VOXELS, AFFINE)),
        "version 2": saved(tmp_path / "two.nii.gz", nib.Nifti2Image(VOXELS, AFFINE)),
        "big-endian": saved(tmp_path / "big.nii.gz", big),
        "fourth axis": saved(tmp_path / "four.nii.gz", nib.Nifti1Image(VOXELS[..., None], AFFINE)),
        "two gzip members": two,
    }


@pytest.mark.parametrize(
    "form", ["uncompressed", "version 2", "big-endian", "fourth axis", "two gzip members"]
)
def test_other_forms_become_the_common_one(tmp_path: Path, form: str) -> None:
    """NIfTI-1, little-endian, three axes, one gzip member; the same voxels at the same places."""
    target = tmp_path / "placed.nii.gz"
    placed = place_nifti(other_forms(tmp_path)[form], target)
    assert not placed.unchanged
    image = nib.load(target)
    assert type(image) is nib.Nifti1Image and image.header.endianness == "<"
    assert reads_as(target, VOXELS, AFFINE)


def test_a_scaled_image_keeps_its_scale(tmp_path: Path) -> None:
    """Slope and intercept belong to the header and stay there."""
    image = nib.Nifti1Image(VOXELS, AFFINE)
    image.header.set_slope_inter(0.5, 3.0)
    source = saved(tmp_path / "scaled.nii.gz", image)
    place_nifti(source, tmp_path / "placed.nii.gz")
    read = nib.load(tmp_path / "placed.nii.gz")
    assert np.allclose(read.get_fdata(), nib.load(source).get_fdata())


def test_orientations_that_differ_by_rounding_become_one(tmp_path: Path) -> None:
    """How far they are apart is noted, and every reader of the copy sees the one that counts."""
    image = nib.Nifti1Image(VOXELS, AFFINE)
    shifted = AFFINE.copy()
    shifted[0, 3] += 0.05
    image.set_qform(shifted, 1)
    image.set_sform(AFFINE, 1)
    placed = place_nifti(saved(tmp_path / "x.nii.gz", image), tmp_path / "placed.nii.gz")
    assert "0.05 mm apart" in placed.notes[0] and "sform" in placed.notes[0]
    header = nib.load(tmp_path / "placed.nii.gz").header
    for stored in (header.get_sform(), header.get_qform()):
        assert np.allclose(stored, AFFINE, atol=1e-5)


def damaged(kind: str, source: Path) -> bytes:
    content = source.read_bytes()
    plain = gzip.decompress(content)
    if kind == "truncated":
        return content[: len(content) // 2]
    if kind == "flipped":
        return content[:200] + bytes([content[200] ^ 0xFF]) + content[201:]
    if kind == "short":
        return gzip.compress(plain[:-100])
    if kind == "metres":
        header = bytearray(plain)
        header[123] = 1
        return gzip.compress(bytes(header))
    return b"not an image"


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        ("truncated", "compressed_file_damaged"),
        ("flipped", "compressed_file_damaged"),
        ("short", "nifti_truncated"),
        ("metres", "voxel_spacing_implausible"),
        ("other", "not_a_nifti_file"),
    ],
)
def test_damage_is_refused_and_nothing_is_written(tmp_path: Path, kind: str, code: str) -> None:
    """One clear error, and no half image at the target."""
    source, target = clean(tmp_path), tmp_path / "placed.nii.gz"
    source.write_bytes(damaged(kind, source))
    with pytest.raises(DataRefused, check=has_reason(code)):
        place_nifti(source, target)
    assert not target.exists()


def test_several_volumes_are_refused(tmp_path: Path) -> None:
    """A time series is no image of this study."""
    image = nib.Nifti1Image(np.stack([VOXELS, VOXELS], -1), AFFINE)
    stream = io.BytesIO(image.to_bytes())
    source = tmp_path / "four.nii"
    source.write_bytes(stream.getvalue())
    with pytest.raises(DataRefused, check=has_reason("nifti_not_a_volume")):
        place_nifti(source, tmp_path / "placed.nii.gz")


def patched(tmp_path: Path, at: int, form: str, *values: float) -> Path:
    """A file with some bytes of its header written over."""
    plain = bytearray(gzip.decompress(clean(tmp_path).read_bytes()))
    struct.pack_into(form, plain, at, *values)
    path = tmp_path / "patched.nii.gz"
    path.write_bytes(gzip.compress(bytes(plain)))
    return path


VOX_OFFSET, DATATYPE, QFORM = 108, 70, 252


@pytest.mark.parametrize(
    ("at", "form", "values", "code"),
    [
        (VOX_OFFSET, "<f", (0,), "nifti_offset_missing"),
        (VOX_OFFSET, "<f", (float("nan"),), "nifti_offset_missing"),
        (VOX_OFFSET, "<f", (float("inf"),), "nifti_offset_missing"),
        (VOX_OFFSET, "<f", (1e30,), "nifti_truncated"),
        (DATATYPE, "<hh", (32, 64), "nifti_datatype_unsupported"),
        (DATATYPE, "<hh", (128, 24), "nifti_datatype_unsupported"),
        (QFORM, "<hhfff", (1, 0, 2.0, 2.0, 2.0), "nifti_orientation_missing"),
        (QFORM, "<hh", (0, 0), "nifti_orientation_missing"),
    ],
)
def test_headers_that_cannot_be_right_are_refused(
    tmp_path: Path, at: int, form: str, values: tuple[float, ...], code: str
) -> None:
    """A damaged number in the header gives one clear error, on placing and on reading."""
    source = patched(tmp_path, at, form, *values)
    for act in (
        lambda: place_nifti(source, tmp_path / "placed.nii.gz"),
        lambda: read_image(source),
    ):
        with pytest.raises(DataRefused, check=has_reason(code)):
            act()
    assert not (tmp_path / "placed.nii.gz").exists()


@pytest.mark.parametrize("quaternion", [2.0, float("nan")])
def test_a_damaged_qform_beside_a_good_sform_is_noted(tmp_path: Path, quaternion: float) -> None:
    """The orientation that counts is whole, so the file is placed and the other one told."""
    source = patched(tmp_path, QFORM, "<hhfff", 1, 2, quaternion, 2.0, 2.0)
    placed = place_nifti(source, tmp_path / "placed.nii.gz")
    assert placed.notes == ("the qform places no volume; the sform is used",)
    assert same_grid(placed.grid, read_image(source))


@pytest.mark.parametrize("size", [2, 12])
def test_a_header_without_its_voxels_is_refused(tmp_path: Path, size: int) -> None:
    """Of a pair `.hdr` and `.img` no byte of the header is ever taken for a voxel."""
    nib.save(nib.Nifti1Pair(VOXELS[:size, :size, :size], AFFINE), tmp_path / "x.hdr")
    with pytest.raises(DataRefused, check=has_reason("nifti_voxels_in_another_file")):
        place_nifti(tmp_path / "x.hdr", tmp_path / "placed.nii.gz")


def test_names_in_empty_gzip_members_are_gone(tmp_path: Path) -> None:
    """A member that holds nothing may still be named after a patient, as may the one after it."""
    plain = gzip.decompress(clean(tmp_path).read_bytes())
    stream = io.BytesIO()
    for content in (b"", plain):
        with gzip.GzipFile("Mueller_Hans.nii", "wb", 9, stream) as packer:
            packer.write(content)
    source = tmp_path / "x.nii.gz"
    source.write_bytes(stream.getvalue())
    assert not place_nifti(source, tmp_path / "placed.nii.gz").unchanged
    assert b"Mueller" not in (tmp_path / "placed.nii.gz").read_bytes()
    assert reads_as(tmp_path / "placed.nii.gz", VOXELS, AFFINE)


@pytest.mark.parametrize("codes", ["LPS", "RAS", "SAL", "PIR"])
def test_three_readers_agree_on_what_was_placed(tmp_path: Path, codes: str) -> None:
    """Voxel order stays, and nibabel, SimpleITK and this package put voxels at one place."""
    turn = nib.orientations.ornt_transform(
        nib.io_orientation(AFFINE), nib.orientations.axcodes2ornt(codes)
    )
    turned = nib.Nifti1Image(VOXELS, AFFINE).as_reoriented(turn)
    source, target = saved(tmp_path / "turned.nii.gz", turned), tmp_path / "placed.nii.gz"
    placed = place_nifti(source, target)
    assert nib.aff2axcodes(nib.load(target).affine) == tuple(codes)
    assert reads_as(target, np.asanyarray(turned.dataobj), turned.affine)
    ours, theirs = read_image(target), sitk.ReadImage(str(target))
    assert same_grid(ours, theirs) and same_grid(placed.grid, theirs)
    assert np.array_equal(sitk.GetArrayFromImage(ours), sitk.GetArrayFromImage(theirs))
