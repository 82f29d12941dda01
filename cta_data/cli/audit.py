"""The command `audit`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from typer import Argument, Option

from cta_data.cli.bundles import Takes
from cta_data.cli.options import (
    ConventionOption,
    DateOption,
    Execution,
    JsonOutput,
    StudyChoice,
    day_of,
)
from cta_data.cli.runner import recorded
from cta_data.engine.records import EXIT_FAILED, EXIT_NOTHING, EXIT_OK
from cta_data.errors import ConfigurationError
from cta_data.terminal.output import print_errors, print_lines, records_of, table_of

if TYPE_CHECKING:
    from rich.table import Table

    from cta_data.review.audit_list import FalsePositives
    from cta_data.review.audit_page import AuditPage
    from cta_data.study.study import Study


@dataclass(frozen=True)
class Verdict:
    """What a reader says of one false lesion."""

    case: Annotated[str, Argument(help="Case of the false lesion; none to list.")] = ""
    lesion: Annotated[int, Argument(help="Number of the false lesion.")] = 0
    model: Annotated[str, Option(help="Its model.")] = ""
    test_set: Annotated[str, Option(help="Its test set.")] = ""
    verdict: Annotated[str, Option(help="metastasis, vessel, aneurysm or other; none to list.")] = (
        ""
    )
    reader: Annotated[str, Option(help="Who looked.")] = ""
    on: DateOption = ""
    note: Annotated[str, Option(help="What the reader adds.")] = ""

    @property
    def is_given(self) -> bool:
        """Whether anything of a verdict was said."""
        return bool(self.case or self.lesion or self.verdict or self.reader or self.on or self.note)


def audit(
    context: typer.Context,
    given: Verdict,
    execution: Annotated[Execution, Takes("replay")],
    output: JsonOutput,
    chosen: StudyChoice,
    convention: ConventionOption = "article",
    everything: Annotated[
        bool, Option("--all", help="List all models and test sets, not C on internal-NAQ first.")
    ] = False,
    truth: Annotated[
        Path | None,
        Option(help="For digital phantoms: the trial's folder `truth`, with the real lesions."),
    ] = None,
    page: Annotated[
        bool, Option("--page/--no-page", help="Draw the page of all that is listed.")
    ] = True,
) -> int:
    """List and draw false positives, or record a reader's verdict.

    Scores are given with the verdicts, too.
    """
    from cta_data.review.audit_list import START, false_positives
    from cta_data.scoring import convention_named

    rules = convention_named(convention)
    study = chosen.open()
    if given.is_given:
        day = day_of(given.on)
        command = recorded(context, on=day)
        replay = execution.replay
        return _judge(study, given, day, rules.name, command, output, commit=not replay)
    asked = {"model": given.model, "test_set": given.test_set}
    listed = false_positives(study, rules, asked, truth, everything=everything)
    if listed.chosen == START and listed.chosen != asked:
        told = "model C on internal-NAQ, as the paper looked; --all lists every model and test set"
        output.note(f"note: {told}")
    if not output.as_json:
        print_lines(_lines(listed))
    made = _draw(study, listed, output) if page and len(listed.rows) else None
    output.show(lambda: _content(listed, made), ())
    if listed.rows.empty:
        output.note("there is no false positive")
        return EXIT_NOTHING
    return EXIT_FAILED if made and made.not_drawn else EXIT_OK


def _judge(
    study: Study,
    given: Verdict,
    day: str,
    convention: str,
    command: tuple[str, ...],
    output: JsonOutput,
    *,
    commit: bool,
) -> int:
    from cta_data.review.audit import FalseLesion, ReaderVerdict, judge

    if not (given.case and given.lesion and given.model and given.test_set and given.verdict):
        raise ConfigurationError("verdict_incomplete")
    about = FalseLesion(given.test_set, given.model, given.case, given.lesion)
    reading = ReaderVerdict(given.verdict, given.reader, day, given.note)
    if not judge(study, about, reading, convention, command, commit=commit):
        output.show(lambda: {"verdict": None}, ())
        output.note(f"there is no false lesion {about.name}: `cta-data audit` lists them")
        return EXIT_NOTHING
    content = {"verdict": {"subject": about.name, **asdict(reading)}}
    output.show(lambda: content, [f"{about.name}: {given.verdict}, by {given.reader}"])
    return EXIT_OK


def _draw(study: Study, listed: FalsePositives, output: JsonOutput) -> AuditPage:
    """Write the page and say where it is."""
    from cta_data.review.audit_page import write_audit_page

    shown = [f"{name.replace('_', ' ')} {value}" for name, value in listed.chosen.items() if value]
    made = write_audit_page(
        study, listed.rows, listed.convention, ", ".join(shown), output.note, listed.truth
    )
    print_errors(*(f"not drawn: {one.name}: {one.failure}" for one in made.not_drawn))
    if not output.as_json:
        drawn = len(made.entries) - len(made.not_drawn)
        place = os.path.relpath(study.root / made.page)
        print_lines([f"Written: {place}: {drawn} of {len(made.entries)} drawn"])
    return made


def _content(listed: FalsePositives, made: AuditPage | None) -> dict[str, object]:
    from cta_data.scoring.audited import BIAS

    content: dict[str, object] = {
        "false_positives": records_of(listed.rows),
        "cases": records_of(listed.cases),
        "bias": BIAS,
    }
    if listed.counts is not None:
        content["truth"] = records_of(listed.counts)
    if made is not None:
        failed = [{"name": one.name, "reason": one.failure} for one in made.not_drawn]
        content |= {"page": made.page, "not_drawn": failed}
    return content


def _lines(listed: FalsePositives) -> Iterator[str | Table]:
    from cta_data.scoring.audited import BIAS

    rows = listed.rows.to_dict("records")
    if not rows:
        return
    names = ("test set", "model", "case", "lesion", "cm³", "at RAS mm", "verdict")
    yield table_of(*names, rows=map(_cells, rows))
    yield f"{len(rows)} false positives, {int(listed.rows['verdict'].isna().sum())} open"
    yield f"With verdicts, {BIAS}:"
    for key, part in listed.cases.groupby(["test_set", "model"]):
        yield (
            f"  {', model '.join(map(str, key))}: {part['metastases'].sum()} judged metastases; "
            f"mean F1 {part['f1'].mean():.4f}, with verdicts {part['f1_audited'].mean():.4f}"
        )
    yield from (f"In truth: {line}" for line in listed.truth)


def _cells(row: dict) -> list[str]:
    judged = isinstance(row["verdict"], str)
    return [
        *(row["test_set"], row["model"], row["case"], str(row["predicted_lesion"])),
        f"{row['volume_mm3'] / 1000:.3f}",
        ", ".join(f"{value:.1f}" for value in row["centroid_ras_mm"]),
        f"{row['verdict']}, by {row['reader']}" if judged else "open",
    ]
