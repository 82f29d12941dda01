"""Raw files into a cohort: a new cohort is made, the source is planned and taken in."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

from cta_data.cohorts.card import Card
from cta_data.destinations import require_folder_place
from cta_data.engine.driver import UNCOMMITTED, mark_uncommitted
from cta_data.errors import ConfigurationError
from cta_data.intake import AdditionOptions, AdditionPlan
from cta_data.intake.add import Preview, add_source, implausible_persons, open_addition, preview
from cta_data.intake.overlap import shared_patients
from cta_data.intake.plan_model import REFUSE
from cta_data.intake.withdrawn import with_consent_again
from cta_data.pipeline.convert.clinical import problems_of
from cta_data.pipeline.convert.step import why_masks_unreadable
from cta_data.pipeline.housekeeping import keep_books, tidy
from cta_data.study import layout
from cta_data.study.creation import card_to_be, ensure_cohort, ensure_cohort_of_locked
from cta_data.study.study import Study
from cta_data.study.tables import WithdrawalRow
from cta_data.versioning.datasets import require_identity, save

MOST_NAMED = 3
MOST_PROBLEMS = 60


@dataclass(frozen=True)
class Added:
    """What came of a source.

    Attributes
    ----------
    plan, rows
        What was planned, and what each series becomes.
    files_written
        None where the plan alone was wanted.
    n_failed
        Subjects, series and files that were refused or could not be written.
    notes
        What somebody should know, a line each.
    """

    plan: AdditionPlan
    rows: list[Preview]
    files_written: int | None
    n_failed: int
    notes: list[str]


def take_in(
    study: Study,
    cohort: str,
    source: Path,
    options: AdditionOptions,
    card_file: Path | None = None,
    *,
    dry_run: bool = False,
) -> Added:
    """Take a source's files into a cohort and commit them; with `dry_run`, only plan.

    Raises
    ------
    ConfigurationError
        There is no card, it does not validate or leaves something open, or the source is of the
        study itself.
    CtaError
        Another command works on the study, or the source is missing, empty, or an archive that is
        not safe.
    """
    # Neither the study's own raw files are a source, nor a folder that holds them.
    require_folder_place(study.root / study.sourcedata_path(cohort), [source])
    is_new = cohort not in study.cohorts
    study, card = _opened_cohort(study, cohort, card_file, dry_run=dry_run)
    try:
        _require_decisions(study, cohort, card)
    except ConfigurationError:
        if is_new and not dry_run:
            ensure_cohort(study, cohort, card_file)  # with the card that is to be completed
        raise
    with open_addition(study, cohort, card, source, options, dry_run=dry_run) as plan:
        rows = preview(plan, card)
        notes = _notes_of_plan(plan, rows)
        failed = _number_refused(plan)
        if dry_run:
            return Added(plan, rows, None, failed, notes)
        if is_new:
            study = ensure_cohort_of_locked(study, cohort, card_file)
        if plan.readmitted:
            readmit(study, plan.readmitted, options.consent_again)
        done = add_source(study, cohort, plan)
        study.refresh()
        notes += _changed_books(study, cohort)
        notes += _notes_of_study(study, cohort)
        return Added(plan, rows, done["files_written"], failed + done["series_failed"], notes)


def readmit(study: Study, withdrawals: frozenset[str], day: str) -> None:
    """Note, before anything is taken in, that patients gave consent again.

    The tables are written and committed with the books of the addition.
    """
    for name in study.cohorts_here:
        if study.has_sourcedata(name):
            folder = study.root / study.sourcedata_path(name)
            written = with_consent_again(folder, withdrawals, day)
            if written:
                save(study.root, f"{name}: consent was given again", [folder])
    rows = [
        replace(row, consent_again_on=day)
        for row in study.tables.rows(WithdrawalRow)
        if row.withdrawal in withdrawals
    ]
    study.tables.upsert(rows)


def _opened_cohort(
    study: Study, cohort: str, card_file: Path | None, *, dry_run: bool
) -> tuple[Study, Card]:
    """Return the study and the cohort's card; a new cohort is made once its source was planned."""
    if not dry_run and cohort in study.cohorts:
        study = ensure_cohort(study, cohort, card_file)
        study.require(study.sourcedata_path(cohort))
        return study, study.card(cohort)
    if not dry_run:
        require_identity(study.root)
    return study, card_to_be(study, cohort, card_file)


def _require_decisions(study: Study, cohort: str, card: Card) -> None:
    """Refuse a cohort whose card leaves open what nobody but its owner can know.

    Raises
    ------
    ConfigurationError
        With the lines to add, and where.
    """
    undecided = why_masks_unreadable(card)
    if undecided:
        raise ConfigurationError(undecided.at(f"{study.cohort_path(cohort)}/card.toml"))


def _number_refused(plan: AdditionPlan) -> int:
    """Return how many subjects, series, files of the cohort and other files were refused."""
    refused = plan.counts["subjects_refused"] + plan.counts["series_refuse"]
    refused += sum(action == REFUSE for _, action in plan.cohort_files)
    return refused + len(plan.problems)


def _notes_of_plan(plan: AdditionPlan, rows: list[Preview]) -> list[str]:
    """Return what is to be told of persons and of series that rules leave out."""
    persons = sorted(implausible_persons(plan).items())
    left_out = sorted(Counter(row.left_out for row in rows if row.left_out).items())
    return [f"{note} ({number} sessions)" for note, number in persons] + [
        f"{note}: {number} series" for note, number in left_out
    ]


def _changed_books(study: Study, cohort: str) -> list[str]:
    """Keep the books of sessions that are gone or are now another's, and commit what changed.

    What a command that died has left is committed by the next that runs units, with its record.
    """
    notes: list[str] = []
    left_before = (study.root / UNCOMMITTED).exists()
    tidy(study, notes.append)
    keep_books(study)
    if study.tables.changed():
        mark_uncommitted(study.root)
    study.tables.flush()
    if not left_before and (study.root / UNCOMMITTED).exists():
        paths = [layout.MANIFESTS, *map(study.cohort_path, study.cohorts_here)]
        there = [path for path in (study.root / name for name in paths) if path.exists()]
        save(study.root, f"add {cohort}: tables of all sessions", there)
        (study.root / UNCOMMITTED).unlink()
    return notes


def _notes_of_study(study: Study, cohort: str) -> list[str]:
    """Return who is another subject as well, and what of clinical tables could not be used."""
    notes = []
    shared = shared_patients(study)
    mine = [patient for patient in shared if cohort in {c for c, _ in patient.labels}]
    if mine:
        named = "; ".join(str(patient) for patient in mine[:MOST_NAMED])
        number = "1 patient is" if len(mine) == 1 else f"{len(mine)} patients are"
        told = f"{number} another subject of the study as well: {named}"
        notes.append(f"{told}. `build` refuses to train on them")
    return notes + problems_of(study, cohort)[:MOST_PROBLEMS]
