"""The table that `cta-data status` prints."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import typer
from rich.text import Text

from cta_data.engine.sessions import STEP_NAMES
from cta_data.terminal.output import console

LEAST_WIDTH = 20
"""Characters of the last column below which its texts are not broken into lines."""
GAP = "  "
MOST_NAMED = 10
"""Sessions with one warning that are named; `status --json` names all."""
SHORT = {"ok": "ok", "notneeded": "none", "impossible": "stop", "error": "ERROR", "-": "-"}


def print_status(content: dict[str, Any]) -> None:
    """Print a line a subject-session, then counts, builds and models."""
    columns = ("cohort", "subject", "session", *STEP_NAMES, "quality", "partition", "reason")
    rows = [
        (
            row["cohort"],
            f"sub-{row['subject']}",
            row["session"],
            *(_stage(row, step) for step in STEP_NAMES),
            row["quality"] or "",
            row["partition"] or "",
            row["reason"] or "",
        )
        for row in content["sessions"]
    ]
    _print_long_table(content["study"], columns, rows)
    out = console()
    partitions = Counter(row["partition"] or "not yet partitioned" for row in content["sessions"])
    told = ", ".join(f"{n} {name}" for name, n in sorted(partitions.items()))
    out.print(f"{len(content['sessions'])} subject-sessions: {told or 'none'}")
    for warning in _warnings(content["sessions"]):
        out.print(f"warning: {warning}", soft_wrap=True)
    for cohort, why in content["not_available"].items():
        out.print(f"{cohort}: not available here: {why}", soft_wrap=True)
    for build in content["builds"]:
        reason = f": {build['reason']}" if build["reason"] else ""
        out.print(f"build {build['build']}: {build['status']}{reason}", soft_wrap=True)
        for warning in build["warnings"]:
            out.print(f"  {warning}", soft_wrap=True)
    for model in sorted({one["model"] for one in content["models"]}):
        own = [one for one in content["models"] if one["model"] == model]
        counts = Counter(f"{one['work'].split()[0]} {one['status']}" for one in own)
        told = ", ".join(f"{n} {name}" for name, n in sorted(counts.items()))
        out.print(f"model {model}: {told}")
        for one in own:
            if one["reason"]:
                out.print(f"  {one['work']}: {one['reason']}", soft_wrap=True)


def _warnings(sessions: Iterable[dict[str, Any]]) -> Iterator[str]:
    """Yield a line a warning; what is said of many sessions is said once."""
    of: dict[str, list[str]] = {}
    for row in sessions:
        for warning in row["warnings"]:
            name = f"{row['cohort']} sub-{row['subject']} ses-{row['session']}"
            of.setdefault(warning, []).append(name)
    for warning, names in of.items():
        if len(names) <= MOST_NAMED:
            yield from (f"{name}: {warning}" for name in names)
        else:
            yield f"{len(names)} subject-sessions, such as {names[0]}: {warning}"


def _stage(row: dict[str, Any], step: str) -> str:
    stage = SHORT[row["steps"][step]]
    timing = row.get("timing", {}).get(step)
    return f"{stage} {timing['seconds']:.1f} s" if timing else stage


def _print_long_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a title, a header and a line a row; long texts of the last column go on below it.

    It is laid out in one pass, where rich measures and renders every cell.
    """
    entries = list(rows)
    widths = [max(map(len, texts)) for texts in zip(columns, *entries, strict=True)]
    before = sum(width + len(GAP) for width in widths[:-1]) + 1
    out = console()
    room = max(out.width - before, 0)
    form = " " + GAP.join(f"{{:<{width}}}" for width in widths[:-1]) + GAP
    out.print(Text(title, style="italic"))
    out.print(Text((form.format(*columns[:-1]) + columns[-1]).rstrip(), style="bold"))
    lines: list[str] = []
    for *texts, last in entries:
        first, *more = _broken(last, room)
        lines.append((form.format(*texts) + first).rstrip())
        lines += [" " * before + line for line in more]
    if lines:
        typer.echo("\n".join(lines))


def _broken(text: str, room: int) -> list[str]:
    if len(text) <= room or room < LEAST_WIDTH:
        return [text]
    return textwrap.wrap(text, room)
