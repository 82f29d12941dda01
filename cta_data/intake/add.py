"""Add: a hospital's files into a cohort's sourcedata, and what each series would become."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cta_data.cohorts import Card, SeriesHeader, assign_roles
from cta_data.cohorts.clinical.people import find_clinical_files
from cta_data.cohorts.file_roles import FileMatch, match_file
from cta_data.cohorts.series_roles import asked_values, is_left_out, takes
from cta_data.engine.sessions import CONVERTED_KINDS, DOSE
from cta_data.intake import (
    AdditionOptions,
    AdditionPlan,
    SeriesPlan,
    execute_addition,
    needed_content,
    plan_addition,
)
from cta_data.intake.addition import remove_abandoned_work
from cta_data.intake.expected import Expected
from cta_data.intake.naming import SubjectNaming
from cta_data.intake.overlap import different_labels, other_cohorts, withdrawn_cohorts
from cta_data.intake.person import person_of
from cta_data.intake.plain_files import FilePlace, Recognise, recognise_nothing
from cta_data.memory import memory_bounded
from cta_data.names import LONGEST_LABEL
from cta_data.redaction.identity import is_public
from cta_data.study.distribution import restrict_cohort
from cta_data.study.lock import study_lock
from cta_data.study.sourcedata import SOURCE_FILE
from cta_data.study.study import Study
from cta_data.versioning.datasets import annexing, fetch, is_modified, require_identity, save

LABEL = re.compile(r"[0-9A-Za-z]+")
NO_SESSION = (
    f"has in its path a session that is not of up to {LONGEST_LABEL} letters and digits alone "
    "(the group session of its rule under [[files]])"
)
NO_SLICE = (
    "has in its path a slice number that is none of up to nine digits "
    "(the group slice of its rule under [[files]])"
)
LONGEST_VALUE = 40
"""Characters of a header's value that are shown."""
BESIDE = "._"
"""Begins the name of what macOS writes beside a file on a disk that is not its own."""


@dataclass(frozen=True)
class Preview:
    """One series of a source: what it is, what is done with it, what it would become.

    `left_out` says why a series becomes no image of the technique that it seems to be of;
    `first_file` is the first file of the source that a refusal is about.
    """

    subject: str
    session: str
    kind: str
    n_instances: int
    action: str
    becomes: str
    reason: str
    reason_code: str = ""
    left_out: str = ""
    first_file: str = ""


@contextmanager
def open_addition(
    study: Study,
    cohort: str,
    card: Card,
    source: Path,
    options: AdditionOptions,
    *,
    dry_run: bool = False,
) -> Iterator[AdditionPlan]:
    """Find out what a source holds; the unpacked files are removed at the end.

    The study is locked from the plan to the end: who is who follows from tables that another
    addition would change.

    Parameters
    ----------
    dry_run
        Plan alone, beside whatever works on the study.

    Raises
    ------
    CtaError
        Another command works on the study, or the source is missing, empty, or an archive that is
        not safe.
    """
    with (
        nullcontext() if dry_run else study_lock(study),
        _planned(study, cohort, card, source, options) as plan,
    ):
        yield plan


@contextmanager
def _planned(
    study: Study, cohort: str, card: Card, source: Path, options: AdditionOptions
) -> Iterator[AdditionPlan]:
    work = study.root / ".cta" / "unpacked"
    work.mkdir(parents=True, exist_ok=True)
    remove_abandoned_work(work)
    chosen = replace(
        options,
        recognise=recogniser(card),
        naming=naming_of(card),
        session_rule=card.sessions.rule,
        number_sessions=card.numbers_sessions,
        identity_attributes=card.subjects.same_patient,
        work_folder=work,
        different=different_labels(study, cohort),
        others=other_cohorts(study, cohort),
        withdrawn=withdrawn_cohorts(study, cohort),
    )
    sourcedata = study.root / study.sourcedata_path(cohort)
    with memory_bounded():
        plan = plan_addition(source, sourcedata, chosen, expected_of(card, chosen))
    with plan:
        yield plan


def recogniser(card: Card) -> Recognise:
    """Return what tells a cohort's plain files by their paths: the card's rules as a function."""
    if not card.files and not card.clinical:
        return recognise_nothing
    naming = naming_of(card)

    def recognise(name: str) -> FilePlace | None:
        if name.rpartition("/")[2].startswith(BESIDE):
            return FilePlace("ignored", name)
        match = match_file(name, card.files)
        if match is None:
            clinical = find_clinical_files(card.clinical, [name])
            return FilePlace("cohort", name) if clinical else None
        if match.rule.role == "ignore":
            return FilePlace("ignored", match.place)
        stack = match.slice_number is not None
        named = card.numbers_sessions or LABEL.fullmatch(match.session) is not None
        return FilePlace(
            "subject",
            match.place,
            match.stack,
            match.container,
            ".tar" if stack else match.extension,
            naming.canonical(match.subject),
            match.session if named else "",
            match.slice_number or 0,
            _path_fault(match, named=named),
            is_image=match.rule.role == "image" and match.rule.modality != DOSE,
        )

    return recognise


def _path_fault(match: FileMatch, *, named: bool) -> str:
    """Say what is wrong with what a path says, or return an empty text."""
    if not named or len(match.session) > LONGEST_LABEL:
        return NO_SESSION
    return NO_SLICE if match.slice_text and match.slice_number is None else ""


