"""The header of a DICOM file that is written as nearly all are, in a third of pydicom's time.

A source has hundreds of thousands of files, of which a few values each are asked. Where the
elements of a file lie is found here; what they mean is left to pydicom. A file with anything
unusual (big endian, deflated, damaged, its elements out of order …) is left to pydicom as a whole.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Set
from functools import cache
from typing import NamedTuple, cast

from pydicom.charset import convert_encodings, default_encoding, python_encoding
from pydicom.datadict import dictionary_VR
from pydicom.dataelem import DataElement, RawDataElement, empty_value_for_VR
from pydicom.dataset import Dataset
from pydicom.filereader import read_sequence
from pydicom.tag import BaseTag
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pydicom.valuerep import EXPLICIT_VR_LENGTH_32, VR

_META_AT = 132
_EXPLICIT = struct.Struct("<HH2sH").unpack_from
_IMPLICIT = struct.Struct("<HHL").unpack_from
_LENGTH = struct.Struct("<L").unpack_from
_UNDEFINED = 0xFFFFFFFF
_VRS = {str(vr).encode(): (str(vr), vr in EXPLICIT_VR_LENGTH_32) for vr in VR}
"""Value representations as they are written: by name, and whether their length has four bytes."""
_ENCAPSULATED = ("1.2.840.10008.1.2.4.", "1.2.840.10008.1.2.5")
"""Begin the transfer syntaxes of compressed pixels, all of explicit VRs and little endian."""
_META_GROUP, _BEFORE_DATASET = b"\x02\x00", 0x0003FFFF
_MEDIA_CLASS, _TRANSFER_SYNTAX = 0x00020002, 0x00020010
_CHARACTER_SET = 0x00080005
_PIXELS = frozenset({0x7FE00008, 0x7FE00009, 0x7FE00010})


class PlainHeader(NamedTuple):
    """The elements before the pixels, and the byte at which these begin, or the file ends.

    `media_class` is the class of the object as the file meta group names it.
    """

    dataset: Dataset
    end: int
    media_class: str


def read_plain_header(content: bytes, wanted: Set[int] | None = None) -> PlainHeader | None:
    """Return the header in the bytes of a DICOM file as pydicom reads it, or None: ask pydicom.

    Parameters
    ----------
    content
        All of the file, or its beginning: the header is found without the pixels.
    wanted
        Tags of elements to keep; all without it.
    """
    try:
        return _header(content, wanted)
    # It ends inside an element, has texts in no known alphabet, or a damaged sequence.
    except (struct.error, LookupError, ValueError, TypeError, OSError, EOFError):
        return None


def _header(content: bytes, wanted: Set[int] | None) -> PlainHeader | None:
    at, meta = _after_meta(content)
    syntax = meta.get(_TRANSFER_SYNTAX, "")
    implicit = syntax == ImplicitVRLittleEndian
    if not implicit and syntax != ExplicitVRLittleEndian and not syntax.startswith(_ENCAPSULATED):
        return None
    if at >= len(content) or (implicit and _looks_explicit(content, at)):
        return None
    elements: dict[BaseTag, RawDataElement | DataElement] = {}
    encoding: str | list[str] = default_encoding
    before, end = _BEFORE_DATASET, len(content)
    while at < end:
        number, vr, length, value_at = _element(content, at, implicit=implicit)
        if number <= before:
            return None
        if number in _PIXELS:
            break
        before = number
        is_wanted = wanted is None or number in wanted or number == _CHARACTER_SET
        tag = BaseTag(number)
        if length == _UNDEFINED:
            sequence, at = _sequence(content, tag, vr, value_at, implicit, encoding)
            if is_wanted:
                elements[tag] = sequence
            continue
        at = value_at + length
        if at > end:
            return None
        if is_wanted:
            value = content[value_at:at] or cast("bytes | None", empty_value_for_VR(vr, raw=True))
            elements[tag] = RawDataElement(tag, vr, length, value, value_at, implicit, True)
        if number == _CHARACTER_SET:
            encoding = _encodings(content[value_at:at])
    dataset = Dataset(elements, parent_encoding=default_encoding)
    dataset.set_original_encoding(implicit, True, encoding)
    return PlainHeader(dataset, at, meta.get(_MEDIA_CLASS, ""))


def _after_meta(content: bytes) -> tuple[int, dict[int, str]]:
    """Return where the file meta group (PS3.10 7.1) ends, and its UIDs; none in a file without."""
    at, found = _META_AT, {}
    if content[128:_META_AT] != b"DICM":
        return at, {}
    while content[at : at + 2] == _META_GROUP:
        number, vr, length, value_at = _element(content, at, implicit=False)
        at = value_at + length
        if vr == "UI":
            found[number] = content[value_at:at].decode("latin-1").rstrip("\0 ")
    return at, found


def _element(content: bytes, at: int, *, implicit: bool) -> tuple[int, str | None, int, int]:
    """Return tag, value representation, length and the byte of the value of the element at a byte.

    Raises
    ------
    LookupError
        Its value representation is none.
    """
    if implicit:
        group, element, length = _IMPLICIT(content, at)
        return group << 16 | element, None, length, at + 8
    group, element, written, length = _EXPLICIT(content, at)
    vr, long = _VRS[written]
    if long:
        return group << 16 | element, vr, _LENGTH(content, at + 8)[0], at + 12
    return group << 16 | element, vr, length, at + 8


def _sequence(
    content: bytes,
    tag: BaseTag,
    vr: str | None,
    value_at: int,
    implicit: bool,
    encoding: str | list[str],
) -> tuple[DataElement, int]:
    """Return a sequence of undefined length, and where it ends.

    Raises
    ------
    LookupError
        It is no sequence.
    """
    if (vr or dictionary_VR(tag)) != "SQ":
        raise LookupError
    stream = io.BytesIO(content)
    stream.seek(value_at)
    items = read_sequence(stream, implicit, True, _UNDEFINED, encoding)
    return DataElement(tag, "SQ", items, value_at, is_undefined_length=True), stream.tell()


def _looks_explicit(content: bytes, at: int) -> bool:
    """Tell whether letters stand where a length should: some write what they do not announce."""
    return content[at + 4 : at + 6].isalpha() and content[at + 4 : at + 6].isupper()


@cache
def _encodings(name: bytes) -> list[str]:
    """Return the encodings of texts by the name of their character set.

    Raises
    ------
    LookupError
        It is of none, or there is more than one name.
    """
    text = name.decode(default_encoding).strip(" \0")
    if text not in python_encoding:
        raise LookupError
    return list(convert_encodings(text))
