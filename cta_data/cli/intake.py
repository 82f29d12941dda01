"""Commands that take raw files in: add."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from cta_data.cli.access import print_access
from cta_data.cli.options import DryRunOption, JsonOption, StudyOption
from cta_data.destinations import require_folder_place
from cta_data.engine.records import EXIT_FAILED
from cta_data.errors import ConfigurationError
from cta_data.given_paths import require_given_file
from cta_data.study.study import Study, open_study
from cta_data.terminal.output import console, error_console, print_json

if TYPE_CHECKING:
    from cta_data.cohorts import Card
    from cta_data.intake import AdditionPlan, SubjectPlan
    from cta_data.intake.add import Preview

GIBIBYTE = 1 << 30
MOST_ROWS = 60
MOST_NAMED = 3


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    app.command("add")(add)


def add(
    cohort: Annotated[str, typer.Argument(help="Cohort; its card says how files are read.")],
    source: Annotated[
        Path | None, typer.Argument(help="Folder, zip or tar. Without it: where to get the data.")
    ] = None,
    subject_id: Annotated[
        str, typer.Option("--id", help="Label of the one patient in SOURCE, without sub-.")
    ] = "",
    subject_map: Annotated[
        Path | None,
        typer.Option("--subject-map", help="TSV with the columns source_id and subject."),
    ] = None,
    card: Annotated[
        Path | None, typer.Option("--card", help="Card of a cohort of your own (TOML).")
    ] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Let changed objects replace those known before.")
    ] = False,
    limit: Annotated[
        float, typer.Option("--unpacked-limit", min=0.001, help="GiB that archives may unpack to.")
    ] = 200.0,
    dry_run: DryRunOption = False,
    jobs: Annotated[
        int, typer.Option("-j", "--jobs", min=1, help="Processes that read the source's headers.")
    ] = 1,
    as_json: JsonOption = False,
    study: StudyOption = None,
) -> int:
    """Take raw files (folder or archive) into a cohort's sourcedata."""
    from cta_data.intake import AdditionOptions, UnpackLimits
    from cta_data.intake.add import add_source, open_addition, preview
    from cta_data.study.creation import (
        card_to_be,
        ensure_cohort,
        ensure_cohort_of_locked,
        require_cohort_name,
    )

    opened = open_study(study)
    require_cohort_name(opened, cohort)
    for given, what in ((card, "the card"), (subject_map, "the table of labels")):
        if given is not None:
            require_given_file(given, what)
    if source is None:
        print_access(card_to_be(opened, cohort, card), own_card=card)
        return 0
    # Neither the study's own raw files are a source, nor a folder that holds them.
    require_folder_place(opened.root / opened.sourcedata_path(cohort), [source])
    is_new = cohort not in opened.cohorts
    opened, rules = _opened_cohort(opened, cohort, card, dry_run=dry_run)
    try:
        _require_decisions(opened, cohort, rules)
    except ConfigurationError:
        if is_new and not dry_run:
            ensure_cohort(opened, cohort, card)  # with the card that is to be completed
        raise
    options = AdditionOptions(
        subject=subject_id,
        subject_map=subject_map,
        # Who names the subject may split what carries one PatientID, such as "ANONYMOUS".
        separate_labels=bool(subject_id),
        replace=replace,
        limits=UnpackLimits(total_bytes=int(limit * GIBIBYTE)),
        jobs=jobs,
    )
    with open_addition(opened, cohort, rules, source, options, dry_run=dry_run) as plan:
        rows = preview(plan, rules)
        notes = [] if as_json else _notes(plan, rows)
        if is_new and not dry_run:
            opened = ensure_cohort_of_locked(opened, cohort, card)
        done = {} if dry_run else add_source(opened, cohort, plan)
        _print(plan, rows, done, dry_run=dry_run, as_json=as_json)
        for note in notes:
            error_console().print(f"note: {note}", soft_wrap=True)
        _tell_shared(opened, cohort, quiet=dry_run or as_json)
        _tell_clinical(opened, cohort, quiet=dry_run or as_json)
        failed = _number_refused(plan) + done.get("series_failed", 0)
    return EXIT_FAILED if failed else 0