def expected_of(card: Card, options: AdditionOptions | None = None) -> Expected:
    """Return what may enter a cohort by its card, and by what a user says of who is who."""
    said = options is not None and bool(options.subject or options.subject_map)
    public = card.cohort.access != "restricted"

    def is_image(series: SeriesPlan) -> bool:
        place = series.header.get(SOURCE_FILE)
        if place is not None:
            match = match_file(place, card.files)
            return match is not None and match.rule.role == "image"
        return series.kind in CONVERTED_KINDS and takes(card.series, series.header)

    def of_collection(number: str) -> bool:
        # A pattern says that all numbers are of a collection; a user may say otherwise of one.
        pattern = card.subjects.pattern
        return said or not pattern or is_public(pattern, number)

    return Expected(is_image, bool(card.series), of_collection, public)


def naming_of(card: Card) -> SubjectNaming:
    """Return how a cohort's identifiers become labels."""
    section = card.subjects
    return SubjectNaming(section.pattern, section.source_id, section.label)


def preview(plan: AdditionPlan, card: Card) -> list[Preview]:
    """Tell, for every series, what the card's rules would make of it.

    Series that are in sourcedata already take part, since phases follow from all of a session.
    """
    becomes, left_out = _roles(plan, card)
    return [
        Preview(
            series.subject,
            series.session,
            series.kind,
            series.n_instances,
            series.action,
            becomes.get(series.file, ""),
            str(series.reason or ""),
            series.reason.finding.code if series.reason else "",
            left_out.get(series.file, ""),
            next(iter(series.files), ""),
        )
        for series in plan.series
    ]


def implausible_persons(plan: AdditionPlan) -> Counter[str]:
    """Count the sessions in which the headers tell of a person what cannot be true, by what."""
    sessions: dict[tuple[str, str], list[Mapping[str, str]]] = {}
    for series in plan.series:
        if series.file:
            sessions.setdefault((series.subject, series.session), []).append(series.header)
    return Counter(note for headers in sessions.values() for note in person_of(headers)[1])


def add_source(study: Study, cohort: str, plan: AdditionPlan) -> dict[str, Any]:
    """Take the planned files in and commit them; return what was done.

    It belongs inside `open_addition`, which holds the lock under which the plan is true.

    Raises
    ------
    CtaError
        Content cannot be fetched, or the disk is full.
    """
    require_identity(study.root)
    source = study.sourcedata_path(cohort)
    needed = [str(path.relative_to(study.root)) for path in needed_content(plan)]
    fetched = fetch(study.root, needed)
    with annexing(study.root / source) as annex:
        result = execute_addition(plan, annex)
    # An addition that died before its commit left nothing to write, but something to commit.
    parts = (study.root / source, study.root / study.cohort_path(cohort))
    if result.written or any(is_modified(part) for part in parts):
        accepted, refused = (plan.counts[f"subjects_{n}"] for n in ("accepted", "refused"))
        kept = plan.counts["series_new"] + plan.counts["series_merge"]
        # The source's path stays out of the history: it may hold a name.
        message = f"add {cohort}: {kept} series of {accepted} subjects, {refused} refused"
        save(study.root, message, [study.root / source])
        restrict_cohort(study, cohort)
    return {
        "counts": dict(sorted(plan.counts.items())),
        "files_written": len(result.written),
        "series_failed": len(result.failed),
        "fetched": len(fetched.paths),
    }


def _roles(plan: AdditionPlan, card: Card) -> tuple[dict[str, str], dict[str, str]]:
    """Return what each series becomes, and why some are left out of a technique, by its file."""
    sessions: dict[tuple[str, str], list[SeriesHeader]] = {}
    planned = {series.file for series in plan.series}
    for row in plan.inventory.series:
        if row.file not in planned and row.kind in CONVERTED_KINDS:
            header = SeriesHeader(row.file, row.header)
            sessions.setdefault((row.subject, row.session), []).append(header)
    for series in plan.series:
        if series.kind in CONVERTED_KINDS and series.file:
            header = SeriesHeader(series.file, series.header)
            sessions.setdefault((series.subject, series.session), []).append(header)
    becomes = {series.file: _other(series, card) for series in plan.series}
    left_out: dict[str, str] = {}
    by_file = {one.identifier: one.header for headers in sessions.values() for one in headers}
    for headers in sessions.values():
        roles = assign_roles(headers, card.series)
        for role in roles.roles:
            phase = f" {role.phase}" if role.phase not in ("", "none") else ""
            if role.technique:
                becomes[role.identifier] = f"{role.technique}{phase}"
                continue
            becomes[role.identifier] = _nothing(str(role.reason), by_file[role.identifier], card)
            if is_left_out(role):
                left_out[role.identifier] = str(role.reason)
        decided = {role.identifier for role in roles.roles}
        for header in headers:
            if header.identifier not in decided:
                becomes[header.identifier] = f"unclear: {'; '.join(map(str, roles.problems))}"
    return becomes, left_out


def _nothing(reason: str, header: Mapping[str, str], card: Card) -> str:
    """Say that a series becomes nothing, with the values that a rule could ask for."""
    values = asked_values(card.series, header)
    shown = ", ".join(f"{name} {value[:LONGEST_VALUE]}" for name, value in values.items())
    return f"nothing: {reason} ({shown or 'which has none of the attributes that rules ask for'})"


def _other(series: SeriesPlan, card: Card) -> str:
    place = series.header.get(SOURCE_FILE)
    if place is None:
        known = {"RTSTRUCT": "annotation", "SEG": "annotation", "REG": "transform"}
        return known.get(series.kind, "kept, not converted")
    match = match_file(place, card.files)
    if match is None or match.rule.role == "ignore":
        return "nothing: no rule of the card matches its path"
    if match.rule.role == "mask":
        return f"annotation on {card.masks.drawn_on}{f': {match.roi}' if match.roi else ''}"
    phase = f" {match.rule.phase}" if match.rule.phase != "none" else ""
    return f"{match.rule.technique}{phase}"
