"""What `cta-data status` prints."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

import typer
from rich.text import Text

from cta_data.engine.running import Running
from cta_data.names import shown
from cta_data.pipeline.status import BuildStatus, SessionStatus, StudyStatus, WorkStatus
from cta_data.reasons import counted
from cta_data.terminal.output import console
from cta_data.terminal.running_lines import running_entries
from cta_data.terminal.status_sessions import (
    cohort_lines,
    reason_lines,
    session_lines,
)
from cta_data.terminal.wrapping import wrapped

MOST_NAMED = 6
"""Sessions with one warning that are named; `status --all` names all."""


def print_status(status: StudyStatus, work: list[Running], *, everything: bool = False) -> None:
    """Print where a study stands.

    Parameters
    ----------
    work
        What runs on the study at the moment.
    everything
        Whether every session has a line, and nothing is shortened.
    """
    out = console()
    running = _section("Running", running_entries(work), out.width)
    plain: list[str] = []
    # Many lines at once: rich looks at each of them.
    for line in [*status_lines(status, out.width, everything=everything), *running]:
        if isinstance(line, str):
            plain.append(line)
            continue
        _flush(plain)
        out.print(line, soft_wrap=True)
    _flush(plain)


def _flush(lines: list[str]) -> None:
    if lines:
        typer.echo("\n".join(map(shown, lines)))
        lines.clear()


def status_lines(
    status: StudyStatus, width: int, *, everything: bool = False
) -> Iterator[str | Text]:
    """Yield cohorts, sessions that stopped and why, warnings, training sets and models.

    Parameters
    ----------
    width
        Characters of a line.
    """
    rows = status.sessions
    subjects = len({row.session.patient for row in rows})
    counts = f"{counted(len(rows), 'session')} of {counted(subjects, 'subject')}"
    yield Text(f"Study {status.study}: {counts}", "bold")
    if rows:
        yield ""
        yield from cohort_lines(rows, width)
        if everything:
            yield from session_lines(rows)
        yield from reason_lines(rows, width, everything=everything)
    notes = [*_warnings(rows, everything=everything), *_not_here(status.not_available)]
    notes += status.withdrawals
    yield from _section("Warnings", notes, width)
    yield from _section("Training sets", _builds(status.builds), width)
    yield from _section("Models", _models(status.models), width)


def _section(title: str, entries: Iterable[str], width: int) -> Iterator[str | Text]:
    texts = list(entries)
    if texts:
        yield ""
        yield Text(title, style="bold")
    for text in texts:
        yield from wrapped(text, width, indent="  ", below="      ")


def _not_here(cohorts: Mapping[str, str]) -> Iterator[str]:
    yield from (f"{cohort} is not available here: {why}" for cohort, why in cohorts.items())


def _builds(builds: Sequence[BuildStatus]) -> Iterator[str]:
    """Yield those that are as they should be in one line, and a line for each other."""
    done = [build.build for build in builds if build.status == "ok"]
    if done:
        yield f"{', '.join(done)}  ok"
    for build in builds:
        reason = f": {build.reason}" if build.reason else ""
        if build.status != "ok":
            yield f"{build.build}  {build.status}{reason}"
        yield from (f"{build.build}  warning: {warning}" for warning in build.warnings)


def _models(units: Sequence[WorkStatus]) -> Iterator[str]:
    """Yield a line for each model, and one for each fold or prediction that has no result."""
    of_model: dict[str, list[WorkStatus]] = {}
    for unit in units:
        of_model.setdefault(unit.model, []).append(unit)
    for model, own in sorted(of_model.items()):
        done = Counter(unit.work.split()[0] for unit in own if unit.status == "ok")
        told = [
            f"{counted(done['train'], 'fold')} trained",
            "cross-validated" if done["crossvalidate"] else "",
            f"{counted(done['predict'], 'test set')} predicted" if done["predict"] else "",
        ]
        yield f"{model}  {', '.join(filter(None, told))}"
        for unit in own:
            if unit.status not in ("ok", "notneeded"):
                yield f"{model}  {unit.work}: {unit.reason or unit.status}"


def _warnings(sessions: Iterable[SessionStatus], *, everything: bool) -> Iterator[str]:
    """Yield a line a warning; what is said of many sessions is said once."""
    of: dict[str, list[str]] = {}
    for row in sessions:
        for warning in row.warnings:
            of.setdefault(warning, []).append(str(row.session))
    for warning, names in of.items():
        if everything or len(names) <= MOST_NAMED:
            yield from (f"{name}: {warning}" for name in names)
        else:
            yield f"{counted(len(names), 'session')}, such as {names[0]}: {warning}"
