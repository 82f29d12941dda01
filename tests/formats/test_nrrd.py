"""NRRD: voxels at their places whatever the space and encoding, and what is refused."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from cta_data.errors import CtaError, DataRefused
from cta_data.formats.nrrd import read_nrrd

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
    path.write_bytes(
        text.encode() + b"\n" + (gzip.compress(content) if encoding == "gzip" else content)
    )
    return path


@pytest.mark.parametrize("encoding", ["gzip", "raw"])
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
    ("changes", "told"),
    [
        ({"a": "space: left-posterior-superior\n=>"}, "where its voxels lie"),
        ({"a": "space directions: (2,0,0) (0,1.5,0) (0,0,3)\n=>"}, "where its voxels lie"),
        ({"a": "sizes: 4 3 2=>sizes: 2 4 3 2"}, "one three-dimensional volume"),
        ({"more": "data file: x.raw.gz"}, "another file"),
        ({"a": "NRRD0004=>PNG"}, "no NRRD"),
    ],
)
def test_headers_that_place_no_volume_are_refused(
    tmp_path: Path, changes: dict[str, str], told: str
) -> None:
    """Nothing is assumed about where voxels lie."""
    with pytest.raises(DataRefused, match=told):
        read_nrrd(written(tmp_path / "x.nrrd", **changes))


@pytest.mark.parametrize("encoding", ["gzip", "raw"])
def test_a_truncated_file_is_refused(tmp_path: Path, encoding: str) -> None:
    """Half a volume is none."""
    path = written(tmp_path / "x.nrrd", encoding=encoding)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(DataRefused, match="truncated or damaged"):
        read_nrrd(path)


def test_damaged_voxels_are_refused(tmp_path: Path) -> None:
    """A flipped byte in the compressed voxels is found by their checksum."""
    path = tmp_path / "x.nrrd"
    noise = np.random.default_rng(0).integers(0, 999, (20, 30, 40)).astype(np.int16)
    sitk.WriteImage(sitk.GetImageFromArray(noise), str(path), True)
    content = bytearray(path.read_bytes())
    content[-2000] ^= 0xFF
    path.write_bytes(bytes(content))
    with pytest.raises(DataRefused, match="truncated or damaged"):
        read_nrrd(path)


def test_a_link_without_content_says_how_to_fetch_it(tmp_path: Path) -> None:
    """A dropped annexed file is told from one that is not there."""
    (tmp_path / "x.nrrd").symlink_to(tmp_path / "gone")
    with pytest.raises(CtaError, match="datalad get"):
        read_nrrd(tmp_path / "x.nrrd")
