"""NRRD: voxels at their places whatever the space and encoding, and what is refused."""

from __future__ import annotations

import bz2
import gzip
import tempfile
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from helpers.nrrd_images import read_nrrd
from helpers.refusals import has_reason, require_reason
from hypothesis import given, settings
from hypothesis import strategies as st

from cta_data.errors import CtaError, DataRefused

VOXELS = np.arange(2 * 3 * 4, dtype="<i2").reshape(2, 3, 4)  # z, y, x
HEADER = """NRRD0004
type: short
dimension: 3
space: {space}
sizes: 4 3 2
space directions: (2,0,0) (0,1.5,0) (0,0,3)
kinds: domain domain domain
endian: little
encoding: {encoding}
space origin: (10,20,30)
{more}
"""
PACKERS = {"gzip": gzip.compress, "bzip2": bz2.compress, "raw": bytes}


def written(
    path: Path, space: str = "left-posterior-superior", encoding: str = "gzip", **k: str
) -> Path:
    """A file as other programs write it, from the format's description."""
    text = HEADER.format(space=space, encoding=encoding, more=k.get("more", "")).replace(
        "\n\n", "\n"
    )
    for old, new in k.items():
        if old != "more":
            text = text.replace(*new.split("=>"))
    content = VOXELS.tobytes()
    path.write_bytes(text.encode() + b"\n" + PACKERS[encoding](content))
    return path


@pytest.mark.parametrize("encoding", ["gzip", "raw", "bzip2"])
@pytest.mark.parametrize(
    ("space", "signs"),
    [
        ("left-posterior-superior", (1, 1, 1)),
        ("right-anterior-superior", (-1, -1, 1)),
        ("RAS", (-1, -1, 1)),
        ("left-anterior-superior", (1, -1, 1)),
    ],
)
def test_every_voxel_is_at_its_place(
    tmp_path: Path, encoding: str, space: str, signs: tuple[int, int, int]
) -> None:
    """The voxel of index (3, 2, 1) lies where the file's own space puts it, told in LPS."""
    image = read_nrrd(written(tmp_path / "x.nrrd", space, encoding))
    place = np.array(signs) * np.array([10 + 3 * 2, 20 + 2 * 1.5, 30 + 1 * 3])
    index = image.TransformPhysicalPointToIndex(place.tolist())
    assert image[index] == VOXELS[1, 2, 3]
    assert image.GetSpacing() == (2.0, 1.5, 3.0)


def test_what_itk_writes_comes_back(tmp_path: Path) -> None:
    """An oblique image survives with its direction."""
    image = sitk.GetImageFromArray(VOXELS)
    image.SetDirection((0, -1, 0, 1, 0, 0, 0, 0, 1))
    image.SetOrigin((1, 2, 3))
    sitk.WriteImage(image, str(tmp_path / "x.nrrd"), True)
    read = read_nrrd(tmp_path / "x.nrrd")
    assert read.GetDirection() == image.GetDirection() and read.GetOrigin() == image.GetOrigin()
    assert np.array_equal(sitk.GetArrayFromImage(read), VOXELS)


def test_a_fourth_axis_of_one_is_dropped(tmp_path: Path) -> None:
    """Some readers add an axis of length 1."""
    path = written(
        tmp_path / "x.nrrd",
        a="dimension: 3=>dimension: 4",
        b="sizes: 4 3 2=>sizes: 4 3 2 1",
        c="(0,0,3)=>(0,0,3) none",
        d="domain domain domain=>domain domain domain list",
    )
    image = read_nrrd(path)
    assert image.GetSize() == (4, 3, 2)
    assert np.array_equal(sitk.GetArrayFromImage(image), VOXELS)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"a": "space: left-posterior-superior\n=>"}, "nrrd_orientation_missing"),
        ({"a": "space directions: (2,0,0) (0,1.5,0) (0,0,3)\n=>"}, "nrrd_orientation_missing"),
        ({"a": "space origin: (10,20,30)\n=>"}, "nrrd_orientation_missing"),
        (
            {"a": "space origin: (10,20,30)=>space origin: (nan,20,30)"},
            "nrrd_orientation_missing",
        ),
        ({"a": "(2,0,0)=>(nan,nan,nan)"}, "nrrd_orientation_missing"),
        ({"a": "(2,0,0)=>(0,0,0)"}, "nrrd_orientation_unreadable"),
        ({"a": "(2,0,0)=>none"}, "nrrd_orientation_missing"),
        ({"a": "(0,1.5,0)=>(1,1.5,0)"}, "image_axes_not_orthogonal"),
        ({"more": 'space units: "m" "m" "m"'}, "nrrd_unit_unknown"),
        ({"a": "sizes: 4 3 2=>sizes: 2 4 3 2"}, "nrrd_not_a_volume"),
        ({"more": "data file: x.raw.gz"}, "nrrd_voxels_in_another_file"),
        ({"a": "NRRD0004=>PNG"}, "not_an_nrrd_file"),
    ],
)
def test_headers_that_place_no_volume_are_refused(
    tmp_path: Path, changes: dict[str, str], code: str
) -> None:
    """Nothing is assumed about where voxels lie."""
    with pytest.raises(DataRefused, check=has_reason(code)):
        read_nrrd(written(tmp_path / "x.nrrd", **changes))


