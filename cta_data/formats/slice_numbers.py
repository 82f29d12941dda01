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
            raise DataRefused("slice_name_invalid", why=why)
    numbers = sorted(int(path.stem) for path in paths)
    if not numbers:
        raise DataRefused("slice_stack_empty")
    if len(set(numbers)) < len(numbers):
        twice = next(n for n in numbers if numbers.count(n) > 1)
        raise DataRefused("slice_number_repeated", twice=twice)
    absent = numbers[-1] - numbers[0] + 1 - len(numbers)
    if absent:
        first = next(n + 1 for n, after in pairwise(numbers) if after > n + 1)
        raise DataRefused(
            "stack_slices_missing",
            absent=absent,
            first_number=numbers[0],
            last_number=numbers[-1],
            first=first,
        )
    return numbers


def is_slice_number(text: str) -> bool:
    """Return whether a text is the number of a slice: up to nine digits."""
    return text.isascii() and text.isdigit() and len(text) <= MOST_DIGITS
