"""Outlines along the edges of voxels: filled, they are the voxels again."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from cta_data.errors import DataRefused
from cta_data.imaging.rasterization.lesion_outlines import lesion_numbers, outlined_lesions
from cta_data.imaging.rasterization.polygon_fill import fill_even_odd
from cta_data.imaging.rasterization.voxel_outlines import outlines_of_slices

MASKS = arrays(np.bool_, st.tuples(*[st.integers(1, 9)] * 3), elements=st.booleans())
DENSE = arrays(np.bool_, (1, 9, 9), elements=st.sampled_from([True] * 6 + [False]))


@settings(max_examples=40)
@given(MASKS | DENSE)
def test_every_way_of_filling_gives_the_voxels(mask: NDArray[np.bool_]) -> None:
    """Keyholes and rings, filled by the even-odd rule, are the mask; parts share no voxel."""
    found = outlines_of_slices(mask)
    assert sorted(found) == np.flatnonzero(mask.any(axis=(1, 2))).tolist()
    for number, outlines in found.items():
        shape = mask.shape[1:]
        rings = [np.array(ring) for one in outlines for ring in one.rings]
        assert np.array_equal(fill_even_odd(rings, shape), mask[number])
        parts = [fill_even_odd([np.array(one.keyhole())], shape) for one in outlines]
        assert np.array_equal(np.sum(parts, axis=0), mask[number])


@settings(max_examples=40)
@given(MASKS | DENSE)
def test_outlines_are_simple_polygons_along_edges(mask: NDArray[np.bool_]) -> None:
    """No ring visits a corner twice, each edge runs along the lattice, holes turn the other way."""
    for outlines in outlines_of_slices(mask).values():
        for one in outlines:
            for ring, sign in ((one.outer, 1), *((hole, -1) for hole in one.holes)):
                assert len(set(ring)) == len(ring) >= 4
                points = np.array(ring)
                steps = np.roll(points, -1, axis=0) - points
                assert ((steps == 0).sum(axis=1) == 1).all()
                assert (points % 1 == 0.5).all()
                turns = points[:, 0] * np.roll(points[:, 1], -1)
                turns -= points[:, 1] * np.roll(points[:, 0], -1)
                assert turns.sum() * sign > 0


def test_a_voxel_is_a_square_of_its_size() -> None:
    """The smallest lesion keeps its area, and a corner that two voxels share does not join them."""
    mask = np.eye(2, dtype=bool)[None]
    found = outlines_of_slices(mask)[0]
    assert [sorted(one.outer) for one in found] == [
        [(-0.5, -0.5), (-0.5, 0.5), (0.5, -0.5), (0.5, 0.5)],
        [(0.5, 0.5), (0.5, 1.5), (1.5, 0.5), (1.5, 1.5)],
    ]


def test_lesions_with_empty_slices_within_are_divided() -> None:
    """Each part has slices without a gap, so that no reader fills what lies between."""
    labels = np.zeros((7, 3, 3), np.uint16)
    labels[[1, 2, 5], 1, 1] = 3
    labels[4, 0, 0] = 9
    found = outlined_lesions(labels)
    assert [(one.number, one.part, sorted(one.slices), one.n_voxels) for one in found] == [
        (3, 1, [1, 2], 2),
        (3, 2, [5], 1),
        (9, 0, [4], 1),
    ]


def test_what_a_lesion_is() -> None:
    """Parts of a binary mask are lesions, values of labels are; either can be asked for."""
    mask = np.zeros((3, 3, 3), np.float32)
    mask[0, 0, 0] = mask[2, 2, 2] = 1
    assert lesion_numbers(mask).max() == 2
    assert lesion_numbers(mask, "values").max() == 1
    mask[2, 2, 2] = 7
    assert set(np.unique(lesion_numbers(mask))) == {0, 1, 7}
    assert lesion_numbers(mask, "components").max() == 2
    for impossible in (-1, 70_000):
        mask[1, 1, 1] = impossible
        with pytest.raises(DataRefused) as refused:
            lesion_numbers(mask)
        assert refused.value.code == "lesion_number_impossible"
