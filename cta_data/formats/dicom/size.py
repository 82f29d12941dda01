"""DICOM in bounded memory: what is deflated, and how many pixels a header announces.

pydicom inflates a whole data set (transfer syntax Deflated Explicit VR Little Endian, PS3.5 A.5),
and decoders make as many pixels as the header says, before anything else can look at them.
"""

from __future__ import annotations

import io
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

from pydicom.dataset import Dataset
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian

from cta_data.formats.inflation import inflate_raw, inflates_within
from cta_data.size_limit import largest_image_bytes, require_allowed, require_file_allowed

HEADER_BYTES = 1 << 24
"""More than any header before its pixels."""
_DEFLATED = str(DeflatedExplicitVRLittleEndian).encode()
_PLAIN = str(ExplicitVRLittleEndian).encode().ljust(len(_DEFLATED), b"\0")
_META_GROUP, _TRANSFER_SYNTAX = b"\x02\x00", b"\x02\x00\x10\x00"
_LONG_VR = (
    b"OB",
    b"OD",
    b"OF",
    b"OL",
    b"OV",
    b"OW",
    b"SQ",
    b"SV",
    b"UC",
    b"UN",
    b"UR",
    b"UT",
    b"UV",
)


def plain_dicom(content: bytes) -> tuple[bytes, bool]:
    """Return the bytes of a DICOM file with its data set inflated, and whether that is all of it.

    A file that is not deflated is returned as it is. Of a data set that is larger than the limit
    (`size_limit`) the beginning is returned: enough to know whose it is.

    Raises
    ------
    zlib.error, EOFError
        The deflated data is damaged or cut off.
    """
    start = _deflated_at(content)
    if not start:
        return content, True
    packed = memoryview(content)[start:]
    whole = inflates_within(packed, largest_image_bytes())
    inflated = inflate_raw(packed, largest_image_bytes() + 1 if whole else HEADER_BYTES)
    return content[:start].replace(_DEFLATED, _PLAIN) + inflated, whole


def open_dicom(path: Path) -> BinaryIO:
    """Open a file for pydicom, which reads it in bounded memory.

    Raises
    ------
    TooLarge
        It is larger than the limit, as it is or inflated.
    zlib.error, OSError, EOFError
        It is damaged, or cannot be read.
    """
    require_file_allowed(path)
    # From bytes, since a file that is read by a length of 4 GiB takes that much before it ends.
    content, whole = plain_dicom(path.read_bytes())
    if not whole:
        require_allowed(largest_image_bytes() + 1, where=str(path))
    return io.BytesIO(content)


def require_pixels_allowed(datasets: Iterable[Dataset], *, where: str = "") -> None:
    """Refuse objects whose pixels, as their headers announce them, are larger than the limit.

    Raises
    ------
    TooLarge
        They are, all together.
    TypeError, ValueError
        A header has no numbers for them.
    """
    require_allowed(sum(map(_pixel_bytes, datasets)), where=where)


def _pixel_bytes(dataset: Dataset) -> int:
    """Bytes of an object's pixels in memory: bits are made bytes."""
    if "Rows" not in dataset or "Columns" not in dataset:
        return 0
    each = max(int(dataset.get("BitsAllocated") or 0) // 8, 1)
    frames = int(dataset.get("NumberOfFrames") or 1)
    return int(dataset.Rows) * int(dataset.Columns) * frames * each


def _deflated_at(content: bytes) -> int:
    """Byte at which a deflated data set begins; 0 of a file that is not deflated.

    The length that the file meta group (PS3.10 7.1) gives for itself is not believed: pydicom
    does not need it either.
    """
    at, deflated = 132 if content[128:132] == b"DICM" else 0, False
    while content[at : at + 2] == _META_GROUP:
        head = 12 if content[at + 4 : at + 6] in _LONG_VR else 8
        length = int.from_bytes(content[at + (8 if head == 12 else 6) : at + head], "little")
        if content[at : at + 4] == _TRANSFER_SYNTAX:
            deflated = content[at + head : at + head + length].rstrip(b"\0 ") == _DEFLATED
        at += head + length
    return at if deflated else 0
