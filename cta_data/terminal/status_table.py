"""The table that `cta-data status` prints."""

from __future__ import annotations

from collections import Counter
from typing import Any

from cta_data.engine.sessions import STEP_NAMES
from cta_data.terminal.long_table import print_long_table
from cta_data.terminal.output import console

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
    print_long_table(content["study"], columns, rows)
    out = console()
    partitions = Counter(row["partition"] or "not yet partitioned" for row in content["sessions"])
    told = ", ".join(f"{n} {name}" for name, n in sorted(partitions.items()))
    out.print(f"{len(content['sessions'])} subject-sessions: {told or 'none'}")
    for row in content["sessions"]:
        for warning in row["warnings"]:
            session = f"{row['cohort']} sub-{row['subject']} ses-{row['session']}"
            out.print(f"warning: {session}: {warning}", soft_wrap=True)
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


def _stage(row: dict[str, Any], step: str) -> str:
    stage = SHORT[row["steps"][step]]
    timing = row.get("timing", {}).get(step)
    return f"{stage} {timing['seconds']:.1f} s" if timing else stage
