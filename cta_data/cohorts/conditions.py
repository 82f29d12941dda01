"""Conditions of a card on the values of a header."""

from __future__ import annotations

from collections.abc import Mapping

from cta_data.cohorts.card import Conditions, Range
from cta_data.patterns import search


def holds(conditions: Conditions, header: Mapping[str, str]) -> bool:
    r"""Return whether every condition holds.

    A key may name several attributes with `|` between; it is enough that one of them meets the
    condition. Multi-valued attributes are one string with `\` between the values. An attribute
    that is absent meets nothing.
    """
    return all(meeting(names, condition, header) for names, condition in conditions.items())


def meeting(names: str, condition: str | Range, header: Mapping[str, str]) -> list[str]:
    """Return those of the attributes (with `|` between) that meet a condition."""
    return [name for name in names.split("|") if _meets(header.get(name, ""), condition)]


def _meets(value: str, condition: str | Range) -> bool:
    if not value:
        return False
    if isinstance(condition, str):
        return search(condition, value) is not None
    try:
        number = float(value.split("\\")[0])
    except ValueError:
        return False
    return condition.min <= number <= condition.max
