"""F1 of two classes."""

from __future__ import annotations

import math

import pytest

from cta_data.errors import DataRefused
from cta_data.scoring.statistics.classification import ClassCounts, count_classes


def test_counts_and_f1_are_as_by_hand() -> None:
    """Three found of four, one found in vain: F1 is 6 / (6 + 1 + 1)."""
    counts = count_classes([1, 1, 1, 1, 0, 0, 0], [1, 1, 1, 0, 1, 0, 0])
    assert counts == ClassCounts(3, 1, 1, 2)
    assert counts.f1 == counts.sensitivity == counts.precision == pytest.approx(0.75)


def test_what_cannot_be_divided_is_undefined() -> None:
    """Without a positive case or finding nothing is defined; one alone makes F1 zero."""
    nothing = count_classes([0, 0], [0, 0])
    assert all(map(math.isnan, (nothing.f1, nothing.sensitivity, nothing.precision)))
    assert count_classes([1, 0], [0, 0]).f1 == count_classes([0, 0], [1, 0]).f1 == 0


def test_truth_and_finding_are_of_the_same_cases() -> None:
    """Another number of cases is refused."""
    with pytest.raises(DataRefused) as refused:
        count_classes([1, 0], [1])
    assert refused.value.code == "paired_counts_differ"
