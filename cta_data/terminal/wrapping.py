"""Texts in lines of a terminal: words stay whole, and what belongs below is indented."""

from __future__ import annotations

import textwrap

LEAST_WIDTH = 12
"""Characters that a line has beside its indent, on however narrow a terminal."""
_KEPT = "\x00"


def wrapped(text: str, width: int, *, indent: str = "", below: str | None = None) -> list[str]:
    """Return the lines of a text in so many characters.

    A word that is longer than a line, such as a path, stays whole, so that it can be copied.

    Parameters
    ----------
    indent, below
        What stands before the first line, and before each of the others (`indent` without it).
    """
    below = indent if below is None else below
    lines: list[str] = []
    for part in text.split("\n"):
        before = below if lines else indent
        room = max(width, len(below) + LEAST_WIDTH)
        lines += textwrap.wrap(
            part,
            room,
            initial_indent=before,
            subsequent_indent=below,
            break_long_words=False,
            break_on_hyphens=False,
        ) or [before.rstrip()]
    return lines


def listed(entries: list[str], width: int, *, indent: str = "") -> list[str]:
    """Return the lines of a list with commas; none of its entries is broken."""
    joined = ", ".join(entry.replace(" ", _KEPT) for entry in entries)
    return [line.replace(_KEPT, " ") for line in wrapped(joined, width, indent=indent)]
