"""The command `accept`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer
from typer import Option

from cta_data.cli.bundles import Takes
from cta_data.cli.next_line import tell_next
from cta_data.cli.options import DateOption, Execution, JsonOutput, StudySelection, day_of
from cta_data.cli.runner import recorded
from cta_data.engine.records import EXIT_NOTHING, EXIT_OK
from cta_data.errors import ConfigurationError
from cta_data.terminal.output import print_errors

if TYPE_CHECKING:
    from cta_data.review.acceptance import HeldBack


def accept(
    context: typer.Context,
    selection: StudySelection,
    output: JsonOutput,
    execution: Annotated[Execution, Takes("replay")],
    step: Annotated[
        str,
        Option(
            help="register, transfer or register-sessions; without it, where the session waits."
        ),
    ] = "",
    reject: Annotated[
        bool, Option("--reject", help="Hold back, also what passed its checks.")
    ] = False,
    author: Annotated[str, Option(help="Who decides; without it, the author that git knows.")] = "",
    on: DateOption = "",
    reason: Annotated[str, Option(help="Why; without it, only list what waits.")] = "",
) -> int:
    """List what is on hold, or accept or reject it."""
    from cta_data.review.acceptance import JUDGED, ReviewDecision, decide_about, held_back
    from cta_data.terminal.next_commands import after_accept
    from cta_data.versioning.datasets import git_identity

    if step and step not in JUDGED:
        raise ConfigurationError("step_without_review", step=step, judged=tuple(JUDGED))
    study, selected = selection.open(), selection.selected()
    if not (reason or author or reject or on):
        code = _listed(held_back(study, selected), output)
        tell_next(study, selection, output, after_accept)
        return code
    if not selected.subjects:
        raise ConfigurationError("decision_subjects_missing")
    author = author or git_identity(study.root).partition(" <")[0]
    verdict = ReviewDecision("rejected" if reject else "accepted", author, reason, day_of(on))
    command = recorded(context, author=author, on=verdict.decided_on)
    commit = not execution.replay
    done = decide_about(study, selected, verdict, command, step=step, commit=commit)
    code = _listed(done, output)
    tell_next(study, selection, output, after_accept)
    return code


def _listed(found: list[HeldBack], output: JsonOutput) -> int:
    output.show(lambda: [one.as_dict() for one in found], _lines(found))
    if found:
        return EXIT_OK
    print_errors("none of this is on hold: `cta-data status` lists the sessions and their state")
    return EXIT_NOTHING


def _lines(found: list[HeldBack]) -> Iterator[str]:
    for one in found:
        yield f"{one.name}: {one.finding}"
        if one.decision:
            yield f"  {one.decision}"
    waiting = sum(not one.decision for one in found)
    if found:
        yield f"{len(found)} results: {waiting} on hold, {len(found) - waiting} decided"
