"""What the commands print: progress, plans, failures, the line of counts, JSON."""

from __future__ import annotations

import json
import math
import os
import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from datetime import time as clock_time
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TextIO
from uuid import UUID

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from cta_data.engine.records import WORDS, earlier_step, summary_line
from cta_data.names import shown
from cta_data.terminal.wrapping import wrapped

if TYPE_CHECKING:
    import pandas as pd

    from cta_data.engine import Decision, Record, Report, UnitId

MOST_FAILURES = 20
LINES_AT_ONCE = 1000
ERROR = "Error: "
_ONE_LINE = 1 << 20


WIDE = 240
"""Columns where the output is not a terminal: a file or a pipe has no width to keep to."""


class PlainConsole(Console):
    """Shows control characters of names and headers as escapes: they would steer the terminal."""

    def render_str(self, text: str, **options: Any) -> Text:
        """Return a text as it is shown; it may have several lines."""
        plain = "\n".join(map(shown, text.split("\n")))
        return super().render_str(plain, **options)

    @property
    def room(self) -> int:
        """Columns that a message is broken to: in a file or a pipe it stays one line."""
        return self.width if self.width != WIDE else _ONE_LINE


def console() -> PlainConsole:
    """Return the console for results; brackets in names and reasons are no markup."""
    return PlainConsole(highlight=False, markup=False, width=_width(sys.stdout))


def error_console() -> PlainConsole:
    """Return the console for messages and progress."""
    return PlainConsole(stderr=True, highlight=False, markup=False, width=_width(sys.stderr))


def _width(stream: TextIO) -> int | None:
    """Return how many columns there are; None for those of the terminal, or of COLUMNS."""
    return None if stream.isatty() or os.environ.get("COLUMNS") else WIDE


def table_of(*columns: str, rows: Iterable[Sequence[str]]) -> Table:
    """Return a table of texts."""
    table = Table(*columns, box=None)
    for row in rows:
        table.add_row(*row)
    return table


def print_lines(lines: Iterable[str | Text | Table], out: Console | None = None) -> None:
    """Print lines, however long, and tables that have a row; to standard output without `out`."""
    out = out or console()
    for line in lines:
        if not isinstance(line, Table) or line.row_count:
            out.print(line, soft_wrap=not isinstance(line, Table))


def print_errors(*lines: str) -> None:
    """Print lines to standard error, in JSON mode as well; words stay whole."""
    for line in lines:
        print_wrapped(line, error_console())


def print_wrapped(text: str, out: PlainConsole | None = None, below: str = " " * 6) -> None:
    """Print a text whose words go on in lines below; to standard output without `out`."""
    out = out or console()
    print_lines(wrapped(text, out.room, below=below), out)


def print_error(message: str) -> None:
    """Print an error: its words go on below each other, and a path stays whole."""
    out = error_console()
    first, *more = wrapped(message, out.room, indent=ERROR, below=" " * len(ERROR))
    start = Text(ERROR, style="bold red")
    print_lines(
        [start.append(shown(first.removeprefix(ERROR)), style="not bold default"), *more], out
    )


def print_report(report: Report, *, as_json: bool, notes: bool = False) -> None:
    """Print failures, the line of counts and, where wanted, notes, or everything as JSON."""
    if as_json:
        records = [record.as_dict() for record in report.records]
        print_json({"counts": report.counts(), "records": records})
        return
    if report.failures:
        _print_failures(report.failures)
    _print_warnings(report.warned)
    out = console()
    out.print(summary_line(report.records))
    for record in report.records if notes else ():
        for note in record.notes:
            print_wrapped(f"{record.unit}: {note}", out)


def _print_failures(failures: list[Record]) -> None:
    causes, waiting = split_failures(failures)
    # A unit of the whole study is what the user asked for: its reason is never cut off.
    shown = [r for r in causes if r.unit.subject][:MOST_FAILURES]
    shown += [r for r in causes if not r.unit.subject]
    errors = error_console()
    if shown:
        errors.print(Text("Not done:", style="bold"))
    for record in shown:
        lines = [f"  {record.unit}: {WORDS[record.status]}"]
        lines += wrapped(str(record.reason), errors.room, indent=" " * 6)
        print_lines(lines, errors)
    if len(causes) > len(shown):
        errors.print(f"… and {len(causes) - len(shown)} more: see `cta-data status`")
    for earlier, steps in waiting.items():
        units = ", ".join(f"{number} {step}" for step, number in steps.items())
        told = f"waiting for {earlier}: {units} (`cta-data status` lists them with the reason)"
        print_wrapped(told, errors)


