"""Whether a unit has to run: one pure function."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from cta_data.engine.records import NOT_DONE
from cta_data.engine.units import Blocked, Settled, Unit
from cta_data.reasons import Reason
from cta_data.study.tables import UnitRow

Action = Literal["run", "notneeded", "impossible"]
UP_TO_DATE = Reason("up_to_date")
"""One for all: a large study has tens of thousands of such units."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What is to be done about a unit, and why; of one that need not run no input is kept."""

    unit: Unit | Blocked | Settled
    action: Action
    reason: Reason


def kept_reason(row: UnitRow) -> Reason:
    """Return the reason of a unit as its row keeps it."""
    return Reason.kept(row.reason_code or "", row.reason or row.status)


def stop_reason(row: UnitRow) -> Reason:
    """Return why later steps cannot run after a unit that has no result."""
    if row.reason_code == NOT_DONE:
        return Reason("step_not_done", step=row.stopped_by)
    return Reason("stopped_at_step", step=row.stopped_by or row.step, cause=kept_reason(row))


def decide(
    unit: Unit | Blocked,
    row: UnitRow | None,
    exists: Callable[[str], bool],
    *,
    recompute: bool = False,
) -> Decision:
    """Decide about one unit.

    Parameters
    ----------
    row
        The unit's row in the table `units`, or None.
    exists
        Tells whether an output is there. A link to content that was dropped is there.
    recompute
        Run whatever can run, whether or not it is needed.
    """
    if isinstance(unit, Blocked):
        return Decision(unit, "notneeded" if unit.expected else "impossible", unit.reason)
    if recompute:
        return Decision(unit, "run", Reason("recompute_requested"))
    if row is None:
        return Decision(unit, "run", Reason("never_done"))
    if row.key != unit.key:
        return Decision(unit, "run", _what_changed(unit, row))
    if row.status == "error":
        return Decision(unit, "run", Reason("failed_before", cause=kept_reason(row)))
    gone = next((path for path in row.outputs if not exists(path)), None)
    if gone:
        return Decision(unit, "run", Reason("output_missing", gone=gone))
    settled = Settled(unit.id, unit.version)
    if row.status == "impossible":
        return Decision(settled, "impossible", kept_reason(row))
    return Decision(settled, "notneeded", UP_TO_DATE)


def _what_changed(unit: Unit, row: UnitRow) -> Reason:
    if not row.key:
        return Reason("block_removed")
    if row.step_version != unit.version:
        return Reason("step_version_changed", step_version=row.step_version, version=unit.version)
    if row.parameters != unit.parameters_digest:
        return Reason("parameters_changed")
    return Reason("inputs_changed")