def _opened_cohort(
    study: Study, cohort: str, card: Path | None, *, dry_run: bool
) -> tuple[Study, Card]:
    """Return the study and the cohort's card; a new cohort is made once its source was planned."""
    from cta_data.study.creation import card_to_be, ensure_cohort
    from cta_data.versioning.datasets import require_identity

    if not dry_run and cohort in study.cohorts:
        study = ensure_cohort(study, cohort, card)
        study.require(study.sourcedata_path(cohort))
        return study, study.card(cohort)
    if not dry_run:
        require_identity(study.root)
    return study, card_to_be(study, cohort, card)


def _notes(plan: AdditionPlan, rows: list[Preview]) -> list[str]:
    """Return what is to be told of persons and of series that rules leave out."""
    from cta_data.intake.add import implausible_persons

    persons = sorted(implausible_persons(plan).items())
    left_out = sorted(Counter(row.left_out for row in rows if row.left_out).items())
    return [f"{note} ({number} sessions)" for note, number in persons] + [
        f"{note}: {number} series" for note, number in left_out
    ]


def _number_refused(plan: AdditionPlan) -> int:
    """Return how many subjects, series, files of the cohort and other files were refused."""
    from cta_data.intake.plan_model import REFUSE

    refused = plan.counts["subjects_refused"] + plan.counts["series_refuse"]
    refused += sum(action == REFUSE for _, action in plan.cohort_files)
    return refused + len(plan.problems)


def _tell_shared(study: Study, cohort: str, *, quiet: bool) -> None:
    """Say which patients of a cohort are another subject of the study as well."""
    from cta_data.intake.overlap import shared_patients

    shared = [] if quiet else shared_patients(study)
    mine = [patient for patient in shared if cohort in {c for c, _ in patient.labels}]
    if mine:
        named = "; ".join(str(patient) for patient in mine[:MOST_NAMED])
        number = "1 patient is" if len(mine) == 1 else f"{len(mine)} patients are"
        told = f"note: {number} another subject of the study as well: {named}"
        error_console().print(f"{told}. `build` refuses to train on them", soft_wrap=True)


def _tell_clinical(study: Study, cohort: str, *, quiet: bool) -> None:
    """Say what of the clinical tables could not be used: it stays missing."""
    from cta_data.pipeline.convert.clinical import problems_of

    problems = [] if quiet else problems_of(Study(study.root), cohort)
    for line in problems[:MOST_ROWS]:
        error_console().print(f"note: {line}", soft_wrap=True)


def _require_decisions(study: Study, cohort: str, card: Card) -> None:
    """Refuse a cohort whose card leaves open what nobody but its owner can know.

    Raises
    ------
    ConfigurationError
        With the lines to add, and where.
    """
    from cta_data.pipeline.convert.step import ASK_FOR_CODE, require_lesion_values

    undecided = require_lesion_values(card)
    if undecided:
        raise ConfigurationError(
            undecided,
            where=f"{study.cohort_path(cohort)}/card.toml",
            next_step=ASK_FOR_CODE[0].upper() + ASK_FOR_CODE[1:],
        )


def _print(
    plan: AdditionPlan, rows: list[Preview], done: dict, *, dry_run: bool, as_json: bool
) -> None:
    if as_json:
        print_json(
            {
                "dry_run": dry_run,
                "counts": dict(plan.counts),
                "series": [vars(row) for row in rows],
                "subjects": [
                    {"subject": s.subject, "status": s.status, "reason": s.reason}
                    for s in plan.subjects
                ],
                "set_aside": Counter(entry.reason for entry in plan.set_aside),
                "problems": [vars(problem) for problem in plan.problems],
                "cohort_files": {one.name: action for one, action in plan.cohort_files},
                "unmatched": plan.unmatched,
                **({"files_written": done["files_written"]} if done else {}),
            }
        )
        return
    if dry_run:
        _print_series(rows)
    _print_troubles(plan)
    counts = plan.counts
    other = counts["not_dicom"] + counts["dicomdir"]
    found = f"{counts['files']} files: {counts['dicom']} DICOM"
    found += f", {counts['recognised']} known by their paths" if counts["recognised"] else ""
    found += f", {counts['ignored']} ignored by the card" if counts["ignored"] else ""
    found += f", {other} other"
    found += f", {counts['archives']} archives" if counts["archives"] else ""
    found += f", {counts['unreadable']} unreadable" if counts["unreadable"] else ""
    aside = f"{counts['set_aside']} set aside, {counts['duplicates']} duplicates"
    kept = "DICOM" if not counts["recognised"] else "known"
    console().print(f"{found}; of the {kept} {aside}, {counts['damaged']} damaged")
    series = ", ".join(
        f"{counts[f'series_{name}']} {name}" for name in ("new", "merge", "notneeded", "refuse")
    )
    people = f"{counts['subjects_accepted']} accepted, {counts['subjects_refused']} refused"
    end = " (nothing was written)" if dry_run else ""
    console().print(f"{counts['series']} series: {series}; subjects: {people}{end}")


