"""What differs from run to run, kept out of version control: `.cta/log/*.jsonl`."""

from __future__ import annotations

import json
import platform
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from cta_data.engine.decisions import UP_TO_DATE
from cta_data.engine.records import Record
from cta_data.files import json_line
from cta_data.study.unit_id import UnitId
from cta_data.versioning.software import software_versions

LOG = Path(".cta") / "log"


class RunLog:
    """One JSON-lines file a command: a header line, then a line a record.

    Units that are up to date are counted, a line a step: a large study has tens of thousands.
    """

    def __init__(self, root: Path, command: list[str]) -> None:
        folder = root / LOG
        folder.mkdir(parents=True, exist_ok=True)
        stamp = time.strftime("%Y%m%dT%H%M%S", time.gmtime())
        self.path = folder / f"{stamp}-{time.time_ns() % 1_000_000_000:09d}.jsonl"
        self._file: IO[str] = open(self.path, "w", encoding="utf-8")  # noqa: SIM115
        self._up_to_date: Counter[str] = Counter()
        self._write(
            {
                "command": command,
                "started": stamp,
                "host": platform.node(),
                "python": platform.python_version(),
                "versions": software_versions(),
            }
        )
        self._file.flush()

    def add(self, record: Record) -> None:
        """Append one record; what was done is in the file at once, should the command be killed."""
        if record.reason is UP_TO_DATE:
            self._up_to_date[record.unit.work] += 1
            return
        self._write(record.as_dict())
        if record.status != "notneeded":
            self._file.flush()

    def close(self) -> None:
        """Write the counts and close the file."""
        for work, units in self._up_to_date.items():
            self._write({"work": work, "status": "notneeded", "up_to_date": units})
        self._file.close()

    def _write(self, content: dict[str, Any]) -> None:
        self._file.write(json_line(content) + "\n")


@dataclass(frozen=True, slots=True)
class Timing:
    """What the latest execution of a unit took."""

    seconds: float
    peak_memory_mb: float


def read_timings(root: Path) -> dict[UnitId, Timing]:
    """Return what each unit's latest execution took."""
    timings: dict[UnitId, Timing] = {}
    folder = root / LOG
    for path in sorted(folder.glob("*.jsonl")) if folder.is_dir() else []:
        for line in path.read_text("utf-8").splitlines():
            content = json.loads(line)
            if content.get("status") in ("ok", "impossible", "error") and content.get("seconds"):
                measured = Timing(content["seconds"], content["peak_memory_mb"])
                timings[UnitId.of(content)] = measured
    return timings
