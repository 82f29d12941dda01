"""PNG stacks: order by number, values as they are, and what is refused."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
import SimpleITK as sitk
from helpers.refusals import has_reason
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from cta_data.errors import DataRefused
from cta_data.formats.png_stack import read_png_stack
from cta_data.formats.slice_numbers import slice_numbers

SPACING = (0.94, 0.94, 1.0)
NOISE = np.random.default_rng(0).integers(0, 255, (20, 30)).astype(np.uint8)


def png(pixels: np.ndarray, mode: str | None = None) -> bytes:
    stream = io.BytesIO()
    picture = Image.fromarray(pixels)
    (picture.convert(mode) if mode else picture).save(stream, "PNG")
    return stream.getvalue()


def grey(value: int, shape: tuple[int, int] = (3, 4)) -> np.ndarray:
    pixels = np.full(shape, value, np.uint8)
    pixels[0, 1] = 255
    return pixels


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 200), st.integers(1, 25), st.booleans(), st.randoms())
def test_slices_come_in_the_order_of_their_numbers(
    first: int, count: int, padded: bool, random: object
) -> None:
    """`9.png` before `10.png`, padded or not, whatever the order in which they are given."""
    numbers = list(range(first, first + count))
    named = [(f"{n:03d}.png" if padded else f"{n}.png", png(grey(n % 250))) for n in numbers]
    random.shuffle(named)  # type: ignore[attr-defined]
    image = read_png_stack(named, SPACING)
    voxels = sitk.GetArrayFromImage(image)
    assert voxels[:, 2, 2].tolist() == [n % 250 for n in numbers]
    assert image.GetSpacing() == SPACING
    assert image.GetDirection() == (1, 0, 0, 0, 1, 0, 0, 0, 1) and image.GetOrigin() == (0, 0, 0)


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "P", "LA"])
def test_grey_is_grey_however_it_is_stored(mode: str) -> None:
    """Values come out unchanged from every way in which tools store grey."""
    image = read_png_stack([("0.png", png(grey(77), mode))], SPACING)
    assert np.array_equal(sitk.GetArrayFromImage(image)[0], grey(77))


def test_sixteen_bits_stay() -> None:
    """Deep grey values are not cut to eight bits."""
    pixels = np.array([[0, 1000], [40000, 65535]], np.uint16)
    image = read_png_stack([("5.png", png(pixels))], SPACING)
    assert np.array_equal(sitk.GetArrayFromImage(image)[0], pixels)


@pytest.mark.parametrize(
    ("names", "code"),
    [
        (["1.png", "3.png"], "stack_slices_missing"),
        (["1.png", "01.png"], "slice_number_repeated"),
        (["a.png"], "slice_name_invalid"),
        (["1.5.png"], "slice_name_invalid"),
        (["-1.png"], "slice_name_invalid"),
        (["1.jpg"], "slice_name_invalid"),
        ([], "slice_stack_empty"),
    ],
)
def test_numbers_that_make_no_stack_are_refused(names: list[str], code: str) -> None:
    """A gap or a double would shift every slice above it."""
    with pytest.raises(DataRefused, check=has_reason(code)):
        slice_numbers(names)


@pytest.mark.parametrize(
    ("slices", "code"),
    [
        ([("0.png", png(grey(1))), ("1.png", png(grey(1, (5, 4))))], "slice_formats_differ"),
        ([("0.png", png(NOISE)[:300])], "slice_unreadable"),
        ([("0.png", b"GIF89a")], "slice_unreadable"),
        ([("0.png", png(np.dstack([grey(1), grey(2), grey(3)])))], "slice_in_colour"),
    ],
)
def test_slices_that_are_no_grey_images_are_refused(
    slices: list[tuple[str, bytes]], code: str
) -> None:
    """A damaged or coloured slice costs its stack, with the slice named."""
    with pytest.raises(DataRefused, check=has_reason(code)):
        read_png_stack(slices, SPACING)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, len(png(NOISE)) - 1), st.integers(0, 7))
def test_a_flipped_bit_anywhere_is_found(at: int, bit: int) -> None:
    """Pillow alone shows other pixels for some: it does not look at the pixels' checksum."""
    content = bytearray(png(NOISE))
    content[at] ^= 1 << bit
    with pytest.raises(DataRefused) as caught:
        read_png_stack([("7.png", bytes(content))], SPACING)
    assert caught.value.code in ("slice_unreadable", "image_too_large")


@given(st.integers(1, len(png(NOISE))))
@settings(max_examples=30, deadline=None)
def test_a_slice_cut_anywhere_is_refused(cut: int) -> None:
    """Also where only the end mark is gone: the file was not copied whole."""
    with pytest.raises(DataRefused, check=has_reason("slice_unreadable")):
        read_png_stack([("0.png", png(NOISE)[:-cut])], SPACING)


def chunk(kind: bytes, content: bytes) -> bytes:
    checksum = struct.pack(">I", zlib.crc32(kind + content))
    return struct.pack(">I", len(content)) + kind + content + checksum


@pytest.mark.parametrize(
    ("header", "code"),
    [
        ((60000, 60000, 8, 0, 0, 0, 0), "image_too_large"),
        ((4, 3, 16, 2, 0, 0, 0), "slice_unreadable"),
    ],
)
def test_headers_that_no_slice_has_are_refused(header: tuple[int, ...], code: str) -> None:
    """A size that would fill memory, and a depth of which Pillow would drop half."""
    content = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", *header))
    content += chunk(b"IDAT", zlib.compress(bytes(3 * (1 + 4 * 6)))) + chunk(b"IEND", b"")
    with pytest.raises(DataRefused, check=has_reason(code)):
        read_png_stack([("0.png", content)], SPACING)


def test_one_bit_is_black_and_white() -> None:
    """A mask saved with one bit a pixel has the values that an 8-bit one has."""
    pixels = grey(0)
    image = read_png_stack([("0.png", png(pixels, "1"))], SPACING)
    assert np.array_equal(sitk.GetArrayFromImage(image)[0], pixels)
