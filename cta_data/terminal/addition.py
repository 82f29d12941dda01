"""What `add` prints: where data is to be had, and what came of a source."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich.table import Table

from cta_data.cohorts.card import Card
from cta_data.engine.records import WORDS
from cta_data.intake import AdditionPlan, SubjectPlan
from cta_data.intake.add import Preview
from cta_data.intake.addition import IMAGE_ENDINGS
from cta_data.intake.plan_model import NOT_NEEDED, REFUSE
from cta_data.pipeline.addition import MOST_NAMED, Added
from cta_data.study.sourcedata import ACCEPTED
from cta_data.terminal.output import table_of

MOST_ROWS = 60
MOST_FILES = 4
ACCESS = {
    "public": "public: anyone may download it",
    "registered": "registered: an account and an agreement are needed",
    "restricted": "restricted: the owner decides who gets it",
}
_WORDS = {NOT_NEEDED: WORDS["notneeded"]}
"""What people read for an action, where it is not its own name."""


def access_lines(card: Card, own_card: Path | None = None) -> Iterator[str]:
    """Yield what a user needs before the data of a cohort is there."""
    cohort = card.cohort
    rows = (
        ("data", cohort.title),
        ("access", ACCESS[cohort.access]),
        ("agreement", cohort.agreement),
        ("licence", cohort.licence),
        ("where", cohort.url),
        ("form", cohort.form),
        ("doi", f"https://doi.org/{cohort.doi}" if cohort.doi else ""),
        ("cite", cohort.citation),
    )
    yield from (f"{name + ':':<11}{text}" for name, text in rows if text)
    yield f"\n{cohort.how_to_get.strip()}\n"
    option = f" --card {own_card}" if own_card else ""
    yield "Then:"
    for what, end in (
        (f"cta-data add {cohort.name} FOLDER{option} --dry-run", "what is in there"),
        (f"cta-data add {cohort.name} FOLDER{option}", "take it in"),
        (f"cta-data convert {cohort.name}", "into BIDS"),
    ):
        yield f"    {what:<48} # {end}"


def addition_content(done: Added) -> dict[str, Any]:
    """Return what `add --json` prints."""
    plan, written = done.plan, done.files_written
    return {
        "dry_run": written is None,
        "counts": dict(plan.counts),
        "series": [vars(row) for row in done.rows],
        "subjects": [
            {
                "subject": s.subject,
                "status": s.status,
                "reason": str(s.reason or ""),
                "reason_code": s.reason.finding.code if s.reason else "",
            }
            for s in plan.subjects
        ],
        "set_aside": Counter(str(entry.reason) for entry in plan.set_aside),
        "problems": [vars(problem) for problem in plan.problems],
        "cohort_files": {one.name: action for one, action in plan.cohort_files},
        "unmatched": plan.unmatched,
        **({} if written is None else {"files_written": written}),
    }


def addition_lines(done: Added) -> Iterator[str | Table]:
    """Yield the counts; of a plan, a line a series before them."""
    dry_run = done.files_written is None
    if dry_run:
        rows = [_cells(row) for row in done.rows[:MOST_ROWS]]
        names = ("subject", "session", "kind", "instances", "action", "becomes")
        yield table_of(*names, rows=rows)
        if len(done.rows) > MOST_ROWS:
            yield f"… and {len(done.rows) - MOST_ROWS} more series (--json lists all)"
    yield from _counts(done.plan, dry_run=dry_run)


def _cells(row: Preview) -> list[str]:
    subject = f"sub-{row.subject}" if row.subject else "no label"
    action = _WORDS.get(row.action, row.action)
    note = row.becomes if row.action != REFUSE else f"{row.reason} ({row.first_file})"
    return [subject, row.session, row.kind, str(row.n_instances), action, note]


def _counts(plan: AdditionPlan, *, dry_run: bool) -> tuple[str, str]:
    counts = plan.counts
    other = counts["not_dicom"] + counts["dicomdir"]
    found = f"{counts['files']} files: {counts['dicom']} DICOM"
    found += f", {counts['recognised']} known by their paths" if counts["recognised"] else ""
    found += f", {counts['ignored']} ignored by the card" if counts["ignored"] else ""
    found += f", {other} other"
    found += f", {counts['archives']} archives" if counts["archives"] else ""
    found += f", {counts['unreadable']} unreadable" if counts["unreadable"] else ""
    aside = f"{counts['set_aside']} skipped, {counts['duplicates']} duplicates"
    kept = "DICOM" if not counts["recognised"] else "known"
    series = ", ".join(
        f"{counts[f'series_{name}']} {_WORDS.get(name, name)}"
        for name in ("new", "merge", NOT_NEEDED, REFUSE)
    )
    people = f"{counts['subjects_accepted']} accepted, {counts['subjects_refused']} refused"
    end = " (nothing was written)" if dry_run else ""
    return (
        f"{found}; of the {kept} {aside}, {counts['damaged']} damaged",
        f"{counts['series']} series: {series}; subjects: {people}{end}",
    )


def trouble_lines(plan: AdditionPlan) -> Iterator[str]:
    """Yield a line for each thing that was not taken in, with the reason."""
    aside: Counter[str] = Counter()
    for entry in plan.set_aside:
        aside[str(entry.reason)] += entry.n_instances
    yield from (f"skipped: {number} × {reason}" for reason, number in sorted(aside.items()))
    if plan.unmatched and plan.counts["recognised"]:
        yield unmatched_note(plan.unmatched)
    for one, action in plan.cohort_files:
        if action == REFUSE:
            told = "a table of that name with other content is there: add it with --replace"
            yield f"refused: {one.name}: {told}"
    yield from (f"not read: {problem.file}: {problem.reason}" for problem in plan.problems)
    whole = {subject.subject for subject in plan.subjects if subject.status == "refused"}
    for row in plan.series:
        # Where the whole subject is refused, one line says so for all of its series.
        if row.action == REFUSE and row.subject not in whole:
            told = f"{row.kind} series of sub-{row.subject}: {row.reason}{_some(row.files)}"
            yield f"refused: {told}"
    for subject in plan.subjects:
        if subject.status == "refused":
            label = f"sub-{subject.subject}" if subject.subject else _number_of(subject)
            yield f"refused: {label}: {subject.reason}{_some(subject.files)}"
        else:
            yield from _known_otherwise(plan, subject)
    if plan.problems or plan.counts["subjects_refused"] or plan.counts["series_refuse"]:
        yield "Fix these and run `add` again; files already imported are not affected."


def _some(files: list[str] | tuple[str, ...]) -> str:
    return f" ({', '.join(files[:MOST_FILES])})" if files else ""


def _number_of(subject: SubjectPlan) -> str:
    """Name a subject without a label by its number: on the screen alone, for who exported it."""
    numbers = ", ".join(filter(None, subject.source_ids))
    return f"the patient {numbers}" if numbers else "a patient without a number"


def unmatched_note(names: list[str]) -> str:
    """Say which files no rule knows: images before others, and one of each folder.

    A case whose folder is spelled in another way would else be lost among files of no interest.
    """
    images = [name for name in names if name.lower().endswith(IMAGE_ENDINGS)]
    of_folder = {name.rpartition("/")[0]: name for name in reversed(images)}
    shown = (list(reversed(of_folder.values())) or names)[:MOST_NAMED]
    n = len(names)
    match = "1 file matches" if n == 1 else f"{n} files match"
    more = f", {len(images)} of them images in {len(of_folder)} folders" if n > 1 and images else ""
    return f"note: {match} no rule of the card{more}, such as {', '.join(shown)}"


def _known_otherwise(plan: AdditionPlan, subject: SubjectPlan) -> list[str]:
    known = {
        row.subject
        for row in plan.inventory.subjects
        if row.source_id in subject.source_ids and row.status == ACCEPTED
    }
    others = sorted(known - {subject.subject, ""})
    if not others:
        return []
    more = f" and {len(others) - MOST_NAMED} more" if len(others) > MOST_NAMED else ""
    named = f"sub-{', sub-'.join(others[:MOST_NAMED])}{more}"
    told = f"note: sub-{subject.subject} has the PatientID of {named}; "
    return [told + "it is kept apart since --id says so"]
