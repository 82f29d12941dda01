"""Records: what every unit reports. Counts, failures and exit codes are folds over them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal, TypedDict

from cta_data.reasons import CAUSE, Reason
from cta_data.study.unit_id import UnitId

Status = Literal["ok", "notneeded", "impossible", "error"]

WORDS: Mapping[Status, str] = {
    "ok": "ok",
    "error": "failed",
    "impossible": "impossible",
    "notneeded": "not needed",
}
"""What people read for each status."""
STOPPED, NOT_DONE = "stopped_at_step", "step_not_done"
"""Codes of reasons that name an earlier step in the value `step`."""

EXIT_OK = 0
EXIT_USAGE = 1
EXIT_NOTHING = 2
EXIT_FAILED = 3


class ReasonColumns(TypedDict):
    """A reason as tables and JSON have it.

    `reason` is the sentence of what was found, `reason_code` its code, and `stopped_by` the
    earlier step that it was found in, or that was not done.
    """

    reason: str | None
    reason_code: str | None
    stopped_by: str | None


def reason_columns(reason: Reason | None) -> ReasonColumns:
    """Return a reason as tables and JSON have it."""
    if reason is None:
        return {"reason": None, "reason_code": None, "stopped_by": None}
    step = earlier_step(reason)
    found = reason.values[CAUSE] if reason.code == STOPPED else reason
    return {
        "reason": str(found),
        "reason_code": found.finding.code,
        "stopped_by": step or None,
    }


def earlier_step(reason: Reason | None) -> str:
    """Return the step that a unit waits for, or that stopped its session; empty without one."""
    return str(reason.values["step"]) if reason and reason.code in (STOPPED, NOT_DONE) else ""


@dataclass(frozen=True, slots=True)
class Record:
    """How one unit ended."""

    unit: UnitId
    status: Status
    reason: Reason | None = None
    seconds: float = 0.0
    peak_memory_mb: float = 0.0
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    traceback: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Return the record as plain JSON content."""
        measured = {name: getattr(self, name) for name in _MEASURED}
        return self.unit.columns() | measured | reason_columns(self.reason)


_MEASURED = tuple(one.name for one in fields(Record) if one.name not in ("unit", "reason"))


@dataclass
class Report:
    """All records of a command, and the files that its units read (from the top of the study)."""

    records: list[Record] = field(default_factory=list)
    inputs: set[str] = field(default_factory=set)

    def add(self, record: Record) -> None:
        """Take one more record."""
        self.records.append(record)

    @property
    def failures(self) -> list[Record]:
        """Records of units that did not get their result."""
        return [r for r in self.records if r.status in ("impossible", "error")]

    @property
    def warned(self) -> list[Record]:
        """Records of units whose result somebody should look at."""
        return [r for r in self.records if r.warnings]

    def counts(self) -> dict[str, dict[str, int]]:
        """Return the number of units by step, with its model, and status."""
        return count_by_step(self.records)

    def exit_code(self) -> int:
        """Return 0 where all is well, 2 where there was nothing, 3 where units failed."""
        if not self.records:
            return EXIT_NOTHING
        return EXIT_FAILED if self.failures else EXIT_OK


def count_by_step(records: Iterable[Record]) -> dict[str, dict[str, int]]:
    """Count records by step (with its model) and status; a step's counts add up to its units."""
    counts: dict[str, Counter[str]] = {}
    for record in records:
        counts.setdefault(record.unit.work, Counter())[record.status] += 1
    return {step: dict(counter) for step, counter in counts.items()}


def summary_line(records: list[Record]) -> str:
    """Return the one line of counts that a command ends with; they add up to its units."""
    totals: Counter[str] = Counter(record.status for record in records)
    units = "1 unit" if len(records) == 1 else f"{len(records)} units"
    return f"{units}: {in_words(totals, every=True)}"


def in_words(counts: Mapping[str, int], *, every: bool = False) -> str:
    """Return how many units ended in which way, as people read it.

    Parameters
    ----------
    every
        Whether a status that no unit has is named, too.
    """
    named = (f"{counts.get(s, 0)} {w}" for s, w in WORDS.items() if every or counts.get(s))
    return ", ".join(named)
