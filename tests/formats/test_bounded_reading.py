"""Files that are small and claim, or inflate to, much: refused before they take memory."""

from __future__ import annotations

import bz2
import gzip
import io
import os
import struct
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import nibabel as nib
import numpy as np
import pydicom
import pytest
from helpers.nrrd_images import read_nrrd
from helpers.refusals import has_reason
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import (
    CTImageStorage,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    RLELossless,
)

from cta_data.errors import ConfigurationError, DataRefused, TooLarge
from cta_data.formats.dicom.size import open_dicom, plain_dicom, require_pixels_allowed
from cta_data.formats.nifti.image import read_image
from cta_data.formats.png_stack import read_png_stack
from cta_data.formats.slice_numbers import slice_numbers
from cta_data.size_limit import VARIABLE, largest_image_bytes

MEBIBYTE = 1 << 20
BOMB = bytes(64 * MEBIBYTE)
VOXELS = np.arange(512, dtype="<i2").tobytes()
NRRD = """NRRD0004
type: short
dimension: 3
space: LPS
sizes: {sizes}
space directions: (1,0,0) (0,1,0) (0,0,1)
kinds: domain domain domain
endian: little
encoding: {encoding}
space origin: (0,0,0)

"""


@pytest.fixture()
def limit_of_4_mib(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, str(4 / 1024))


@contextmanager
def at_most(mebibytes: int) -> Iterator[None]:
    """Require that Python takes no more memory meanwhile."""
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < mebibytes * MEBIBYTE
    finally:
        tracemalloc.stop()


def nifti_header(*shape: int, dtype: str = "<i2") -> bytes:
    header = nib.Nifti1Header()
    header.set_data_dtype(dtype)
    header.set_data_shape(shape)
    header.set_sform(np.eye(4), 1)
    header["vox_offset"], header["magic"] = 352, b"n+1"
    return bytes(header.binaryblock) + bytes(4)


SMALL = nifti_header(8, 8, 8) + VOXELS


@pytest.mark.parametrize(
    "packed",
    [
        lambda: gzip.compress(SMALL + BOMB, 1),
        lambda: gzip.compress(SMALL) + 4 * gzip.compress(BOMB[: 16 * MEBIBYTE], 1),
        lambda: gzip.compress(SMALL + BOMB, 1)[:-4] + struct.pack("<I", len(SMALL)),
        lambda: SMALL + bytes(3 * MEBIBYTE),
    ],
    ids=["one member", "members", "false trailer", "plain"],
)
def test_what_lies_far_behind_the_voxels_is_not_read(
    tmp_path: Path, packed: Callable[[], bytes]
) -> None:
    """A file with much more than its voxels is refused, whatever packs it; none of it is kept."""
    path = tmp_path / "x.nii.gz"
    path.write_bytes(packed())
    with at_most(6), pytest.raises(DataRefused, check=has_reason("nifti_trailing_bytes")):
        read_image(path)


@pytest.mark.parametrize(
    "packed",
    [
        gzip.compress(SMALL + bytes(1000)),
        gzip.compress(SMALL[:500]) + gzip.compress(SMALL[500:]),
        gzip.compress(SMALL) + bytes(1000),
        gzip.compress(b"") + gzip.compress(SMALL),
    ],
    ids=["bytes behind", "members", "padding", "empty member"],
)
def test_what_programs_write_is_read(tmp_path: Path, packed: bytes) -> None:
    """A few bytes behind the voxels, several members and zeros behind them are no damage."""
    path = tmp_path / "x.nii.gz"
    path.write_bytes(packed)
    assert read_image(path).GetPixel(7, 7, 7) == 511


@pytest.mark.parametrize("packed", [False, True])
def test_a_header_that_announces_more_than_the_file_can_hold_is_refused(
    tmp_path: Path, packed: bool
) -> None:
    """Dimensions are held against the file before anything is inflated."""
    content = nifti_header(32767, 32767, 32767, dtype="<f8") + VOXELS
    path = tmp_path / "x.nii.gz"
    path.write_bytes(gzip.compress(content) if packed else content)
    with at_most(2), pytest.raises(DataRefused, check=has_reason("nifti_truncated")):
        read_image(path)


