"""Steps are told in the order of what depends on what, each once."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from cta_data.pipeline.lineage_order import levels

GRAPHS = st.integers(1, 12).flatmap(
    lambda n: st.fixed_dictionaries(
        {step: st.lists(st.integers(1, n), max_size=4) for step in range(1, n + 1)}
    )
)


def test_a_step_that_two_levels_use_is_told_once_after_both() -> None:
    """Build uses measure and strip, measure uses strip: strip is the last of the three."""
    build, strip, measure, convert = 1, 2, 3, 4
    before = {build: [strip, measure], strip: [convert], measure: [strip], convert: []}
    assert levels(before, [build]) == {build: 1, measure: 2, strip: 3, convert: 4}
    assert list(levels(before, [build])) == [build, measure, strip, convert]


@given(GRAPHS)
def test_without_a_circle_every_step_comes_after_those_that_use_it(
    graph: dict[int, list[int]],
) -> None:
    """On a higher level, too, and by one where it can be."""
    before = {step: [one for one in earlier if one > step] for step, earlier in graph.items()}
    found = levels(before, [1])
    assert sorted(found) == sorted(before)
    assert list(found.values()) == sorted(found.values())
    for step, earlier in before.items():
        assert all(found[one] > found[step] for one in earlier)
    users = {one: [s for s, earlier in before.items() if one in earlier] for one in before}
    assert all(found[one] == max((found[u] for u in users[one]), default=0) + 1 for one in users)


@given(GRAPHS)
def test_circles_end(graph: dict[int, list[int]]) -> None:
    """A command that reads the table that it replaces is no reason to run for ever."""
    assert sorted(levels(graph, [1])) == sorted(graph)