def _print_warnings(records: list[Record]) -> None:
    """Print what somebody should look at, though it counts."""
    warnings = [f"{record.unit}: {one}" for record in records for one in record.warnings]
    errors = error_console()
    for warning in warnings[:MOST_FAILURES]:
        print_wrapped(f"warning: {warning}", errors)
    if warnings[MOST_FAILURES:]:
        more = f"… and {len(warnings) - MOST_FAILURES} more warnings: see `cta-data status`"
        errors.print(more)


def split_failures(failures: list[Record]) -> tuple[list[Record], dict[str, Counter[str]]]:
    """Return the failures that are causes, and how many units of which steps wait for a step.

    The earlier step told its reasons when it ran, or tells them in the same report.
    """
    causes: list[Record] = []
    waiting: dict[str, Counter[str]] = {}
    for record in failures:
        earlier = earlier_step(record.reason)
        if record.unit.subject and earlier:
            waiting.setdefault(earlier, Counter())[record.unit.step] += 1
        else:
            causes.append(record)
    return causes, waiting


def plan_entry(decision: Decision) -> dict[str, str]:
    """Return what JSON says of a decision."""
    unit = str(decision.unit.id)
    code = decision.reason.finding.code
    return {
        "unit": unit,
        "action": decision.action,
        "reason": str(decision.reason),
        "reason_code": code,
    }


def print_plan(decisions: Iterable[Decision], *, as_json: bool) -> list[UnitId]:
    """Print what would be done, and return the units that it is about.

    Only they and the lines are kept of what may be many thousand decisions.
    """
    units: list[UnitId] = []
    counts: Counter[str] = Counter()
    entries: list[dict[str, str]] = []
    lines: list[str] = []
    for decision in decisions:
        unit, action, reason = decision.unit.id, decision.action, decision.reason
        units.append(unit)
        counts[action] += 1
        if as_json:
            entries.append(plan_entry(decision))
        else:
            lines.append(f"{action:<11}{unit}: {reason}")
    if as_json:
        print_json(entries)
        return units
    named = (("to run", "run"), ("impossible", "impossible"), ("not needed", "notneeded"))
    told = ", ".join(f"{counts[action]} {word}" for word, action in named)
    for start in range(0, len(lines), LINES_AT_ONCE):
        typer.echo("\n".join(lines[start : start + LINES_AT_ONCE]))
    typer.echo(f"{len(units)} units: {told} (nothing was changed)")
    return units


def print_json(content: Any, *, sort_keys: bool = True) -> None:
    """Print JSON for other programs, numbers with all their digits."""
    typer.echo(json.dumps(_plain(content), indent=1, sort_keys=sort_keys))


def records_of(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the rows of a DataFrame as JSON content, in which there is no NaN."""
    plain = frame.astype(object).where(frame.notna(), None)
    return [{str(k): v for k, v in row.items()} for row in plain.to_dict(orient="records")]


def _plain(value: Any) -> Any:
    """Return a value as JSON has it: what is not known is null, bytes are digits."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(name): _plain(entry) for name, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    if hasattr(value, "tolist"):
        return _plain(value.tolist())
    return _plain_of_tables(value)


def _plain_of_tables(value: Any) -> Any:
    """Return a value of a type that only results of SQL and DataFrames have."""
    if isinstance(value, bytes | bytearray):
        return value.hex()
    if isinstance(value, Decimal):
        return _plain(float(value))
    if isinstance(value, date | clock_time):
        return value.isoformat() if value == value else None  # as NaT of pandas
    if isinstance(value, timedelta | UUID):
        return str(value)
    import pandas as pd

    return None if pd.isna(value) else str(value)
