"""Whether a unit has to run: one pure function."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from cta_data.engine.units import Blocked, Settled, Unit
from cta_data.study.tables import UnitRow

Action = Literal["run", "notneeded", "impossible"]


@dataclass(frozen=True, slots=True)
class Decision:
    """What is to be done about a unit, and why."""

    unit: Unit | Blocked | Settled
    action: Action
    reason: str

    def kept(self) -> Decision:
        """Return the decision with as much of its unit as is needed from now on."""
        if self.action == "run" or not isinstance(self.unit, Unit):
            return self
        return Decision(Settled(self.unit.id, self.unit.version), self.action, self.reason)


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
        return Decision(unit, "run", "recomputed on request")
    if row is None:
        return Decision(unit, "run", "never done")
    if row.key != unit.key:
        return Decision(unit, "run", _what_changed(unit, row))
    if row.status == "error":
        return Decision(unit, "run", f"failed before: {row.reason}")
    gone = next((path for path in row.outputs if not exists(path)), None)
    if gone:
        return Decision(unit, "run", f"its output is gone: {gone}")
    if row.status == "impossible":
        return Decision(unit, "impossible", row.reason or "")
    return Decision(unit, "notneeded", "same inputs, same parameters, outputs in place")


def _what_changed(unit: Unit, row: UnitRow) -> str:
    if not row.key:
        return "what blocked it is gone"
    if row.step_version != unit.version:
        return f"the step changed from version {row.step_version} to {unit.version}"
    if row.parameters != unit.parameters_digest:
        return "its parameters changed"
    return "its inputs changed"
