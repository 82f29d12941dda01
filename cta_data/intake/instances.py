"""One DICOM file: is it one, is it whole, and what says where it belongs.

The bytes are read once; the digest and the header come from the same bytes.
"""

from __future__ import annotations

import hashlib
import io
import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from pydicom import dcmread
from pydicom.datadict import dictionary_has_tag, dictionary_VR
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import BaseTag, Tag

from cta_data.errors import without_text
from cta_data.formats.dicom.header import UNREADABLE
from cta_data.formats.dicom.plain_header import read_plain_header
from cta_data.formats.dicom.size import HEADER_BYTES, plain_dicom
from cta_data.intake.pixel_extent import pixel_digest, pixel_fault
from cta_data.intake.sop_classes import IMAGE_KINDS, KINDS, MEDIA_STORAGE_DIRECTORY
from cta_data.size_limit import VARIABLE, largest_image_bytes

TAR = ".tar"
LARGER = f"is larger than the limit for one image ({VARIABLE})"

_PLACE = ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID")
_TAGS = (
    *_PLACE,
    "PatientID",
    "Modality",
    "InstanceNumber",
    "StudyDate",
    "FrameOfReferenceUID",
    "AcquisitionDate",
    "AcquisitionTime",
    "AcquisitionDateTime",
    "Rows",
    "Columns",
    "SamplesPerPixel",
    "NumberOfFrames",
    "BitsAllocated",
    "PhotometricInterpretation",
)
_REQUIRED_SEQUENCES: Mapping[str, tuple[str, ...]] = {
    "1.2.840.10008.5.1.4.1.1.481.3": ("StructureSetROISequence", "ROIContourSequence"),
    "1.2.840.10008.5.1.4.1.1.66.1": ("RegistrationSequence",),
    "1.2.840.10008.5.1.4.1.1.66.3": ("DeformableRegistrationSequence",),
}
_SEQUENCES = tuple(name for names in _REQUIRED_SEQUENCES.values() for name in names)
# VRs that may open a dataset that lacks the preamble.
_FIRST_VR = frozenset({b"UL", b"CS", b"UI", b"DA", b"TM", b"LO", b"SH", b"OB", b"DT"})

_TEXT_VR = frozenset({"CS", "DA", "DT", "LO", "PN", "SH", "TM", "UI"})
_PLAIN = re.compile(rb"[ -<>-\[\]-}]*\0?")
"""One value of ASCII: no backslash and no tilde, which are others in Japan, no groups of a name."""


@dataclass(frozen=True, slots=True)
class Instance:
    """One DICOM file of the source.

    Attributes
    ----------
    path
        Where its bytes lie now (the source, or the folder that an archive was unpacked into).
    name
        What messages call it: its path relative to the source, through archives.
    digest
        SHA-256 (hex) of the dataset, without the preamble and the file meta group, since two
        exports of one object differ there.
    fault
        Why the file cannot be used (truncated …); empty for a whole file.
    extension
        Of what it is kept in: a tar, or the file itself.
    header
        What is known of a file without a header of its own; None where the file has one.
    acquired
        Acquisition date and time ``YYYYMMDDHHMMSS.FFFFFF``, or empty.
    identity
        The caller's identity attributes as they stand in the header.
    pixels
        SHA-256 (hex) of the pixel data alone; empty where all pixels are equal, which shows
        nothing, and where the file is no image.
    """

    path: Path
    name: str
    digest: str
    sop_class: str
    sop_uid: str
    study_uid: str
    series_uid: str
    patient_id: str
    modality: str
    instance_number: int
    study_date: str
    frame_of_reference_uid: str
    acquired: str
    identity: Mapping[str, str]
    fault: str = ""
    extension: str = TAR
    header: Mapping[str, str] | None = None
    pixels: str = ""


class NotDicom(Exception):
    """The file is no DICOM at all."""


class Unreadable(Exception):
    """The file is DICOM, and damaged or without the UIDs that say where it belongs."""


