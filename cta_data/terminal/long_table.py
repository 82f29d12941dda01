"""Tables of many rows: laid out in one pass, where rich measures and renders every cell."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence

import typer
from rich.text import Text

from cta_data.terminal.output import console

LEAST_WIDTH = 20
"""Characters of the last column below which its texts are not broken into lines."""
GAP = "  "


def print_long_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a title, a header and a line a row; long texts of the last column go on below it."""
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
