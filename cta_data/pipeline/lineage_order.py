"""The order of the steps that a file goes back to: each after all steps that use what it made."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence


def levels(before: Mapping[int, Sequence[int]], starts: Iterable[int]) -> dict[int, int]:
    """Return the level of every step in the order in which they are told: 1 made the file itself.

    A step's level is one more than the highest of those that use what it made. Commands that read
    what they replace form circles, which are cut where they close.

    Parameters
    ----------
    before
        The steps that made what a step read, by its number.
    starts
        The steps that made the files that are traced.
    """
    order = _topological(before, starts)
    found = dict.fromkeys(order, 1)
    place = {step: number for number, step in enumerate(order)}
    for step in order:
        for earlier in before[step]:
            if place[earlier] > place[step]:
                found[earlier] = max(found[earlier], found[step] + 1)
    return dict(sorted(found.items(), key=lambda one: (one[1], place[one[0]])))


def _topological(before: Mapping[int, Sequence[int]], starts: Iterable[int]) -> list[int]:
    """Return the steps so that each comes after those that use it: depth first, last one first."""
    finished: list[int] = []
    seen: set[int] = set()
    for start in [*starts, *before]:
        path = [start] if start not in seen else []
        seen.add(start)
        while path:
            following = next((one for one in before[path[-1]] if one not in seen), None)
            if following is None:
                finished.append(path.pop())
            else:
                seen.add(following)
                path.append(following)
    return finished[::-1]