def looks_like_dicom(start: bytes) -> bool:
    """Whether the first bytes of a file may be DICOM, with or without the preamble.

    Without it, a file begins with an element of group 0002 or 0008 whose value representation
    or length is plausible; text never does, since one of the group's bytes is zero.
    """
    if start[128:132] == b"DICM":
        return True
    if len(start) < 12 or start[:2] not in (b"\x02\x00", b"\x08\x00", b"\x00\x08"):
        return False
    if start[4:6] in _FIRST_VR:
        return True
    (length,) = struct.unpack("<L", start[4:8])
    return start[:2] != b"\x00\x08" and 0 < length <= 256 and length % 2 == 0


def content_digest(content: bytes) -> str:
    """SHA-256 (hex) of the dataset in the bytes of a DICOM file, see `Instance.digest`."""
    return hashlib.sha256(memoryview(content)[_dataset_offset(content) :]).hexdigest()


def read_instance(path: Path, name: str, identity_attributes: tuple[str, ...]) -> Instance:
    """Read one file that `looks_like_dicom`.

    Raises
    ------
    NotDicom
        If it is none after all.
    Unreadable
        If it is damaged so that its place is not known, with the reason.
    """
    content, large = _read_bounded(path)
    has_preamble = content[128:132] == b"DICM"
    try:
        plain, whole = plain_dicom(content)
        large = large or ("" if whole else LARGER)
        dataset, pixels_at, ended = _header(plain, (*_TAGS, *_SEQUENCES, *identity_attributes))
        keywords = (*_TAGS, *identity_attributes)
        facts = {
            keyword: _text(dataset, tag)
            for keyword, tag in zip(keywords, _tags_of(keywords), strict=True)
        }
        missing = [keyword for keyword in _PLACE if not facts[keyword]]
        fault = large or ended or _fault(plain, pixels_at, dataset, facts)
    except UNREADABLE as error:
        if not has_preamble:
            raise NotDicom from error
        raise Unreadable(f"its header is damaged ({without_text(error)})") from error
    if missing:
        if not has_preamble:
            raise NotDicom
        raise Unreadable(fault or f"has no {' and no '.join(missing)}")
    one = _instance(path, name, content, facts, identity_attributes, fault)
    if fault or KINDS.get(one.sop_class) not in IMAGE_KINDS:
        return one
    implicit = bool(dataset.original_encoding[0])
    return replace(one, pixels=pixel_digest(plain, pixels_at, implicit=implicit))


def _read_bounded(path: Path) -> tuple[bytes, str]:
    """Bytes of a file, and what is wrong with its size; then its beginning, with its header."""
    large = path.stat().st_size > largest_image_bytes()
    with path.open("rb") as stream:
        return stream.read(HEADER_BYTES if large else -1), LARGER if large else ""


def _instance(
    path: Path,
    name: str,
    content: bytes,
    facts: Mapping[str, str],
    identity_attributes: tuple[str, ...],
    fault: str,
) -> Instance:
    return Instance(
        path=path,
        name=name,
        digest=content_digest(content),
        sop_class=facts["SOPClassUID"],
        sop_uid=facts["SOPInstanceUID"],
        study_uid=facts["StudyInstanceUID"],
        series_uid=facts["SeriesInstanceUID"],
        patient_id=facts["PatientID"],
        modality=facts["Modality"],
        instance_number=_number(facts["InstanceNumber"]),
        study_date=facts["StudyDate"].replace(".", ""),
        frame_of_reference_uid=facts["FrameOfReferenceUID"],
        acquired=_acquired(facts),
        identity={keyword: facts[keyword] for keyword in identity_attributes},
        fault=fault,
    )


def is_directory_file(content_start: bytes) -> bool:
    """Whether a DICOM file is a DICOMDIR, by its media storage class in the first bytes."""
    # The file meta group is always explicit little endian, so the element's bytes are known.
    uid = MEDIA_STORAGE_DIRECTORY.encode("ascii")
    return b"\x02\x00\x02\x00UI" + struct.pack("<H", len(uid)) + uid in content_start


