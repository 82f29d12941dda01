"""A file is DICOM or not by its content, and whole or not by its length."""

from __future__ import annotations

import bz2
import gzip
import lzma
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import Tag
from pydicom.uid import DeflatedExplicitVRLittleEndian, ImplicitVRLittleEndian

from cta_data.intake.archives import UnpackBudget, UnpackLimits
from cta_data.intake.discover import Discovery, discover
from cta_data.intake.instances import (
    Unreadable,
    _plain_text,
    content_digest,
    looks_like_dicom,
    read_instance,
)

MakeDicom = Callable[..., bytes]


def _discover(folder: Path, work: Path) -> Discovery:
    work.mkdir()
    return discover(folder, work, UnpackBudget(UnpackLimits()), ("PatientName",))


@pytest.mark.filterwarnings("ignore:Invalid value")
def test_a_file_cut_anywhere_is_never_taken_for_whole(
    tmp_path: Path, make_dicom: MakeDicom
) -> None:
    """Wherever a slice is cut after its mark, it is reported as damaged or unreadable."""
    content = make_dicom()
    path = tmp_path / "cut"
    for length in range(133, len(content)):
        path.write_bytes(content[:length])
        try:
            reason = read_instance(path, "cut", ("PatientName",)).fault
        except Unreadable as error:
            reason = str(error)
        assert reason, f"cut to {length} of {len(content)} bytes"


@pytest.mark.parametrize(
    ("ending", "pack"), [("gz", gzip.compress), ("xz", lzma.compress), ("bz2", bz2.compress)]
)
def test_files_that_were_compressed_one_by_one_are_read(
    tmp_path: Path, make_dicom: MakeDicom, ending: str, pack: Callable[[bytes], bytes]
) -> None:
    """A `.dcm.gz` is its DICOM file; one that is cut is reported; another `.gz` is no DICOM."""
    folder = tmp_path / "source"
    folder.mkdir()
    content = make_dicom()
    packed = pack(content)
    (folder / f"a.dcm.{ending}").write_bytes(packed)
    (folder / f"cut.dcm.{ending}").write_bytes(packed[: len(packed) - 12])
    (folder / f"text.{ending}").write_bytes(pack(b"no image" * 100))
    found = _discover(folder, tmp_path / "work")
    [instance] = found.instances
    assert instance.digest == content_digest(content) and not instance.fault
    assert instance.name == f"a.dcm.{ending}"
    counts = dict(found.counts)
    if ending == "gz":  # the other two give nothing before their block is whole
        assert [problem.file for problem in found.problems] == ["cut.dcm.gz"]
        assert counts == {"files": 3, "dicom": 1, "unreadable": 1, "not_dicom": 1}
    assert sum(n for what, n in counts.items() if what != "files") == counts["files"] == 3


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, DeflatedExplicitVRLittleEndian])
def test_other_encodings_are_whole(tmp_path: Path, make_dicom: MakeDicom, syntax: str) -> None:
    """Implicit and deflated files are not mistaken for truncated ones."""
    (tmp_path / "a").write_bytes(make_dicom(TransferSyntaxUID=syntax))
    assert read_instance(tmp_path / "a", "a", ()).fault == ""


def test_pixel_data_shorter_than_the_header_says_is_truncated(
    tmp_path: Path, make_dicom: MakeDicom
) -> None:
    """16 pixels of 16 bits are 32 bytes: 30 bytes are too few, though the file ends well."""
    (tmp_path / "a").write_bytes(make_dicom(PixelData=bytes(30)))
    assert "30 of 32 bytes" in read_instance(tmp_path / "a", "a", ()).fault


def test_structure_set_without_contours_is_damaged(tmp_path: Path, make_dicom: MakeDicom) -> None:
    """A structure set cut between elements lacks its sequences, and is not taken for whole."""
    structure_set = "1.2.840.10008.5.1.4.1.1.481.3"
    (tmp_path / "a").write_bytes(make_dicom(SOPClassUID=structure_set, PixelData=None))
    assert "StructureSetROISequence" in read_instance(tmp_path / "a", "a", ()).fault
    whole = make_dicom(
        SOPClassUID=structure_set,
        PixelData=None,
        StructureSetROISequence=[Dataset()],
        ROIContourSequence=[Dataset()],
    )
    (tmp_path / "b").write_bytes(whole)
    assert read_instance(tmp_path / "b", "b", ()).fault == ""
    (tmp_path / "c").write_bytes(whole[:-3])
    assert "truncated" in read_instance(tmp_path / "c", "c", ()).fault