@pytest.mark.usefixtures("limit_of_4_mib")
def test_an_image_above_the_limit_is_refused_and_the_limit_can_be_raised(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The refusal names the variable; with another limit the same file is read."""
    path = tmp_path / "x.nii.gz"
    path.write_bytes(gzip.compress(nifti_header(256, 256, 64) + bytes(8 * MEBIBYTE)))
    with at_most(2), pytest.raises(TooLarge, check=has_reason("image_too_large")):
        read_image(path)
    monkeypatch.setenv(VARIABLE, "0.01")
    assert read_image(path).GetSize() == (256, 256, 64)


@pytest.mark.usefixtures("limit_of_4_mib")
def test_values_that_are_scaled_count_as_they_become(tmp_path: Path) -> None:
    """One byte a voxel becomes four where a slope is applied: that is what is limited."""
    content = bytearray(nifti_header(128, 128, 128, dtype="u1") + bytes(2 * MEBIBYTE))
    content[112:116] = struct.pack("<f", 2.0)  # scl_slope
    path = tmp_path / "x.nii"
    path.write_bytes(content)
    with pytest.raises(TooLarge):
        read_image(path)


@pytest.mark.usefixtures("limit_of_4_mib")
@pytest.mark.parametrize("name", ["x.nii", "x.nii.gz"])
def test_a_file_with_a_hole_is_refused_unread(tmp_path: Path, name: str) -> None:
    """A sparse file takes no disk, and as much memory as it says."""
    path = tmp_path / name
    path.write_bytes(gzip.compress(SMALL) if name.endswith("gz") else SMALL)
    os.truncate(path, 1 << 40)
    with at_most(2), pytest.raises(TooLarge):
        read_image(path)


@pytest.mark.parametrize("text", ["much", "0", "-1", "nan", "inf"])
def test_a_limit_that_is_none_is_an_error(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """Nobody has to guess which limit counts."""
    monkeypatch.setenv(VARIABLE, text)
    with pytest.raises(ConfigurationError, check=has_reason("size_limit_invalid", where=VARIABLE)):
        largest_image_bytes()


def nrrd(encoding: str, voxels: bytes, sizes: str = "8 8 8") -> bytes:
    return NRRD.format(encoding=encoding, sizes=sizes).encode() + voxels


@pytest.mark.parametrize(
    "content",
    [
        lambda: nrrd("gzip", gzip.compress(BOMB, 1)),
        lambda: nrrd("bzip2", bz2.compress(BOMB)),
        lambda: nrrd("gzip", gzip.compress(VOXELS), "100000 100000 1000"),
        lambda: nrrd("raw", VOXELS, "100000 100000 1000"),
        lambda: nrrd("ascii", b"1 2 3", "100000 100000 1000"),
    ],
    ids=["gzip", "bzip2", "sizes, gzip", "sizes, raw", "sizes, text"],
)
def test_a_nrrd_file_takes_no_more_than_its_sizes_say(
    tmp_path: Path, content: Callable[[], bytes]
) -> None:
    """Voxels beyond the sizes, and sizes beyond the file, are refused alike."""
    path = tmp_path / "x.nrrd"
    path.write_bytes(content())
    with at_most(6), pytest.raises(DataRefused, check=has_reason("nrrd_damaged")):
        read_nrrd(path)


@pytest.mark.usefixtures("limit_of_4_mib")
def test_sizes_of_a_nrrd_file_keep_to_the_limit(tmp_path: Path) -> None:
    """bzip2 has no largest ratio: the limit is what counts."""
    path = tmp_path / "x.nrrd"
    path.write_bytes(nrrd("bzip2", bz2.compress(BOMB), "512 256 256"))
    with at_most(2), pytest.raises(TooLarge):
        read_nrrd(path)


def test_slices_that_are_missing_are_counted_and_not_listed() -> None:
    """Two slices far apart cost no more than two neighbours."""
    with (
        at_most(1),
        pytest.raises(
            DataRefused, check=has_reason("stack_slices_missing", absent=999999997, first=2)
        ),
    ):
        slice_numbers(["1.png", "999999999.png"])


@pytest.mark.parametrize("number", ["1" * 10, "9" * 200, "1" * 5000, "²", "-1"])
def test_a_number_that_no_slice_has_is_refused(number: str) -> None:
    """Up to nine digits number a slice."""
    with pytest.raises(DataRefused, check=has_reason("slice_name_invalid")):
        slice_numbers([f"{number}.png"])


def png(side: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        checksum = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + checksum

    head = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    pixels = zlib.compress(bytes((side + 1) * side))
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
    )


@pytest.mark.usefixtures("limit_of_4_mib")
def test_the_slices_of_a_stack_keep_to_the_limit_together() -> None:
    """Each slice is small enough, and all are not."""
    slices = [(f"{number}.png", png(512)) for number in range(40)]
    with at_most(8), pytest.raises(TooLarge, check=has_reason("image_too_large")):
        read_png_stack(slices, (1, 1, 1))


def dicom(path: Path, syntax: str, rows: int, pixels: bytes) -> Path:
    dataset = Dataset()
    dataset.SOPClassUID, dataset.SOPInstanceUID = CTImageStorage, "1.2.3"
    dataset.Rows = dataset.Columns = rows
    dataset.BitsAllocated = 16
    dataset.PixelData = pixels
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = syntax
    dataset.save_as(path, enforce_file_format=True)
    return path


@pytest.mark.usefixtures("limit_of_4_mib")
def test_deflated_dicom_above_the_limit_gives_its_header_alone(tmp_path: Path) -> None:
    """What says whose it is can be read; the rest is never in memory."""
    path = dicom(tmp_path / "x.dcm", DeflatedExplicitVRLittleEndian, 8, BOMB)
    packed = path.read_bytes()
    with at_most(40):
        content, whole = plain_dicom(packed)
    assert not whole and content.count(b"1.2.3") and len(content) < 20 * MEBIBYTE
    with pytest.raises(TooLarge):
        open_dicom(path)


def no_change(content: bytes) -> bytes:
    return content


def another_length(content: bytes) -> bytes:
    """The length that the file meta group says of itself."""
    return content[:140] + struct.pack("<I", 4) + content[144:]


@pytest.mark.parametrize("change", [no_change, another_length])
def test_deflated_dicom_is_read_as_pydicom_reads_it(
    tmp_path: Path, change: Callable[[bytes], bytes]
) -> None:
    """The same elements as of an object that is not deflated; a wrong length hides nothing."""
    path = dicom(tmp_path / "x.dcm", DeflatedExplicitVRLittleEndian, 8, bytes(range(128)))
    path.write_bytes(change(path.read_bytes()))
    with open_dicom(path) as stream:
        read = pydicom.dcmread(stream)
    assert read.file_meta.TransferSyntaxUID == ExplicitVRLittleEndian
    assert read.PixelData == bytes(range(128)) and read.Rows == 8


def test_deflated_dicom_that_is_cut_off_is_no_other_object(tmp_path: Path) -> None:
    """What was there of it is not taken for all of it."""
    path = dicom(tmp_path / "x.dcm", DeflatedExplicitVRLittleEndian, 8, bytes(range(128)))
    with pytest.raises(EOFError):
        plain_dicom(path.read_bytes()[:-8])


def test_pixels_are_limited_as_the_header_announces_them() -> None:
    """Decoders make what Rows and Columns say, from however few bytes."""
    dataset = Dataset()
    dataset.Rows = dataset.Columns = 65535
    dataset.BitsAllocated, dataset.NumberOfFrames = 16, 2
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = RLELossless
    with pytest.raises(TooLarge):
        require_pixels_allowed([dataset])
    dataset.Rows = dataset.Columns = 512
    require_pixels_allowed([dataset])


@pytest.mark.parametrize("padding", [b"\0", b"\0" * 9])
def test_padding_behind_deflated_data_is_passed_over(tmp_path: Path, padding: bytes) -> None:
    """Writers make the length even: that ends, and gives the object."""
    path = dicom(tmp_path / "x.dcm", DeflatedExplicitVRLittleEndian, 8, bytes(range(128)))
    content, whole = plain_dicom(path.read_bytes() + padding)
    assert whole
    assert pydicom.dcmread(io.BytesIO(content)).PixelData == bytes(range(128))