class _WatchedBytes(io.BytesIO):
    """Remembers whether the last read got less than it asked for.

    pydicom ends in silence when a file ends in the middle of an element.
    """

    short = False

    def read(self, size: int | None = -1, /) -> bytes:
        data = super().read(size)
        if data and size is not None and size > 0:
            self.short = len(data) < size
        return data

    def seek(self, offset: int, whence: int = 0, /) -> int:
        self.short = False
        return super().seek(offset, whence)


def _header(content: bytes, keywords: tuple[str, ...]) -> tuple[Dataset, int, str]:
    """Return some elements of a file, where its pixels begin, and whether it ends before."""
    plain = read_plain_header(content, _numbers_of(keywords))
    if plain is not None:
        return plain.dataset, plain.end, ""
    stream = _WatchedBytes(content)
    dataset = dcmread(
        stream,
        stop_before_pixels=True,
        force=content[128:132] != b"DICM",
        specific_tags=_tags_of(keywords),
    )
    end = stream.tell()
    if end > len(content) or (end == len(content) and stream.short):
        return dataset, end, f"is truncated: it ends at byte {len(content)}, inside an element"
    return dataset, end, ""


def _fault(content: bytes, end: int, dataset: Dataset, facts: Mapping[str, str]) -> str:
    """Why the file is not whole, or an empty string."""
    sop_class = facts["SOPClassUID"]
    absent = [k for k in _REQUIRED_SEQUENCES.get(sop_class, ()) if k not in dataset]
    if absent:
        return f"is truncated or incomplete: it has no {' and no '.join(absent)}"
    if KINDS.get(sop_class) not in IMAGE_KINDS:
        return ""
    implicit, little_endian = dataset.original_encoding
    return pixel_fault(
        content, end, facts, implicit=bool(implicit), little_endian=bool(little_endian)
    )


def _dataset_offset(content: bytes) -> int:
    """Where the dataset begins, by the length that the file meta group gives for itself."""
    if content[128:132] != b"DICM" or content[132:140] != b"\x02\x00\x00\x00UL\x04\x00":
        return 0
    (length,) = struct.unpack("<L", content[140:144])
    offset: int = 144 + length
    return offset if offset < len(content) else 0


@cache
def _tags_of(keywords: tuple[str, ...]) -> list[BaseTag]:
    """Return the tags of keywords; kept, since every file of a source is asked for them."""
    return [Tag(keyword) for keyword in keywords]


@cache
def _numbers_of(keywords: tuple[str, ...]) -> frozenset[int]:
    return frozenset(map(int, _tags_of(keywords)))


def _text(dataset: Dataset, tag: BaseTag) -> str:
    raw = dataset.get_item(tag)
    if isinstance(raw, RawDataElement) and raw.value:
        plain = _plain_text(raw.VR or _dictionary_vr(tag), raw.value, raw.is_little_endian)
        if plain is not None:
            return plain
    element = dataset.get(tag)
    value = None if element is None else element.value
    return "" if value is None else str(value).strip(" \0")


def _plain_text(vr: str, value: bytes, is_little_endian: bool) -> str | None:
    """Return the text of a value that is one whatever the character set; None of any other.

    As pydicom has it, which converts and checks each value: half of what reading a header takes.
    """
    if vr in _TEXT_VR and _PLAIN.fullmatch(value):
        return value.decode("ascii").strip(" \0")
    if vr == "US" and len(value) == 2:
        return str(int.from_bytes(value, "little" if is_little_endian else "big"))
    return None


@cache
def _dictionary_vr(tag: BaseTag) -> str:
    return dictionary_VR(tag) if dictionary_has_tag(tag) else ""


def _number(text: str) -> int:
    try:
        return int(float(text))
    except (ValueError, OverflowError):
        return 0


def _acquired(facts: Mapping[str, str]) -> str:
    moment = facts["AcquisitionDateTime"].split("+")[0].split("-")[0]
    if facts["AcquisitionDate"] and facts["AcquisitionTime"]:
        moment = facts["AcquisitionDate"].replace(".", "") + facts["AcquisitionTime"].replace(
            ":", ""
        )
    return moment
