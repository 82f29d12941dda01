"""Sessions in `cta-data status`: counts of each cohort, and why sessions stopped."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import chain

from rich.text import Text

from cta_data.engine.records import NOT_DONE
from cta_data.engine.sessions import STEP_NAMES
from cta_data.pipeline.status import SessionStatus
from cta_data.reasons import counted
from cta_data.terminal.wrapping import listed, wrapped

GAP = "  "
MOST_NAMED = 6
"""Sessions with one reason that are named; `status --all` names all."""
MOST_REASONS = 8
"""Reasons of one state that are given; `status --all` gives all."""
MOST_ALIKE = 3
"""Reasons of one code that are each given; where there are more, one stands for all."""
LEAST_PARTITIONS = 14
"""Columns that partitions need beside the counts; where there are fewer, they stand below."""
SHORT = {"ok": "ok", "notneeded": "none", "impossible": "STOP", "error": "FAILED", "-": "-"}

FAILED = "Failed, tried again by the next run"
ON_HOLD = "On hold, need review (cta-data pictures, cta-data accept)"
STOPPED = "Stopped, the data cannot be used as it is"
NOT_YET = "Not done yet"
EXCLUDED = "Excluded"
STATES = (FAILED, ON_HOLD, STOPPED, NOT_YET, EXCLUDED)

PARTITIONS = ("train", "test", "external", "excluded", "not partitioned")


def state_of(row: SessionStatus) -> str:
    """Return which of `STATES` a session is in; empty where it is done and in use."""
    stop = row.steps.get(row.first_without_result, "ok")
    if stop == "error":
        return FAILED
    if stop == "-" or (stop == "impossible" and row.reason_code == NOT_DONE):
        return NOT_YET
    if stop == "impossible":
        return ON_HOLD if row.reason_code == "on_hold" else STOPPED
    return EXCLUDED if row.reason or row.partition == "excluded" else ""


def cohort_lines(rows: Sequence[SessionStatus], width: int) -> Iterator[str | Text]:
    """Yield a line for each cohort: how many of its sessions finished each step."""
    names = ("cohort", "sessions", *STEP_NAMES)
    of_cohort: dict[str, list[SessionStatus]] = {}
    for row in rows:
        of_cohort.setdefault(row.session.cohort, []).append(row)
    cells = [_counts(cohort, own) for cohort, own in of_cohort.items()]
    widths = [max(map(len, column)) for column in zip(names, *cells, strict=True)]
    yield Text(_aligned(names, widths) + GAP + "partition", style="bold")
    for line, own in zip(cells, of_cohort.values(), strict=True):
        partitions = Counter(row.partition or "not partitioned" for row in own)
        told = [f"{partitions[name]} {name}" for name in PARTITIONS if partitions[name]]
        yield from _beside(_aligned(line, widths), told, width)


def _counts(cohort: str, rows: Sequence[SessionStatus]) -> list[str]:
    done = [sum(row.steps[step] == "ok" for row in rows) for step in STEP_NAMES]
    n = len(rows)
    return [cohort, str(n), *(str(n) if number == n else f"{number}/{n}" for number in done)]


def _aligned(cells: Sequence[str], widths: Sequence[int]) -> str:
    first = f"{cells[0]:<{widths[0]}}"
    return GAP.join([first, *(f"{c:>{w}}" for c, w in zip(cells[1:], widths[1:], strict=True))])


def _beside(start: str, entries: list[str], width: int) -> Iterator[str]:
    """Yield a list beside the start of its line, or below where there is no room."""
    left = len(start) + len(GAP)
    room = width - left
    if room < LEAST_PARTITIONS:
        yield start
        yield from listed(entries, width, indent=GAP * 2)
        return
    lines = listed(entries, room)
    yield start + GAP + lines[0]
    yield from (" " * left + line for line in lines[1:])


def reason_lines(
    rows: Sequence[SessionStatus], width: int, *, everything: bool
) -> Iterator[str | Text]:
    """Yield the sessions that are not done or not in use: by state, then by reason.

    In short, sessions whose reasons differ in what was measured alone may stand together.
    """
    by_state: dict[str, list[SessionStatus]] = {}
    for row in rows:
        by_state.setdefault(state_of(row), []).append(row)
    shortened = False
    for state in STATES:
        own = by_state.get(state, [])
        if not own:
            continue
        # What holds for many stands first.
        groups = sorted(_grouped(own, everything=everything), key=len, reverse=True)
        shown = groups if everything else groups[:MOST_REASONS]
        yield ""
        yield Text(f"{state}: {counted(len(own), 'session')}", style="bold")
        for group in shown:
            yield from _group_lines(group, width, everything=everything)
        rest = sum(map(len, groups[len(shown) :]))
        if rest:
            yield f"{GAP}… and {counted(rest, 'session')} with other reasons"
        alike = all(len({row.reason for row in group}) == 1 for group in shown)
        named = everything or all(len(group) <= MOST_NAMED for group in shown)
        shortened |= bool(rest) or not (alike and named)
    if shortened:
        yield ""
        yield "All sessions and reasons: `cta-data status --all`"


def _grouped(rows: Sequence[SessionStatus], *, everything: bool) -> list[list[SessionStatus]]:
    """Return sessions with the same reason; in short, those of one code that has many reasons."""
    of_code: dict[tuple[str, str | None], dict[str, list[SessionStatus]]] = {}
    for row in rows:
        alike = of_code.setdefault((row.first_without_result, row.reason_code), {})
        alike.setdefault(row.reason or "", []).append(row)
    groups: list[list[SessionStatus]] = []
    for (_, code), alike in of_code.items():
        together = code and not everything and len(alike) > MOST_ALIKE
        groups += [list(chain(*alike.values()))] if together else alike.values()
    return groups


def _group_lines(group: Sequence[SessionStatus], width: int, *, everything: bool) -> Iterator[str]:
    names = [str(row.session) for row in group]
    some = names if everything else names[:MOST_NAMED]
    more = [f"and {len(names) - len(some)} more"] if len(names) > len(some) else []
    yield from listed([*some, *more], width, indent=GAP)
    reasons = list(dict.fromkeys(row.reason or "" for row in group))
    yield from wrapped(reasons[0], width, indent=GAP * 3) if reasons[0] else ()
    if len(reasons) > 1:
        yield f"{GAP * 3}(as measured of the first; the others differ)"


def session_lines(rows: Sequence[SessionStatus]) -> Iterator[str | Text]:
    """Yield a line for each session under the name of its cohort: how each step ended.

    Where the seconds of a step were measured, they stand in place of `ok`.
    """
    names = ("session", *STEP_NAMES, "quality", "partition")
    lines = [
        (
            f"sub-{row.session.subject} ses-{row.session.session or '?'}",
            *(_stage(row, step) for step in STEP_NAMES),
            row.quality or "",
            row.partition or "",
        )
        for row in rows
    ]
    widths = [max(map(len, column)) for column in zip(names, *lines, strict=True)]
    cohort = ""
    for row, cells in zip(rows, lines, strict=True):
        if row.session.cohort != cohort:
            cohort = row.session.cohort
            yield ""
            yield Text(cohort, style="bold")
            yield _left(names, widths)
        yield _left(cells, widths)


def _left(cells: Sequence[str], widths: Sequence[int]) -> str:
    aligned = (f"{cell:<{width}}" for cell, width in zip(cells, widths, strict=True))
    return GAP.join(aligned).rstrip()


def _stage(row: SessionStatus, step: str) -> str:
    timing = row.timing.get(step) if row.timing else None
    stage = SHORT[row.steps[step]]
    if not timing:
        return stage
    seconds = f"{timing.seconds:.1f} s"
    return seconds if stage == "ok" else f"{stage} {seconds}"
