"""What people decided about units, and how that bears on their records.

A decision is about one result: it holds as long as the unit's key is the one that was looked at.
Of several readers' decisions about one result, the last that accepts or rejects it counts.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from cta_data.engine.records import Record
from cta_data.reasons import Reason
from cta_data.study.session_id import SessionId
from cta_data.study.tables import DecisionRow, UnitRow
from cta_data.study.unit_id import UnitId

if TYPE_CHECKING:
    from cta_data.study.tables import Tables

TRANSFER, FINDING, ANNOTATION = "transfer", "finding", "annotation"
"""What decisions are about; the kind `transfer` includes registrations."""
ACCEPTED = "accepted"
REJECTED = "rejected"
UNCERTAIN = "uncertain"


def is_held_back(row: UnitRow) -> bool:
    """Tell whether a unit's result is there, and not to be used until a person says so."""
    return row.status == "impossible" and bool(row.outputs)


def decisions_about(tables: Tables, unit: UnitId) -> list[DecisionRow]:
    """Return what readers said of a unit, whatever result of it: people decide about sessions."""
    if unit.about is None:
        return []
    groups = tables.index(DecisionRow, ("kind", "step", *SessionId._fields))
    return groups.get((TRANSFER, unit.step, *unit.about), [])


def decision_about(tables: Tables, unit: UnitId, key: str | None) -> DecisionRow | None:
    """Return the decision that counts for the result of a unit with this key, or None."""
    found = [
        row
        for row in decisions_about(tables, unit)
        if row.content_key == key and row.verdict in (ACCEPTED, REJECTED)
    ]
    return max(found, key=lambda row: row.number, default=None)


def decided(record: Record, decision: DecisionRow | None) -> Record:
    """Return the record of a unit as a person's decision about its result has it.

    Parameters
    ----------
    record
        What the unit reported of itself.
    decision
        As `decision_about` returns it.
    """
    if decision is None:
        return record
    told = decision_reason(decision)
    if decision.verdict == ACCEPTED and record.status == "impossible":
        return replace(record, status="ok", reason=told)
    if decision.verdict == REJECTED and record.status == "ok":
        return replace(record, status="impossible", reason=told)
    return record


def decision_reason(decision: DecisionRow) -> Reason:
    """Return a decision as a reason."""
    return Reason(
        "accepted_by_reviewer" if decision.verdict == ACCEPTED else "rejected_by_reviewer",
        author=decision.reader,
        date=decision.decided_on,
        text=decision.reason or "no reason given",
    )
