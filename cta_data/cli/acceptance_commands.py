"""The command `accept`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from cta_data.cli.days import day_of
from cta_data.cli.options import CohortOption, JsonOption, ReplayOption, StudyOption, SubjectOption
from cta_data.engine import Selection
from cta_data.engine.records import EXIT_NOTHING, EXIT_OK
from cta_data.errors import ConfigurationError
from cta_data.study.study import Study, open_study
from cta_data.terminal.output import console, error_console, print_json
from cta_data.versioning.datasets import git_identity

if TYPE_CHECKING:
    from cta_data.review.acceptance import HeldBack


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("accept")(accept)


def accept(
    cohorts: Annotated[
        list[str] | None, typer.Argument(metavar="[COHORT]...", help="Cohorts; all without it.")
    ] = None,
    reason: Annotated[str, typer.Option(help="Why; without it, only list what waits.")] = "",
    author: Annotated[
        str, typer.Option(help="Who decides; without it, the author that git knows.")
    ] = "",
    reject: Annotated[
        bool, typer.Option("--reject", help="Hold back, also what passed its checks.")
    ] = False,
    step: Annotated[
        str, typer.Option(help="register or transfer; without it, where the session waits.")
    ] = "",
    on: Annotated[str, typer.Option("--date", help="Day, YYYY-MM-DD; today without it.")] = "",
    cohort: CohortOption = None,
    subject: SubjectOption = None,
    as_json: JsonOption = False,
    study: StudyOption = None,
    replay: ReplayOption = False,
) -> int:
    """List registrations and transfers that are held back, or decide about some."""
    from cta_data.review.acceptance import JUDGED, ReviewDecision, decide_about, held_back

    if step and step not in JUDGED:
        raise ConfigurationError(
            f"nobody decides about a step {step!r}", next_step=f"Name one of {' and '.join(JUDGED)}"
        )
    opened = open_study(study)
    names = list(dict.fromkeys([*(cohorts or []), *(cohort or [])]))
    labels = [label.removeprefix("sub-") for label in subject or []]
    selection = Selection(tuple(names), tuple(labels))
    if not (reason or author or reject or on):
        return _listed(held_back(opened, selection), as_json=as_json)
    if not labels:
        raise ConfigurationError(
            "a decision is about subjects that somebody looked at",
            next_step="Name each with --subject; `cta-data pictures` shows them",
        )
    verdict = ReviewDecision(
        "rejected" if reject else "accepted", author or _git_user(opened), reason, day_of(on)
    )
    command = ["cta-data", "accept", *names]
    for label in labels:
        command += ["--subject", label]
    command += ["--step", step] if step else []
    command += ["--reject"] if reject else []
    command += ["--author", verdict.author, "--date", verdict.decided_on, "--reason", reason]
    done = decide_about(opened, selection, verdict, command, step=step, commit=not replay)
    return _listed(done, as_json=as_json)


def _listed(found: list[HeldBack], *, as_json: bool) -> int:
    if as_json:
        print_json([one.as_dict() for one in found])
    if not found:
        told = "nothing of this is held back: `cta-data status` tells where subjects stand"
        error_console().print(told, soft_wrap=True)
        return EXIT_NOTHING
    if as_json:
        return EXIT_OK
    out = console()
    for one in found:
        out.print(f"{one.name}: {one.finding}", soft_wrap=True)
        if one.decision:
            out.print(f"  {one.decision}", soft_wrap=True)
    waiting = sum(not one.decision for one in found)
    out.print(f"{len(found)} results: {waiting} held back, {len(found) - waiting} decided")
    return EXIT_OK


def _git_user(study: Study) -> str:
    return git_identity(study.root).partition(" <")[0]
