"""A table of plain values as text: what SQL gives, without loading pandas for it."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

from cta_data.names import shown

UNKNOWN = "NaN"
"""Shown where there is no value."""
_DIGITS = 6
_LONGEST = 14
"""Characters of the longest number that is written out in full."""


def table_text(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """Return a table for people: columns set flush right, numbers of a column with equal digits."""
    if not rows:
        return "no rows"
    laid_out = []
    for place, name in enumerate(columns):
        cells = _cells(shown(name), [row[place] for row in rows])
        width = max(map(len, cells))
        laid_out.append([cell.rjust(width) for cell in cells])
    return "\n".join(" ".join(line) for line in zip(*laid_out, strict=True))


def csv_lines(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """Return comma-separated values, numbers with all their digits and nothing for no value."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    return text.getvalue()


def _cells(name: str, values: Sequence[Any]) -> list[str]:
    """Return the head and the cells of a column; numbers keep some distance from what is left."""
    known = [value for value in values if value is not None]
    if known and all(isinstance(value, float) for value in known):
        write = _writer(known)
        is_known = [value is not None and not math.isnan(value) for value in values]
        texts = [write(v) if k else UNKNOWN for v, k in zip(values, is_known, strict=True)]
        return [f" {name}", *texts]
    indent = " " if known and all(isinstance(value, int | Decimal) for value in known) else ""
    return [indent + text for text in (name, *map(_text, values))]


def _text(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(_text, value))}]"
    return UNKNOWN if value is None else shown(str(value))


def _writer(numbers: Sequence[float]) -> Callable[[float], str]:
    """Return what writes the numbers of a column with as many digits as they need, at most six."""
    finite = [abs(number) for number in numbers if abs(number) < float("inf")]
    plain = [f"{number:.{_DIGITS}f}" for number in finite]
    tiny = any(0 < number < 10**-_DIGITS for number in finite)
    long = max(map(len, plain), default=0) > _LONGEST
    if tiny or long:
        return f"{{:.{_DIGITS}e}}".format
    needed = max((len(text.rstrip("0").partition(".")[2]) for text in plain), default=0)
    return f"{{:.{max(needed, 1)}f}}".format
