"""The order of decisions: a later one about the same has a higher number."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from cta_data.study.tables import DecisionRow

if TYPE_CHECKING:
    from cta_data.study.tables import Tables

_ABOUT = (
    *("kind", "step", "cohort", "subject", "session", "first_annotation", "second_annotation"),
    *("first_lesion", "second_lesion", "convention", "test_set", "model", "case"),
    *("reference_lesion", "predicted_lesion"),
)
"""Columns that say what a decision is about, whoever made it."""


def numbered(tables: Tables, decision: DecisionRow) -> DecisionRow:
    """Return a decision with its number.

    The same decision again keeps its number where none came after it, so that a command that is
    run again changes nothing.
    """
    about = tables.index(DecisionRow, _ABOUT).get(tuple(map(decision.column, _ABOUT)), [])
    last = max(about, key=lambda row: row.number, default=None)
    if last is not None and replace(decision, number=last.number) == last.as_stored():
        return last
    numbers = (number for (number,) in tables.columns(DecisionRow, "number"))
    return replace(decision, number=1 + max(numbers, default=0))
