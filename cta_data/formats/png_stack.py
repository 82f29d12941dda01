"""Stacks of PNG slices: a volume in the order of the numbers that name its slices.

PNG carries no geometry. What a stack says of itself is the numbers of its slices; all else is what
the caller knows of the cohort.
"""

from __future__ import annotations

import io
from collections.abc import Iterable

import numpy as np
import SimpleITK as sitk
from isal import isal_zlib
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from cta_data.errors import DataRefused
from cta_data.formats.slice_numbers import slice_numbers
from cta_data.size_limit import require_allowed

SIGNATURE = b"\x89PNG\r\n\x1a\n"


def read_png_stack(
    slices: Iterable[tuple[str, bytes]], spacing_mm: tuple[float, float, float]
) -> sitk.Image:
    """Read a stack as a volume.

    Parameters
    ----------
    slices
        Name (`<number>.png`) and bytes of each, in any order.
    spacing_mm
        Spacing along x, y, z, since the files have none.

    Returns
    -------
    SimpleITK.Image
        uint8 (or uint16), slices in the order of their numbers (`9` before `10`) along z; origin 0
        and identity direction (LPS).

    Raises
    ------
    DataRefused
        Numbers are missing or come twice, sizes differ, a slice is in colour or is damaged.
    TooLarge
        The slices together are larger than the limit.
    """
    by_number: dict[int, NDArray[np.generic]] = {}
    names, size = [], 0
    for name, content in slices:
        names.append(name)
        [number] = slice_numbers([name])
        size += _announced_bytes(content)
        require_allowed(size, where=f"slice {number}")
        by_number[number] = _grey(content, number)
    numbers = slice_numbers(names)
    first = by_number[numbers[0]]
    for number in numbers:
        other = by_number[number]
        if other.shape != first.shape or other.dtype != first.dtype:
            raise DataRefused(
                "slice_formats_differ",
                first_number=numbers[0],
                first_format=_describe(first),
                number=number,
                other_format=_describe(other),
            )
    image = sitk.GetImageFromArray(np.stack([by_number[number] for number in numbers]))
    image.SetSpacing(spacing_mm)
    return image


def _announced_bytes(content: bytes) -> int:
    """Bytes that a slice takes by its header, at 16 bits a pixel; 0 where it has none."""
    width, height = (int.from_bytes(content[at : at + 4], "big") for at in (16, 20))
    return 2 * width * height if content[12:16] == b"IHDR" else 0


def _describe(pixels: NDArray[np.generic]) -> str:
    return f"{pixels.shape[1]} × {pixels.shape[0]} ({pixels.dtype})"


def _grey(content: bytes, number: int) -> NDArray[np.generic]:
    try:
        _require_whole(content)
        with Image.open(io.BytesIO(content), formats=["PNG"]) as picture:
            return _channel(picture, number)
    except (
        UnidentifiedImageError,
        Image.DecompressionBombError,
        OSError,
        SyntaxError,
        ValueError,
    ) as error:
        raise DataRefused(
            "slice_unreadable", number=number, error=str(error).split("<")[0].strip()
        ) from error


def _require_whole(content: bytes) -> None:
    """Check the sums of the chunks up to the last: Pillow skips those of the pixels."""
    if not content.startswith(SIGNATURE):
        raise ValueError("it is no PNG file")
    at, kind = len(SIGNATURE), b""
    while kind != b"IEND":
        length = int.from_bytes(content[at : at + 4], "big")
        kind, end = content[at + 4 : at + 8], at + 8 + length
        if len(content) < end + 4:
            raise ValueError("it ends early")
        checksum = int.from_bytes(content[end : end + 4], "big")
        if isal_zlib.crc32(memoryview(content)[at + 4 : end]) != checksum:
            raise ValueError("it is damaged: a checksum does not hold")
        if kind == b"IHDR" and length == 13 and content[at + 16] == 16 and content[at + 17] != 0:
            raise ValueError("its pixels have 16 bits and more than one channel")
        at = end + 4


def _channel(picture: Image.Image, number: int) -> NDArray[np.generic]:
    """Grey values; of equal colour channels one."""
    if picture.mode.startswith("I"):
        return np.asarray(picture).astype(np.uint16)
    if picture.mode in ("L", "1", "LA"):
        return np.asarray(picture.convert("L"))
    channels = np.asarray(picture.convert("RGB"))
    if (channels != channels[..., :1]).any():
        raise DataRefused("slice_in_colour", number=number)
    return np.ascontiguousarray(channels[..., 0])
