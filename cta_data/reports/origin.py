"""What a figure or a page says of itself: the version that made it, and the commit it is made from.

The same content and origin give the same bytes. See docs/decisions/0043.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable
from html import escape
from importlib import metadata
from pathlib import Path

from cta_data.files import write_bytes

_HEADER_END = 8 + 25
"""Bytes of a PNG's signature and of its chunk IHDR, which is always the first."""
STAMPED = (".html", ".svg", ".png", ".tex")


def origin_text(commit: str = "") -> str:
    """Return the line: the package's version, and the commit that the inputs came with, if any."""
    made = f"Made by cta_data {package_version()}"
    return made + (f" from commit {commit}" if commit else "")


def stamp_files(paths: Iterable[Path], origin: str) -> None:
    """Write their origin into files that can hold it (`STAMPED`)."""
    for path in paths:
        if path.suffix in STAMPED:
            write_bytes(stamped(path.read_bytes(), path.suffix, origin), path)


def package_version() -> str:
    """Return the version of this package."""
    return metadata.version("cta_data")


def stamped(content: bytes, ending: str, origin: str) -> bytes:
    """Return a file's content with its origin: on a page as its footer, in an image as metadata.

    Parameters
    ----------
    ending
        With its dot; content of others than `STAMPED` is returned as it is.
    """
    if ending == ".png":
        return _stamped_png(content, origin)
    text = escape(origin)
    if ending == ".html":
        footer = f"<footer><p><small>{text}</small></p></footer>\n</body>"
        return footer.encode().join(content.rsplit(b"</body>", 1))
    if ending == ".svg":
        start, opening, rest = content.partition(b"<svg ")
        attributes, end, drawing = rest.partition(b">")
        return b"".join(
            (start, opening, attributes, end, f"\n <desc>{text}</desc>".encode(), drawing)
        )
    return f"% {origin}\n".encode() + content if ending == ".tex" else content


def _stamped_png(content: bytes, origin: str) -> bytes:
    data = b"tEXtSoftware\0" + origin.encode("latin-1", "replace")
    chunk = struct.pack(">I", len(data) - 4) + data + struct.pack(">I", zlib.crc32(data))
    return content[:_HEADER_END] + chunk + content[_HEADER_END:]
