"""Two classes, told apart: counts and F1."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from cta_data.errors import DataRefused


@dataclass(frozen=True)
class ClassCounts:
    """Cases by truth and finding; positive are those of the class that is looked for."""

    true_positive: int
    false_positive: int
    false_negative: int
    true_negative: int

    @property
    def f1(self) -> float:
        """2 TP / (2 TP + FP + FN), which is Dice of truth and finding; NaN without any of them."""
        total = 2 * self.true_positive + self.false_positive + self.false_negative
        return 2 * self.true_positive / total if total else math.nan

    @property
    def sensitivity(self) -> float:
        """Share of positive cases that were found; NaN without a positive case."""
        positive = self.true_positive + self.false_negative
        return self.true_positive / positive if positive else math.nan

    @property
    def precision(self) -> float:
        """Share of findings that are right; NaN without a finding."""
        found = self.true_positive + self.false_positive
        return self.true_positive / found if found else math.nan


def count_classes(truth: ArrayLike, found: ArrayLike) -> ClassCounts:
    """Count cases; truth and finding are in the same order.

    Raises
    ------
    DataRefused
        There are not as many of the one as of the other.
    """
    is_true, is_found = np.asarray(truth, bool).ravel(), np.asarray(found, bool).ravel()
    if len(is_true) != len(is_found):
        raise DataRefused("paired_counts_differ", n_first=len(is_true), n_second=len(is_found))
    return ClassCounts(
        int((is_true & is_found).sum()),
        int((~is_true & is_found).sum()),
        int((is_true & ~is_found).sum()),
        int((~is_true & ~is_found).sum()),
    )
