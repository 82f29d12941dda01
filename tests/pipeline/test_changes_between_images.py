"""Lesions of two images whose fields of view differ: what one does not show is not gone or new."""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk

from cta_data.pipeline.follow_up_pair import DelineatedLesions, changes_between
from cta_data.scoring.lesion_changes import LesionVolume

SHIFT_MM = (3.0, -2.0, 1.0)
"""From points of the later image to those of the earlier one."""
EARLIER = {1: (4, 4, 4), 2: (4, 4, 14), 3: (14, 14, 4)}
"""Corner of each lesion of the earlier image (x, y, z, mm); cubes of 3 mm."""


def delineated(corners: dict[int, tuple[int, ...]], size: int, lost: int = 0) -> DelineatedLesions:
    """Return cubes of 3 voxels of 1 mm in an image of a height; one lesion may have been lost."""
    labels = np.zeros((size, 24, 24), np.uint16)
    for number, (x, y, z) in corners.items():
        labels[z : z + 3, y : y + 3, x : x + 3] = number
    volumes = {number: LesionVolume(27.0, 1.0) for number in (*corners, *([lost] if lost else []))}
    return DelineatedLesions(
        sitk.GetImageFromArray(labels), labels, volumes, frozenset([lost] if lost else [])
    )


def states(earlier: DelineatedLesions, later: DelineatedLesions) -> list[tuple[str, tuple, tuple]]:
    """Return the state and the lesions of each change; the head lies shifted in the later image."""
    found = changes_between(earlier, later, sitk.TranslationTransform(3, SHIFT_MM))
    return [(one.state, one.earlier, one.later) for one in found]


def moved(corner: tuple[int, ...]) -> tuple[int, ...]:
    """Return where a corner of the earlier image lies in the later one."""
    return tuple(int(c - s) for c, s in zip(corner, SHIFT_MM, strict=True))


def test_a_lesion_is_found_where_the_head_moved_to() -> None:
    """Each of three, with the Dice of the same voxels."""
    earlier = delineated(EARLIER, 24)
    later = delineated({n + 3: moved(corner) for n, corner in EARLIER.items()}, 24)
    found = changes_between(earlier, later, sitk.TranslationTransform(3, SHIFT_MM))
    assert [(one.earlier, one.later, one.dice) for one in found] == [
        ((1,), (4,), 1.0),
        ((2,), (5,), 1.0),
        ((3,), (6,), 1.0),
    ]


def test_what_the_other_image_does_not_show_is_not_compared() -> None:
    """The smaller image ends below lesion 2, whichever of the sessions it is of."""
    tall = delineated(EARLIER, 24)
    low = delineated({1: moved(EARLIER[1])}, 10)
    assert states(tall, low) == [
        ("persisting", (1,), (1,)),
        ("not_compared", (2,), ()),
        ("gone", (3,), ()),
    ]
    low = delineated({1: EARLIER[1]}, 10)
    tall = delineated({n: moved(corner) for n, corner in EARLIER.items()}, 24)
    assert states(low, tall) == [
        ("persisting", (1,), (1,)),
        ("not_compared", (), (2,)),
        ("new", (), (3,)),
    ]


def test_what_was_lost_on_the_grid_is_not_compared() -> None:
    """It was delineated, and has no voxel: neither gone nor new."""
    whole = delineated({1: EARLIER[1]}, 24)
    later = delineated({1: moved(EARLIER[1])}, 24, lost=2)
    assert states(whole, later) == [("persisting", (1,), (1,)), ("not_compared", (), (2,))]
    earlier = delineated({1: EARLIER[1]}, 24, lost=2)
    later = delineated({1: moved(EARLIER[1])}, 24)
    assert states(earlier, later) == [("persisting", (1,), (1,)), ("not_compared", (2,), ())]
