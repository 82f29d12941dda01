"""Records: what every unit reports. Counts, failures and exit codes are folds over them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from typing import Any, Literal

from cta_data.study.unit_id import UnitId

Status = Literal["ok", "notneeded", "impossible", "error"]

EXIT_OK = 0
EXIT_USAGE = 1
EXIT_NOTHING = 2
EXIT_FAILED = 3


@dataclass(frozen=True, slots=True)
class Record:
    """How one unit ended."""

    unit: UnitId
    status: Status
    reason: str = ""
    seconds: float = 0.0
    peak_memory_mb: float = 0.0
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    traceback: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Return the record as plain JSON content."""
        names = (field.name for field in fields(self) if field.name != "unit")
        return self.unit.columns() | {name: getattr(self, name) for name in names}


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
    """Return the one line of counts that a command ends with."""
    totals = Counter(record.status for record in records)
    parts = [f"{totals[status]} {status}" for status in ("ok", "notneeded", "impossible", "error")]
    return f"{len(records)} units: {', '.join(parts)}"
