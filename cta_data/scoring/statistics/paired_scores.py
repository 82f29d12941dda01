"""Scores of the same cases from two sources."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from cta_data.errors import DataRefused
from cta_data.scoring.statistics.ranks import as_numbers, resolution_of


@dataclass(frozen=True)
class PairedScores:
    """Pairs of which both scores are defined, and how many were not.

    Attributes
    ----------
    a, b
        The scores, pair by pair.
    n_undefined_a, n_undefined_b
        Pairs that were left out since the score of A, or of B, is undefined.
    n_undefined
        Pairs that were left out since either is.
    """

    a: np.ndarray
    b: np.ndarray
    n_undefined_a: int
    n_undefined_b: int
    n_undefined: int

    @property
    def differences(self) -> np.ndarray:
        """B minus A; what differs by rounding alone is zero."""
        differences = self.b - self.a
        return np.where(np.abs(differences) <= self.resolution, 0.0, differences)

    @property
    def resolution(self) -> float:
        """Differences that differ by no more than this are equal: subtraction rounds them."""
        return resolution_of(self.a, self.b)


def pair_scores(a: ArrayLike, b: ArrayLike) -> PairedScores:
    """Pair the scores of A and B case by case and leave out the undefined.

    Parameters
    ----------
    a, b
        One score for each case, in the same order; NaN where it is undefined.

    Raises
    ------
    DataRefused
        Scores that are not numbers, infinite, or not as many on both sides.
    """
    first, second = as_numbers(a, "scores of A"), as_numbers(b, "scores of B")
    if len(first) != len(second):
        raise DataRefused(
            "paired scores are of the same cases", why=f"{len(first)} of A, {len(second)} of B"
        )
    lost_a, lost_b = np.isnan(first), np.isnan(second)
    kept = ~(lost_a | lost_b)
    return PairedScores(
        first[kept], second[kept], int(lost_a.sum()), int(lost_b.sum()), int((~kept).sum())
    )
