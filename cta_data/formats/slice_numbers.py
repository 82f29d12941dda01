"""The numbers of a stack's slices, as the names of their files say them."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from pathlib import PurePosixPath

from cta_data.errors import DataRefused

MOST_DIGITS = 9
"""Of a slice's number."""


def slice_numbers(names: Iterable[str]) -> list[int]:
    """Return the numbers of slices named `<number>.png`, ascending.

    Raises
    ------
    DataRefused
        A name is no number, a number comes twice (`1.png` and `01.png`), or one is missing.
    """
    paths = [PurePosixPath(name) for name in names]
    for path in paths:
        if not is_slice_number(path.stem) or path.suffix.lower() != ".png":
            why = f"{path.name[:40]!r}"
            raise DataRefused("a slice's name is no number of up to 9 digits with .png", why=why)
    numbers = sorted(int(path.stem) for path in paths)
    if not numbers:
        raise DataRefused("the stack holds no slice")
    if len(set(numbers)) < len(numbers):
        twice = next(n for n in numbers if numbers.count(n) > 1)
        raise DataRefused("a slice comes twice", why=f"number {twice}")
    absent = numbers[-1] - numbers[0] + 1 - len(numbers)
    if absent:
        first = next(n + 1 for n, after in pairwise(numbers) if after > n + 1)
        raise DataRefused(
            "slices of the stack are missing",
            why=f"{absent} between {numbers[0]} and {numbers[-1]}, the first is {first}",
            next_step="Get the missing slices and add them",
        )
    return numbers


def is_slice_number(text: str) -> bool:
    """Tell whether a text is the number of a slice: up to nine digits."""
    return text.isascii() and text.isdigit() and len(text) <= MOST_DIGITS
