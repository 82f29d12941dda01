"""Groups of commands in the help, in the order of work."""

from __future__ import annotations

from typing import Any

from typer.core import TyperGroup

GROUPS: dict[str, tuple[str, ...]] = {
    "Make a study": ("init", "demo", "add", "status", "doctor"),
    "Process": ("convert", "register", "transfer", "strip", "measure", "build"),
    "Train and evaluate": ("train", "calibrate", "predict", "evaluate", "experiment", "model"),
    "Review, describe and share": (
        *("pictures", "review", "accept", "correct", "edit", "agreement", "consensus"),
        *("follow-up", "audit", "report", "query", "trace", "distribution", "export", "withdraw"),
    ),
    "Tools without a study": (
        *("score", "compare", "froc", "samplesize", "rasterize", "transfer-mask"),
    ),
}
"""Titles, and the commands under each."""
OTHERS = "Commands"
"""Title above commands that are in no group."""
_WHOLE = 1000
"""Characters of a help sentence: it goes on in the next line, and is not cut off."""


class GroupedCommands(TyperGroup):
    """Lists its commands in groups."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write a section for each group."""
        grouped = {name for names in GROUPS.values() for name in names}
        others = tuple(name for name in self.list_commands(ctx) if name not in grouped)
        longest = max(map(len, self.list_commands(ctx)))
        for title, names in (GROUPS | {OTHERS: others}).items():
            rows = [
                # Columns of all groups lie below each other.
                (f"{name:<{longest}}", self.commands[name].get_short_help_str(_WHOLE))
                for name in names
                if name in self.commands
            ]
            if rows:
                with formatter.section(title):
                    formatter.write_dl(rows)
