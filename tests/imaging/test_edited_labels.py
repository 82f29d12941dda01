"""Which lesion is which in labels that came back from an editor."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from cta_data.errors import DataRefused
from cta_data.imaging.geometry.grid import Grid
from cta_data.imaging.lesions.corrected_labels import corrected_labels, share_changed
from cta_data.imaging.lesions.edited_labels import edited_labels
from cta_data.imaging.lesions.mask_placement import onto_voxels
from cta_data.review.edit_changes import lesion_edits


def row(*values: int) -> NDArray[np.uint8]:
    return np.array([[values]], np.uint8)


@pytest.mark.parametrize(
    ("before", "edited", "expected"),
    [
        # Nothing, a voxel less, and a lesion in two parts that both are of it.
        (row(0, 1, 1, 0, 2, 2), row(0, 1, 1, 0, 2, 2), row(0, 1, 1, 0, 2, 2)),
        (row(1, 1, 1, 0, 2, 2), row(1, 0, 1, 0, 2, 0), row(1, 0, 1, 0, 2, 0)),
        # Painted with the value of a lesion that is elsewhere: a lesion of its own.
        (row(1, 1, 0, 2, 0, 0), row(1, 1, 0, 2, 0, 1), row(1, 1, 0, 2, 0, 3)),
        # A new value stays; a lesion whose value was changed keeps its id.
        (row(1, 1, 0, 0, 0, 0), row(1, 1, 0, 0, 7, 7), row(1, 1, 0, 0, 7, 7)),
        (row(1, 1, 0, 2, 2, 0), row(9, 9, 0, 2, 2, 0), row(1, 1, 0, 2, 2, 0)),
        # Lesion 2 painted as 1, which is still there: the same place, the same lesion.
        (row(1, 1, 0, 2, 2, 0), row(1, 1, 0, 1, 1, 0), row(1, 1, 0, 2, 2, 0)),
        # All gone.
        (row(1, 1, 0, 2, 2, 0), row(0, 0, 0, 0, 0, 0), row(0, 0, 0, 0, 0, 0)),
    ],
)
def test_a_lesion_keeps_its_id(
    before: NDArray[np.uint8], edited: NDArray[np.uint8], expected: NDArray[np.uint8]
) -> None:
    """By overlap first; what overlaps nothing is new, whatever value it was painted with."""
    assert np.array_equal(edited_labels(edited, before), expected)


def test_the_id_of_a_lesion_that_is_not_shown_is_not_given_again() -> None:
    """Deleted before, or without a voxel on this grid: what is new gets an id that nobody had."""
    before, used = row(1, 1, 0, 2, 0, 0), (4, 5)
    expected = row(1, 1, 0, 2, 0, 6)
    for value in (1, 5):
        assert np.array_equal(edited_labels(row(1, 1, 0, 2, 0, value), before, used), expected)
    assert np.array_equal(corrected_labels(row(1, 1, 0, 1, 0, 1), before, used), expected)


@given(
    st.lists(st.integers(0, 4), min_size=27, max_size=27),
    st.lists(st.integers(0, 6), min_size=27, max_size=27),
)
def test_no_voxel_is_lost_or_made(before: list[int], edited: list[int]) -> None:
    """The edited voxels are those that have an id; labels that were not edited stay as they are."""
    first = np.array(before).reshape(3, 3, 3)
    second = np.array(edited).reshape(3, 3, 3)
    made = edited_labels(second, first)
    assert np.array_equal(made > 0, second > 0)
    assert np.array_equal(edited_labels(first, first), first)
    changes = lesion_edits(first, made, {}, 2.0)
    assert sum(c.voxels_after for c in changes) == np.count_nonzero(second)
    assert sum(c.voxels_before for c in changes) == np.count_nonzero(first)
    assert (share_changed(first, made) == 0) == np.array_equal(first, made)


@pytest.mark.parametrize("bad", [[-1, 1], [70000, 1], [0.5, 1]])
def test_values_that_are_no_ids_are_refused(bad: list[float]) -> None:
    """Negative, too large, or no whole number."""
    with pytest.raises(DataRefused):
        edited_labels(np.array([[bad]]), np.zeros((1, 1, 2), np.uint8))


def test_a_part_of_a_grid_goes_back_to_its_place() -> None:
    """On an oblique grid; half a voxel beside it, or with a voxel outside, it is no part."""
    angle = np.array([[0.8, -0.6, 0], [0.6, 0.8, 0], [0, 0, 1.0]])
    whole = Grid((6, 5, 4), np.array([1.0, 2.0, 3.0]), np.array([-10.0, 5.0, 7.0]), angle)
    voxels = np.random.default_rng(1).integers(0, 3, (4, 5, 6)).astype(np.uint8)
    voxels[0] = voxels[:, 0] = voxels[..., 0] = 0
    start = whole.to_point(np.array([[1, 1, 1]]))[0]
    part = Grid((5, 4, 3), whole.spacing, start, angle)
    assert np.array_equal(onto_voxels(part.image(voxels[1:, 1:, 1:].copy()), whole), voxels)
    for shift in ([0.5, 0, 0], [1, 0, 0]):
        moved = Grid(part.size, part.spacing, whole.to_point(np.array([shift]) + 1)[0], angle)
        with pytest.raises(DataRefused):
            onto_voxels(moved.image(np.ones((3, 4, 5), np.uint8)), whole)