def test_digest_ignores_the_file_meta_group(make_dicom: MakeDicom) -> None:
    """Two exports of one object differ in preamble and file meta; their content is the same."""
    content = make_dicom()
    other = b"\x01" * 128 + content[128:]
    assert content_digest(content) == content_digest(other)
    assert content_digest(content) != content_digest(make_dicom(2))


def test_files_are_known_by_content(tmp_path: Path, make_dicom: MakeDicom) -> None:
    """Extensions say nothing: text named .dcm is not DICOM, a bare dataset named .txt is."""
    folder = tmp_path / "source"
    folder.mkdir()
    content = make_dicom()
    (folder / "slice.txt").write_bytes(content)
    meta_length = int.from_bytes(content[140:144], "little")
    (folder / "bare.txt").write_bytes(make_dicom(2)[144 + meta_length :])
    (folder / "notes.dcm").write_text("This is a letter.\n" * 40)
    (folder / "image.nii").write_bytes(b"\x5c\x01\x00\x00" + bytes(400))
    (folder / "empty.dcm").write_bytes(b"")
    (folder / "DICOMDIR").write_bytes(make_dicom(SOPClassUID="1.2.840.10008.1.3.10"))
    (folder / "gone").symlink_to(tmp_path / "nowhere")
    found = _discover(folder, tmp_path / "work")
    assert sorted(one.name for one in found.instances) == ["bare.txt", "slice.txt"]
    assert found.counts == {
        "files": 7, "dicom": 2, "not_dicom": 3, "dicomdir": 1, "unreadable": 1
    }  # fmt: skip
    assert [problem.file for problem in found.problems] == ["gone"]


@given(text=st.text(min_size=12, max_size=300).filter(lambda text: "\0" not in text))
def test_text_never_looks_like_dicom(text: str) -> None:
    """No text without null characters is taken for DICOM, unless it holds the DICM mark."""
    content = text.encode()
    assert not looks_like_dicom(content) or content[128:132] == b"DICM"


def test_real_compressed_series_are_whole(shared_data: Path, tmp_path: Path) -> None:
    """Every file of real series in eight transfer syntaxes is read and found whole."""
    found = _discover(shared_data / "mr_dicom2nifti_multivendor", tmp_path / "work")
    assert found.counts["dicom"] == 87
    assert found.problems == []


def test_real_compressed_file_cut_short_is_damaged(shared_data: Path, tmp_path: Path) -> None:
    """A JPEG 2000 slice that lost its last bytes is found out without decoding it."""
    found = _discover(shared_data / "mr_dicom2nifti_multivendor", tmp_path / "work")
    one = next(one for one in found.instances if "compressed_j2k" in one.name)
    (tmp_path / "cut").write_bytes(one.path.read_bytes()[:-20])
    assert "compressed pixel data" in read_instance(tmp_path / "cut", "cut", ()).fault


@pytest.mark.filterwarnings("ignore")
@given(
    vr=st.sampled_from(["CS", "DA", "DT", "LO", "PN", "SH", "TM", "UI"]),
    value=st.binary(max_size=12) | st.text("AB=^~\\ .0\0", max_size=12).map(str.encode),
    character_set=st.sampled_from([b"", b"ISO_IR 100", b"ISO_IR 13", b"ISO_IR 192"]),
)
def test_a_text_that_is_taken_as_it_is_written_is_that_of_pydicom(
    vr: str, value: bytes, character_set: bytes
) -> None:
    """What needs no conversion gives what the conversion would."""
    raw = RawDataElement(Tag(0x00100020), vr, len(value), value, 0, False, True)
    named = RawDataElement(Tag(0x00080005), "CS", len(character_set), character_set, 0, False, True)
    dataset = Dataset({raw.tag: raw, named.tag: named})
    taken = _plain_text(vr, value, True)
    if taken is not None:
        assert taken == str(dataset[raw.tag].value).strip(" \0")


@given(number=st.integers(0, 65535), little_endian=st.booleans())
def test_a_short_is_its_number(number: int, little_endian: bool) -> None:
    """In both orders of bytes."""
    order: Literal["little", "big"] = "little" if little_endian else "big"
    assert _plain_text("US", number.to_bytes(2, order), little_endian) == str(number)
