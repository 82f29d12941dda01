"""Ranks of numbers that differ by rounding alone are equal."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from cta_data.errors import DataRefused

RESOLUTION = 1e-12
"""Two numbers are equal where they differ by less than this, times the largest magnitude.

Scores are ratios of counts: 1 − 2/3 and 1/3 differ in their sixteenth digit, and are one number.
"""


@dataclass(frozen=True)
class Ranking:
    """Ranks of values.

    Attributes
    ----------
    ranks
        Rank of each value from 1 on, in the order given; equal values share the mean of theirs.
    tie_sizes
        Number of values of each group of two or more that are equal.
    """

    ranks: np.ndarray
    tie_sizes: tuple[int, ...]

    @property
    def n_tied(self) -> int:
        """Number of values that share their rank with another."""
        return sum(self.tie_sizes)

    @property
    def tie_term(self) -> int:
        """Sum of t³ − t over groups of t equal values, which variances of rank sums need."""
        return sum(size**3 - size for size in self.tie_sizes)


def rank_values(values: np.ndarray, resolution: float) -> Ranking:
    """Rank values; neighbours in size that differ by no more than `resolution` are equal."""
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    starts = np.flatnonzero(np.diff(ordered, prepend=-np.inf) > resolution)
    sizes = np.diff(starts, append=len(values))
    ranks = np.empty(len(values))
    ranks[order] = np.repeat(starts + (sizes + 1) / 2, sizes)
    return Ranking(ranks, tuple(int(size) for size in sizes if size > 1))


def resolution_of(*arrays: np.ndarray) -> float:
    """Return the difference up to which numbers of this magnitude are equal."""
    largest = max((float(np.max(np.abs(a))) for a in arrays if len(a)), default=0.0)
    return RESOLUTION * largest


def as_numbers(values: ArrayLike, what: str) -> np.ndarray:
    """Return values as a vector of floats, in which NaN stands for undefined.

    Raises
    ------
    DataRefused
        Values that are not numbers in one row, or infinite.
    """
    try:
        numbers = np.asarray(values, dtype=float)
    except (TypeError, ValueError) as error:
        raise DataRefused(f"{what} are not numbers", why=str(error)) from error
    if numbers.ndim != 1:
        raise DataRefused(
            f"{what} are not one number after another", why=f"{numbers.ndim} dimensions"
        )
    if np.isinf(numbers).any():
        raise DataRefused(
            f"{what} are infinite", why=f"{int(np.isinf(numbers).sum())} of {len(numbers)}"
        )
    return numbers
