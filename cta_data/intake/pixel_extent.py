"""The pixel data of a DICOM file, without decoding it: whether it is all there, and its digest."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Mapping

_UNDEFINED = 0xFFFFFFFF
_PIXEL_ELEMENTS = {0x0008, 0x0009, 0x0010}
_ITEM, _SEQUENCE_END = 0xE000, 0xE0DD
_WIDEST_PIXEL = 4
"""Bytes."""


def pixel_fault(
    content: bytes,
    position: int,
    facts: Mapping[str, str],
    *,
    implicit: bool,
    little_endian: bool,
) -> str:
    """Say what is wrong with the pixel data that begins at a position, or an empty string.

    Parameters
    ----------
    content
        Bytes of the file.
    position
        Byte at which its pixel data element should begin.
    facts
        ``Rows``, ``Columns``, ``SamplesPerPixel``, ``NumberOfFrames``, ``BitsAllocated`` and
        ``PhotometricInterpretation`` as text.
    implicit, little_endian
        Encoding of the dataset.

    Notes
    -----
    Uncompressed pixel data is as long as the header says (PS3.5 section 8.1.1); compressed pixel
    data is a chain of items that ends with a delimiter (PS3.5 section A.4).
    """
    order = "<" if little_endian else ">"
    head = content[position : position + 12]
    if len(head) < 8:
        return "is truncated: it has no pixel data"
    group, element = struct.unpack(order + "HH", head[:4])
    if group != 0x7FE0 or element not in _PIXEL_ELEMENTS:
        return "has no pixel data"
    start = position + (8 if implicit else 12)
    if len(content) < start:
        return f"is truncated: it ends at byte {len(content)}, before its pixel data"
    (length,) = struct.unpack(order + "L", content[start - 4 : start])
    if length == _UNDEFINED:
        return _fragments_fault(content, start)
    expected = _expected_bytes(facts)
    present = min(length, len(content) - start)
    if present < max(expected, length):
        return f"is truncated: {present} of {max(expected, length)} bytes of pixel data"
    return ""


def pixel_digest(content: bytes, position: int, *, implicit: bool) -> str:
    """SHA-256 (hex) of the pixel data whose element begins at a position, and of what follows.

    Empty where all pixels are equal: a black slice is the same in everybody.
    """
    pixels = memoryview(content)[position + (8 if implicit else 12) :]
    constant = pixels[_WIDEST_PIXEL:] == pixels[:-_WIDEST_PIXEL]
    return "" if constant else hashlib.sha256(pixels).hexdigest()


def _expected_bytes(facts: Mapping[str, str]) -> int:
    def number(keyword: str, default: int) -> int:
        text = facts.get(keyword, "")
        return int(text) if text.isdigit() else default

    samples = (
        number("Rows", 0)
        * number("Columns", 0)
        * number("SamplesPerPixel", 1)
        * number("NumberOfFrames", 1)
    )
    bits = samples * number("BitsAllocated", 0)
    if facts.get("PhotometricInterpretation", "").startswith("YBR_FULL_422"):
        bits = bits * 2 // 3
    return (bits + 7) // 8


def _fragments_fault(content: bytes, position: int) -> str:
    while position + 8 <= len(content):
        group, element, length = struct.unpack("<HHL", content[position : position + 8])
        if group != 0xFFFE or element not in (_ITEM, _SEQUENCE_END):
            return "has compressed pixel data that is damaged"
        if element == _SEQUENCE_END:
            return ""
        position += 8 + length
    return f"is truncated: it ends at byte {len(content)}, inside its compressed pixel data"
