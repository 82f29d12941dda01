"""Gzip of voxels, of which long runs are zero: masks, labels, images without their surroundings.

Deflate compresses zeros no quicker than anything else, and of a mask they are nearly all. A piece
of zeros is compressed once, and its bytes are repeated: after a full flush, deflate refers to
nothing before it, so that pieces can stand in any order (RFC 1951, and zlib's manual on
`Z_FULL_FLUSH`).
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from functools import cache
from itertools import groupby
from operator import itemgetter

import numpy as np
from isal import isal_zlib
from numpy.typing import NDArray

COMPRESSION_LEVEL = 1
"""Of zlib, whose bytes are always the same; those of isal once were not (decision 0057)."""

PIECE = 1 << 16
"""Bytes that are zero or not together: about one slice of a head."""
_RAW = -15
"""Zlib's way to ask for deflate without a wrapper."""
_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x04\xff"
"""Of gzip (RFC 1952): no name, no time, the quickest compression, an unknown system."""
_LAST = b"\x03\x00"
"""The empty block of deflate that says that nothing follows."""


def gzipped(header: bytes, voxels: NDArray[np.generic]) -> Iterator[bytes]:
    """Yield the parts of a gzip file: a header, then voxels in the order of memory.

    Equal content gives equal bytes.

    Parameters
    ----------
    voxels
        In one piece of memory (C order).
    """
    content = voxels.reshape(-1).view(np.uint8)
    packer = zlib.compressobj(level=COMPRESSION_LEVEL, wbits=_RAW)
    yield _HEADER
    yield packer.compress(header) + packer.flush(zlib.Z_FULL_FLUSH)
    start = 0
    for used, length in _runs(content):
        if used:
            yield packer.compress(content[start : start + length].data)
            yield packer.flush(zlib.Z_FULL_FLUSH)
        else:
            pieces, rest = divmod(length, PIECE)
            yield _zeros(PIECE) * pieces + (_zeros(rest) if rest else b"")
        start += length
    yield _LAST
    checksum = isal_zlib.crc32(content.data, isal_zlib.crc32(header))
    yield checksum.to_bytes(4, "little")
    yield ((len(header) + content.size) % (1 << 32)).to_bytes(4, "little")


def _runs(content: NDArray[np.uint8]) -> Iterator[tuple[bool, int]]:
    """Yield the lengths, in bytes, of runs of pieces that hold something, or zeros alone."""
    whole = content.size - content.size % PIECE
    used = content[:whole].reshape(-1, PIECE).max(axis=1).astype(bool).tolist()
    lengths = [PIECE] * len(used)
    if whole < content.size:
        used.append(bool(content[whole:].any()))
        lengths.append(content.size - whole)
    for holds_some, run in groupby(zip(used, lengths, strict=True), key=itemgetter(0)):
        yield holds_some, sum(length for _, length in run)


@cache
def _zeros(length: int) -> bytes:
    """Return a piece of zeros, compressed as well as can be, up to a full flush."""
    packer = zlib.compressobj(level=zlib.Z_BEST_COMPRESSION, wbits=_RAW)
    return packer.compress(bytes(length)) + packer.flush(zlib.Z_FULL_FLUSH)
