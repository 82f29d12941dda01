"""What people decided about units, and how that bears on their records.

A decision is about one result: it holds as long as the unit's key is the one that was looked at.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from cta_data.engine.records import Record
from cta_data.reasons import Reason
from cta_data.study.tables import AcceptanceRow, UnitRow
from cta_data.study.unit_id import UnitId

if TYPE_CHECKING:
    from cta_data.study.tables import Tables

ACCEPTED = "accepted"
REJECTED = "rejected"


def is_held_back(row: UnitRow) -> bool:
    """Tell whether a unit's result is there, and not to be used until a person says so."""
    return row.status == "impossible" and bool(row.outputs)


def decision_about(tables: Tables, unit: UnitId) -> AcceptanceRow | None:
    """Return the row of `acceptances` about a unit, or None: people decide about sessions alone."""
    if unit.about is None:
        return None
    return tables.by_key(AcceptanceRow).get((unit.step, *unit.about))


def decided(record: Record, key: str, decision: AcceptanceRow | None) -> Record:
    """Return the record of a unit as a person's decision has it.

    Parameters
    ----------
    record
        What the unit reported of itself.
    key
        The unit's key.
    decision
        The row of `acceptances` of the unit, or None.
    """
    if decision is None or decision.unit_key != key:
        return record
    told = decision_reason(decision)
    if decision.decision == ACCEPTED and record.status == "impossible":
        return replace(record, status="ok", reason=told)
    if decision.decision == REJECTED and record.status == "ok":
        return replace(record, status="impossible", reason=told)
    return record


def decision_reason(decision: AcceptanceRow) -> Reason:
    """Return a decision as a reason."""
    return Reason(
        "accepted_by_reviewer" if decision.decision == ACCEPTED else "rejected_by_reviewer",
        author=decision.author,
        date=decision.decided_on,
        text=decision.reason,
    )
