"""The best assignment against trying all of them, with as many ties as there can be."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from cta_data.scoring.matching import FEW, Edge, best_assignment

PAIRS = [(i, j) for i in range(4) for j in range(4)]
TIED = [(1, 4), (2, 8), (1, 2), (1, 3), (1, 6), (2, 6)]
UNEVEN = [(shared, 31 + shared) for shared in range(1, 9)]


def by_trying(edges: list[Edge]) -> list[int]:
    """The best by the rule as it is stated, of all assignments, with fractions."""

    def value(chosen: list[int]) -> tuple[Fraction, int, list[tuple[int, int]]]:
        pairs = [edges[i] for i in chosen]
        dice = sum((Fraction(2 * one.shared, one.voxels) for one in pairs), Fraction(0))
        low = [(-one.reference, -one.predicted) for one in pairs]
        return dice, sum(one.detected for one in pairs), low

    every: list[list[int]] = [[]]
    for i, edge in enumerate(edges):
        every += [
            [*some, i]
            for some in every
            if all(
                edges[k].reference != edge.reference and edges[k].predicted != edge.predicted
                for k in some
            )
        ]
    return max(every, key=value)


@settings(max_examples=400, deadline=None)
@given(data=st.data())
def test_the_assignment_is_the_best_by_the_rule(data: st.DataObject) -> None:
    """Whole numbers alone, and with what is beyond doubt set apart first: both are the best."""
    pairs = sorted(data.draw(st.sets(st.sampled_from(PAIRS), min_size=1, max_size=10)))
    sizes = st.sampled_from(data.draw(st.sampled_from([TIED[:2], TIED, UNEVEN])))
    edges = [Edge(*pair, *data.draw(sizes), data.draw(st.booleans())) for pair in pairs]
    best = by_trying(edges)
    assert best_assignment(edges) == best
    assert best_assignment(edges, few=0) == best


def test_sums_that_differ_by_less_than_rounding_are_not_equal() -> None:
    """1/3 + 2/7 = 13/21 loses to a sum that is larger by 2 · 10⁻¹⁸."""
    large = 3 * 10**17
    better = Edge(0, 1, large // 2 + 1, 3 * large, True), Edge(1, 0, 1, 7, True)
    edges = [Edge(0, 0, 1, 6, True), better[0], better[1], Edge(1, 1, 1, 7, True)]
    assert [edges[i] for i in best_assignment(edges)] == list(better)
    assert [edges[i] for i in best_assignment(edges, few=0)] == list(better)


def test_many_overlaps_with_and_without_what_is_beyond_doubt() -> None:
    """A grid of 12 × 12 overlaps, half of them equal: the same pairs both ways."""
    edges = [
        Edge(i, j, 1 + (i * j) % 3, 12 + (i + 2 * j) % 4, (i + j) % 2 == 0)
        for i in range(12)
        for j in range(12)
        if (i + j) % 3
    ]
    assert len(edges) > FEW
    assert best_assignment(edges) == best_assignment(edges, few=len(edges))
