"""Headers that are found without pydicom's walk through a file."""

from __future__ import annotations

import io
import struct
import warnings

import pydicom
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import (
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    MRImageStorage,
)

from cta_data.formats.dicom.plain_header import read_plain_header

SYNTAXES = (ExplicitVRLittleEndian, ImplicitVRLittleEndian)
TEXTS = st.text("ABC äß^=~.09 ", max_size=12)
WANTED = frozenset({0x00100020, 0x00280010, 0x00081140, 0x00100010})


@st.composite
def datasets(draw: st.DrawFn) -> Dataset:
    """An object with texts, numbers, sequences of both kinds, private elements and pixels."""
    dataset = Dataset()
    if draw(st.booleans()):
        dataset.SpecificCharacterSet = draw(st.sampled_from(["ISO_IR 100", "ISO_IR 192"]))
    dataset.PatientName, dataset.PatientID = draw(TEXTS), draw(TEXTS)
    dataset.Rows, dataset.InstanceNumber = draw(st.integers(0, 65535)), draw(st.integers(0, 999))
    dataset.PixelSpacing = draw(st.lists(st.sampled_from([1.0, 0.5]), max_size=2))
    dataset.private_block(0x11, "ours", create=True).add_new(1, "LO", draw(TEXTS))
    inner = Dataset()
    inner.ReferencedSOPInstanceUID = draw(st.sampled_from(["1.2", "1.22"]))
    dataset.ReferencedImageSequence = [inner] * draw(st.integers(0, 2))
    dataset["ReferencedImageSequence"].is_undefined_length = draw(st.booleans())
    inner.is_undefined_length_sequence_item = draw(st.booleans())
    if draw(st.booleans()):
        dataset.BitsAllocated, dataset.PixelRepresentation = 16, 0
        dataset.PixelData = bytes(8)
    return dataset


def written(dataset: Dataset, syntax: str) -> bytes:
    """The bytes of an object in a file."""
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = syntax
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID = MRImageStorage
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID = "1.2.3"
    stream = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dataset.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


def of_pydicom(content: bytes, wanted: frozenset[int] | None) -> tuple[Dataset, int]:
    """The header as pydicom reads it, and where it stops."""
    stream = io.BytesIO(content)
    tags = None if wanted is None else list(wanted)
    return pydicom.dcmread(stream, stop_before_pixels=True, specific_tags=tags), stream.tell()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("wanted", [WANTED, None], ids=["some", "all"])
@pytest.mark.parametrize("syntax", SYNTAXES, ids=["explicit", "implicit"])
@given(dataset=datasets())
def test_the_header_is_that_of_pydicom(
    syntax: str, wanted: frozenset[int] | None, dataset: Dataset
) -> None:
    """The same elements, values, encoding and end."""
    content = written(dataset, syntax)
    expected, end = of_pydicom(content, wanted)
    found = read_plain_header(content, wanted)
    assert found is not None
    assert list(found.dataset.keys()) == list(expected.keys())
    assert found.dataset == Dataset(expected)
    assert found.dataset.original_encoding == expected.original_encoding
    assert (found.end, found.media_class) == (end, MRImageStorage)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("syntax", SYNTAXES, ids=["explicit", "implicit"])
@given(dataset=datasets(), data=st.data())
def test_a_file_that_is_cut_off_is_left_to_pydicom(
    syntax: str, dataset: Dataset, data: st.DataObject
) -> None:
    """Or read as pydicom reads it, where it ends between two elements or in its pixels."""
    content = written(dataset, syntax)
    cut = content[: data.draw(st.integers(0, len(content) - 1))]
    found = read_plain_header(cut)
    if found is not None:
        expected, end = of_pydicom(cut, None)
        assert found.dataset == Dataset(expected)
        assert found.end == end


def test_anything_unusual_is_left_to_pydicom() -> None:
    """No preamble, big endian, elements out of order, letters that are no representation."""
    dataset = Dataset()
    dataset.PatientID, dataset.Rows = "A", 1
    content = written(dataset, ExplicitVRLittleEndian)
    assert read_plain_header(content) is not None
    assert read_plain_header(content[132:]) is None
    assert read_plain_header(written(dataset, ExplicitVRBigEndian)) is None
    earlier = struct.pack("<HH2sH", 0x0008, 0x0060, b"CS", 2) + b"MR"
    assert read_plain_header(content + earlier) is None
    assert read_plain_header(content.replace(b"\x10\x00\x20\x00LO", b"\x10\x00\x20\x00l0")) is None
