"""Compressed bytes, inflated in bounded memory: no more than the caller has use for."""

from __future__ import annotations

import bz2
import zlib
from collections.abc import Callable
from typing import Any

from isal import igzip_lib

DEFLATE_RATIO = 1032
"""No deflate stream expands further than this (zlib's technical notes)."""
GZIP_WINDOW = 31
"""zlib's way to ask for a gzip wrapper; isal writes it without name and with time 0."""
DAMAGED = (igzip_lib.IsalError, zlib.error, OSError, EOFError)
"""What the functions raise for bytes that are cut off or damaged."""
_CHUNK = 1 << 18


class Overfull(Exception):
    """There is more inside than asked for."""


def inflate_gzip(packed: bytes, most: int) -> bytes:
    """Inflate gzip members, with their checksums, to at most `most` bytes.

    Zeros behind the last member are padding.

    Raises
    ------
    Overfull
        There are more bytes inside.
    EOFError, OSError, igzip_lib.IsalError
        It is cut off or damaged.
    """
    return _inflate(packed, most, lambda: igzip_lib.IgzipDecompressor(igzip_lib.DECOMP_GZIP))


def inflate_bzip2(packed: bytes, most: int) -> bytes:
    """Inflate bzip2 streams; as `inflate_gzip`."""
    return _inflate(packed, most, bz2.BZ2Decompressor)


def inflates_within(packed: bytes | memoryview, most: int) -> bool:
    """Return whether a deflate stream without wrapper holds no more than `most` bytes.

    Raises
    ------
    zlib.error
        It is damaged.
    """
    stream, size = zlib.decompressobj(wbits=-15), 0
    for at in range(0, len(packed), _CHUNK):
        given: bytes | memoryview = packed[at : at + _CHUNK]
        while given and not stream.eof and size <= most:  # what follows its end is padding
            size += len(stream.decompress(given, _CHUNK))
            given = stream.unconsumed_tail
    return size <= most


def inflate_raw(packed: bytes | memoryview, most: int) -> bytes:
    """Inflate a deflate stream without wrapper, or of a longer one the first `most` bytes.

    Raises
    ------
    zlib.error, EOFError
        It is damaged or cut off.
    """
    stream = zlib.decompressobj(wbits=-15)
    content = stream.decompress(packed, most)
    if len(content) < most and not stream.eof:
        raise EOFError("the compressed data ends early")
    return content


def inflate_start(packed: bytes, most: int) -> bytes:
    """Inflate the beginning of a gzip file, up to `most` bytes of it.

    Raises
    ------
    zlib.error
        It is damaged there.
    """
    return zlib.decompressobj(wbits=GZIP_WINDOW).decompress(packed, most)


def _inflate(packed: bytes, most: int, begin: Callable[[], Any]) -> bytes:
    parts: list[bytes] = []
    left = most + 1
    at, chunk = 0, len(packed)  # nearly all files are one member: all of it at once
    member = begin()
    while at < len(packed):
        given = packed[at : at + chunk]
        parts.append(member.decompress(given, left))
        left -= len(parts[-1])
        if left <= 0:
            raise Overfull
        at += len(given)
        if member.eof:
            at -= len(member.unused_data)
            if _is_padding(packed, at):
                break
            member, chunk = begin(), _CHUNK
    if not member.eof:
        raise EOFError("the compressed data ends early")
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _is_padding(packed: bytes, at: int) -> bool:
    if packed[at : at + 1] not in (b"", b"\0"):
        return False
    return packed.count(0, at) == len(packed) - at
