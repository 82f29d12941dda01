"""Which runs are one component."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from cta_data.scoring.runs import connected, in_order_of_appearance


def by_scipy(first: np.ndarray, second: np.ndarray, count: int) -> np.ndarray:
    graph = coo_array((np.ones(len(first)), (first, second)), (count, count))
    return in_order_of_appearance(connected_components(graph, directed=False)[1])


@given(st.integers(1, 40), st.data())
def test_components_are_those_of_a_graph(count: int, data: st.DataObject) -> None:
    """Any pairs, also of a thing with itself and twice, give what scipy finds."""
    number = st.integers(0, count - 1)
    pairs = data.draw(st.lists(st.tuples(number, number), max_size=60))
    first, second = np.array(pairs, np.int64).reshape(-1, 2).T
    assert np.array_equal(connected((first, second), count), by_scipy(first, second, count))


@pytest.mark.parametrize("shuffled", [False, True])
def test_a_long_chain_is_one(shuffled: bool) -> None:
    """However far apart its ends are, and in whichever order it is told."""
    order = np.random.default_rng(0).permutation(5000) if shuffled else np.arange(5000)
    assert connected((order[:-1], order[1:]), 5000).max() == 0
