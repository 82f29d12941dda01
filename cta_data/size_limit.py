"""How much memory one image may ask for: the one limit that every reader keeps to.

A few bytes can claim to be an image of any size, and inflate to it. Readers compare what a header
announces with what the file can hold, and both with this limit, before they take memory for it.
"""

from __future__ import annotations

import math
import os
from pathlib import Path

from cta_data.errors import ConfigurationError, TooLarge

GIBIBYTE = 1 << 30
LARGEST_IMAGE_GIB = 1.0
"""A head at 0.5 mm (512 × 512 × 512 voxels) takes 0.5 GiB as float32."""
VARIABLE = "CTA_LARGEST_IMAGE_GIB"
"""Environment variable for those who have larger images."""


def largest_image_bytes() -> int:
    """Most bytes of one image (its file, and its voxels in memory).

    Raises
    ------
    ConfigurationError
        The environment variable is no number above 0.
    """
    text = os.environ.get(VARIABLE, "")
    try:
        gibibytes = float(text) if text else LARGEST_IMAGE_GIB
    except ValueError:
        gibibytes = math.nan
    if not 0 < gibibytes < math.inf:
        raise ConfigurationError("size_limit_invalid", where=VARIABLE, text=repr(text))
    return int(gibibytes * GIBIBYTE)


def require_allowed(size: int, *, where: str = "") -> None:
    """Refuse an image that would take more bytes than the limit.

    Raises
    ------
    TooLarge
        With both sizes, and how to allow more.
    """
    most = largest_image_bytes()
    if size > most:
        raise TooLarge(
            "image_too_large", where=where, size=_gibibytes(size), limit=_gibibytes(most)
        )


def require_file_allowed(path: Path) -> int:
    """Refuse a file that has more bytes than the limit; return how many it has.

    Raises
    ------
    TooLarge
        As `require_allowed` does.
    OSError
        There is no such file.
    """
    size = path.stat().st_size
    require_allowed(size, where=str(path))
    return size


def _gibibytes(size: int) -> str:
    return f"{size / GIBIBYTE:.3g} GiB"