@pytest.mark.parametrize(
    ("field", "code"), [("type: ", "nrrd_type_unsupported"), ("sizes: ", "nrrd_not_a_volume")]
)
def test_a_text_in_the_place_of_a_number_is_not_repeated(
    tmp_path: Path, field: str, code: str
) -> None:
    """It may be a name."""
    path = written(tmp_path / "x.nrrd")
    head, behind = path.read_bytes().split(field.encode(), 1)
    rest = behind.split(b"\n", 1)[1]
    path.write_bytes(head + field.encode() + b"Wurzelsepp\n" + rest)
    with pytest.raises(DataRefused, check=has_reason(code)) as refused:
        read_nrrd(path)
    assert "wurzelsepp" not in str(refused.value).lower()


@pytest.mark.parametrize("encoding", ["gzip", "raw", "bzip2"])
def test_a_truncated_file_is_refused(tmp_path: Path, encoding: str) -> None:
    """Half a volume is none."""
    path = written(tmp_path / "x.nrrd", encoding=encoding)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(DataRefused, check=has_reason("nrrd_damaged")):
        read_nrrd(path)


NOISE = np.random.default_rng(0).integers(0, 999, (10, 12, 14)).astype("<i2")


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_flipped_bit_in_compressed_voxels_is_found(data: st.DataObject) -> None:
    """The checksum is looked at, which ITK does not: no other voxels ever come out."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.nrrd"
        sitk.WriteImage(sitk.GetImageFromArray(NOISE), str(path), True)
        content = bytearray(path.read_bytes())
        voxels = content.index(b"\n\n") + 2
        at = data.draw(st.integers(voxels + 10, len(content) - 1))  # behind the gzip header
        content[at] ^= 1 << data.draw(st.integers(0, 7))
        path.write_bytes(bytes(content))
        try:
            image = read_nrrd(path)
        except DataRefused as error:
            require_reason(error.reason, "nrrd_damaged")
        else:  # a bit that fills up the last byte means nothing
            assert np.array_equal(sitk.GetArrayFromImage(image), NOISE)


@pytest.mark.parametrize("cut", [1, 4, 8, 9, 100])
def test_a_file_cut_at_its_very_end_is_refused(tmp_path: Path, cut: int) -> None:
    """Also where all voxels are there and only their checksum is not: it was not copied whole."""
    path = tmp_path / "x.nrrd"
    sitk.WriteImage(sitk.GetImageFromArray(NOISE), str(path), True)
    path.write_bytes(path.read_bytes()[:-cut])
    with pytest.raises(DataRefused, check=has_reason("nrrd_damaged")):
        read_nrrd(path)


def test_a_link_without_content_says_how_to_fetch_it(tmp_path: Path) -> None:
    """A dropped annexed file is told from one that is not there."""
    (tmp_path / "x.nrrd").symlink_to(tmp_path / "gone")
    with pytest.raises(CtaError, check=has_reason("nrrd_content_not_fetched")):
        read_nrrd(tmp_path / "x.nrrd")


@pytest.mark.parametrize("longer", [True, False])
def test_voxels_that_do_not_fill_the_sizes_are_refused(tmp_path: Path, longer: bool) -> None:
    """A whole gzip stream of another length than the header says is no volume."""
    path = written(tmp_path / "x.nrrd", encoding="raw")
    content = path.read_bytes().replace(b"encoding: raw", b"encoding: gzip")
    header, voxels = content[: -VOXELS.nbytes], VOXELS.tobytes()
    path.write_bytes(header + gzip.compress(voxels + b"more" if longer else voxels[:-2]))
    with pytest.raises(DataRefused, check=has_reason("nrrd_damaged")):
        read_nrrd(path)


def test_voxels_in_the_other_byte_order_are_the_same(tmp_path: Path) -> None:
    """Big-endian voxels, in two gzip members of which the first is named."""
    path = written(tmp_path / "x.nrrd", a="endian: little=>endian: big")
    header = path.read_bytes().split(b"\n\n", 1)[0] + b"\n\n"
    voxels = VOXELS.astype(">i2").tobytes()
    path.write_bytes(header + gzip.compress(voxels[:10]) + gzip.compress(voxels[10:]))
    assert np.array_equal(sitk.GetArrayFromImage(read_nrrd(path)), VOXELS)