def _print_series(rows: list[Preview]) -> None:
    table = Table("subject", "session", "kind", "instances", "action", "becomes", box=None)
    for row in rows[:MOST_ROWS]:
        subject = f"sub-{row.subject}" if row.subject else "no label"
        note = row.becomes if row.action != "refuse" else f"{row.reason} ({row.first_file})"
        table.add_row(subject, row.session, row.kind, str(row.n_instances), row.action, note)
    console().print(table)
    if len(rows) > MOST_ROWS:
        console().print(f"… and {len(rows) - MOST_ROWS} more series (--json lists all)")


def _print_troubles(plan: AdditionPlan) -> None:
    from cta_data.intake.plan_model import REFUSE

    errors = error_console()
    aside: Counter[str] = Counter()
    for entry in plan.set_aside:
        aside[entry.reason] += entry.n_instances
    for reason, number in sorted(aside.items()):
        errors.print(f"set aside: {number} × {reason}", soft_wrap=True)
    if plan.unmatched and plan.counts["recognised"]:
        errors.print(unmatched_note(plan.unmatched), soft_wrap=True)
    for one, action in plan.cohort_files:
        if action == REFUSE:
            told = "a table of that name with other content is there: add it with --replace"
            errors.print(f"refused: {one.name}: {told}", soft_wrap=True)
    for problem in plan.problems:
        errors.print(f"not read: {problem.file}: {problem.reason}", soft_wrap=True)
    whole = {subject.subject for subject in plan.subjects if subject.status == "refused"}
    for row in plan.series:
        # Where the whole subject is refused, one line says so for all of its series.
        if row.action == "refuse" and row.subject not in whole:
            files = f" ({', '.join(row.files[:4])})" if row.files else ""
            told = f"refused: {row.kind} series of sub-{row.subject}: {row.reason}{files}"
            errors.print(told, soft_wrap=True)
    for subject in plan.subjects:
        _print_known_otherwise(plan, subject)
        if subject.status == "refused":
            label = f"sub-{subject.subject}" if subject.subject else _number_of(subject)
            files = f" ({', '.join(subject.files[:4])})" if subject.files else ""
            told = f"refused: {label}: {subject.reason}{files}"
            errors.print(told, soft_wrap=True)
    if plan.problems or plan.counts["subjects_refused"] or plan.counts["series_refuse"]:
        errors.print("Mend these and add the source again: what was taken in is kept as it is.")


def _number_of(subject: SubjectPlan) -> str:
    """Name a subject without a label by its number: on the screen alone, for who exported it."""
    numbers = ", ".join(filter(None, subject.source_ids))
    return f"the patient {numbers}" if numbers else "a patient without a number"


def unmatched_note(names: list[str]) -> str:
    """Say which files no rule knows: images before others, and one of each folder.

    A case whose folder is spelled in another way would else be lost among files of no interest.
    """
    from cta_data.intake.addition import IMAGE_ENDINGS

    images = [name for name in names if name.lower().endswith(IMAGE_ENDINGS)]
    of_folder = {name.rpartition("/")[0]: name for name in reversed(images)}
    shown = (list(reversed(of_folder.values())) or names)[:MOST_NAMED]
    n = len(names)
    match = "1 file matches" if n == 1 else f"{n} files match"
    more = f", {len(images)} of them images in {len(of_folder)} folders" if n > 1 and images else ""
    return f"note: {match} no rule of the card{more}, such as {', '.join(shown)}"


def _print_known_otherwise(plan: AdditionPlan, subject: SubjectPlan) -> None:
    from cta_data.study.sourcedata import ACCEPTED

    known = {
        row.subject
        for row in plan.inventory.subjects
        if row.source_id in subject.source_ids and row.status == ACCEPTED
    }
    others = sorted(known - {subject.subject, ""})
    if others and subject.status != "refused":
        more = f" and {len(others) - MOST_NAMED} more" if len(others) > MOST_NAMED else ""
        named = f"sub-{', sub-'.join(others[:MOST_NAMED])}{more}"
        told = f"note: sub-{subject.subject} has the PatientID of {named}; "
        error_console().print(told + "it is kept apart since --id says so", soft_wrap=True)
