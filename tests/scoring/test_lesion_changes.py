"""What links between two sessions say of each lesion: its state, its trend, its interval."""

from __future__ import annotations

import math

import numpy as np
import pytest

from cta_data.imaging.lesions.change_limits import (
    GROWTH_PERCENT,
    SHRINKAGE_PERCENT,
    ChangeLimits,
)
from cta_data.imaging.lesions.volume_uncertainty import NORMAL_95
from cta_data.scoring.lesion_changes import LesionChange, LesionVolume, lesion_changes
from cta_data.scoring.lesion_links import link_lesions


def cubes(*corners: tuple[int, int, int, int]) -> np.ndarray:
    """Return labels (z, y, x) of cubes along x: begin, end, height, label."""
    labels = np.zeros((8, 8, 40), np.uint16)
    for begin, end, height, label in corners:
        labels[2 : 2 + height, 2:6, begin:end] = label
    return labels


def changes(
    first: np.ndarray, second: np.ndarray, sd: float = 1.0, **options: object
) -> list[LesionChange]:
    """Return the changes between labels of 1 mm voxels, every volume with one SD."""
    before, after = (
        {n: LesionVolume(float((one == n).sum()), sd) for n in np.unique(one[one > 0]).tolist()}
        for one in (first, second)
    )
    links = link_lesions(first, second, (1, 1, 1))
    return list(lesion_changes(links, before, after, **options))  # type: ignore[arg-type]


def states(found: list[LesionChange]) -> list[tuple[str, str | None, tuple, tuple]]:
    """Return the state, trend and lesions of each change."""
    return [(one.state, one.trend, one.earlier, one.later) for one in found]


def test_every_lesion_is_in_exactly_one_change() -> None:
    """New, gone, persisting; two that merge and one that splits, each with all of its parts."""
    first = cubes((0, 3, 4, 1), (5, 9, 4, 2), (10, 14, 4, 3), (18, 26, 4, 4), (36, 39, 4, 5))
    second = cubes((5, 14, 4, 1), (18, 21, 4, 2), (22, 26, 4, 3), (30, 33, 4, 7), (36, 39, 4, 9))
    assert states(changes(first, second)) == [
        ("gone", None, (1,), ()),
        ("merged", "stable", (2, 3), (1,)),
        ("split", "stable", (4,), (2, 3)),
        ("persisting", "stable", (5,), (9,)),
        ("new", None, (), (7,)),
    ]


def test_exchanged_sessions_exchange_the_states() -> None:
    """New for gone, split for merged."""
    first = cubes((0, 4, 4, 1), (5, 9, 4, 2), (20, 24, 4, 3))
    second = cubes((0, 9, 4, 1), (30, 34, 4, 2))
    there = [one.state for one in changes(first, second)]
    back = [one.state for one in changes(second, first)]
    assert there == ["merged", "gone", "new"] and back == ["split", "gone", "new"]


def test_a_trend_needs_certainty_and_size() -> None:
    """Twice the volume: grown if that is beyond the interval, and beyond the limit in percent."""
    small, large = cubes((0, 4, 4, 1)), cubes((0, 8, 4, 1))
    assert changes(small, large)[0].trend == "grown"
    assert changes(large, small, limits=ChangeLimits(50, 50))[0].trend == "shrunk"
    assert changes(large, small)[0].trend == "stable"  # by half: RANO-BM asks for 65.7 %
    assert changes(small, large, limits=ChangeLimits(101, 50))[0].trend == "stable"
    uncertain = changes(small, large, sd=24.0)[0]
    assert uncertain.trend == "stable" and uncertain.exceeds_uncertainty is False
    assert uncertain.margin_mm3 == pytest.approx(NORMAL_95 * 24 * 2**0.5)
    assert uncertain.change_mm3 == 64 and uncertain.change_percent == 100


def test_the_limits_are_diameters_of_rano_bm() -> None:
    """A fifth more, and 30 % less, of the diameter of a ball."""
    assert pytest.approx(100 * (1.2**3 - 1), abs=0.05) == GROWTH_PERCENT
    assert pytest.approx(100 * (1 - 0.7**3), abs=0.05) == SHRINKAGE_PERCENT


def test_errors_of_parts_add_up_as_independent_ones() -> None:
    """Two parts of one SD each: the square root of two."""
    (found,) = changes(cubes((0, 4, 4, 1), (5, 9, 4, 2)), cubes((0, 9, 4, 1)))
    assert found.volume_before == LesionVolume(128.0, math.sqrt(2))


def test_what_is_not_shown_or_not_repeated_is_not_gone() -> None:
    """Outside of the other image: not compared. Only treated lesions drawn: not delineated."""
    one, nothing = cubes((0, 4, 4, 3)), cubes()
    assert states(changes(one, nothing)) == [("gone", None, (3,), ())]
    hidden = changes(one, nothing, not_compared=({3}, ()))
    assert states(hidden) == [("not_compared", None, (3,), ())]
    hidden = changes(nothing, one, not_compared=((), {3}))
    assert states(hidden) == [("not_compared", None, (), (3,))]
    assert states(changes(one, nothing, repeats_all=False)) == [("not_delineated", None, (3,), ())]
    both = changes(one, one, not_compared=({3}, {3}))
    assert states(both) == [("persisting", "stable", (3,), (3,))]
