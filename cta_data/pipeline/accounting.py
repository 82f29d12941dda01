"""Accounting: every subject of the source is converted, quarantined or excluded, with a reason."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import Any

from cta_data.bids.dataset import write_participants
from cta_data.cohorts.file_roles import DICOM
from cta_data.engine.decisions import kept_reason, stop_reason
from cta_data.engine.driver import mark_uncommitted
from cta_data.engine.records import earlier_step
from cta_data.engine.sessions import (
    STEP_NAMES,
    converted_sessions,
    session_stages,
    units_of,
)
from cta_data.patterns import search
from cta_data.pipeline.convert.clinical import courses_that_differ
from cta_data.pipeline.convert.phenotype import write_phenotypes
from cta_data.pipeline.partition import Assignment, PartitionOptions, Patient, partition
from cta_data.reasons import Reason
from cta_data.study.annotations import joined
from cta_data.study.configuration import BuildSection
from cta_data.study.session_id import SessionId
from cta_data.study.session_order import days_after_first
from cta_data.study.study import Study
from cta_data.study.tables import SessionRow

PARTICIPANT_COLUMNS: dict[str, dict[str, Any]] = {
    "age": {"Description": "Age at the session", "Units": "year"},
    "sex": {
        "Description": "Sex of the participant",
        "Levels": {"female": "female", "male": "male", "other": "other"},
    },
    "primary_tumour": {
        "Description": "Primary tumour",
        "Levels": {
            "lung": "lung",
            "melanoma": "melanoma",
            "breast": "breast",
            "kidney": "kidney",
            "unknown": "the source says that it is not known",
            "others": "another, or several",
        },
    },
    "prior_brain_radiotherapy": {
        "Description": "Radiotherapy of the brain before the session",
        "Levels": {"none": "none", "srs": "radiosurgery", "wbrt": "whole brain"},
    },
    "annotation_technique": {"Description": "MRI technique on which the lesions were delineated"},
    "quality": {
        "Description": "Quality of the annotation",
        "Levels": {
            "NAQ": "normal quality: delineated on MPRAGE",
            "HAQ": "high quality: delineated on SPACE",
            "NAQ + HAQ": "annotations of both",
        },
    },
}


def exclusions(study: Study) -> dict[SessionId, Reason]:
    """Return why a session is not usable, for each that is not; work not yet done is no reason.

    Usable, and not evaluated all the same, are sessions that the cohort's card leaves out.
    """
    reasons: dict[SessionId, Reason] = {}
    for row in units_of(study, *STEP_NAMES):
        if row.status == "notneeded":
            reasons.setdefault(row.id.session, kept_reason(row))
        elif row.status != "ok":
            reasons.setdefault(row.id.session, stop_reason(row))
    uncertain = {c: courses_that_differ(study, c) for c in study.cohorts_here}
    for person in study.tables.rows(SessionRow):
        session = person.session
        if person.form == DICOM and session.subject in uncertain.get(session.cohort, {}):
            reasons.setdefault(session, uncertain[session.cohort][session.subject])
        left_out = not_evaluated(study, session)
        if left_out:
            reasons.setdefault(session, left_out)
    return reasons


def not_evaluated(study: Study, session: SessionId) -> Reason | None:
    """Return why a session is left out by its cohort's card, or None."""
    if session.cohort not in study.cohorts_here:
        return None
    section = study.card(session.cohort).sessions
    if not section.evaluated or search(section.evaluated, session.session):
        return None
    return Reason("left_out_by_card", text=section.not_evaluated)


def usable_patients(study: Study) -> list[Patient]:
    """Return the patients of the build's cohorts with a session that was measured.

    A step before may have been decided about since: a session that a person rejects is measured
    still, until the step is planned again, and no longer usable.
    """
    stages = session_stages(study)
    cohorts = build_cohorts(study)
    patients: dict[tuple[str, str], set[str]] = {}
    for key, row in sorted(study.tables.by_key(SessionRow).items()):
        session = SessionId(*key)
        statuses = stages.get(session, {})
        usable = statuses.get("measure") == "ok" and {*statuses.values()} <= {"ok", "notneeded"}
        wanted = session.cohort in cohorts and usable
        if wanted and row.qualities and not not_evaluated(study, session):
            patients.setdefault(session.patient, set()).update(row.qualities)
    return [Patient(*names, tuple(sorted(found))) for names, found in patients.items()]


def build_cohorts(study: Study) -> set[str]:
    """Return the cohorts that are partitioned: those named in study.toml, else all trials."""
    named = study.configuration.build.cohorts
    return set(named or (c for c in study.cohorts if not is_external(study, c)))


def is_external(study: Study, cohort: str) -> bool:
    """Tell whether a cohort only tests: by its card or, where that is not here, its patients."""
    if cohort in study.not_available:
        rows = study.tables.index(SessionRow, ("cohort",)).get((cohort,), [])
        # A trial's patients train or test, or wait for the first build: these have no partition.
        return not any(row.partition in (None, "train", "test") for row in rows)
    return study.card(cohort).cohort.partition == "external"


def require_build_cohorts(study: Study) -> None:
    """Refuse to partition patients where a cohort that belongs to the partition is not here.

    Raises
    ------
    NotAvailable
        One of the build's cohorts is not available here.
    """
    for cohort in sorted(build_cohorts(study) & study.not_available.keys()):
        raise study.not_available[cohort]


def study_partition(study: Study) -> list[Assignment]:
    """Return the partition of the study as its tables are now."""
    patients = tuple(usable_patients(study))
    return list(_partition(patients, partition_options(study.configuration.build)))


@lru_cache(maxsize=1)
def _partition(patients: tuple[Patient, ...], options: PartitionOptions) -> tuple[Assignment, ...]:
    """Return a partition; a command asks for the same one when it builds and when it accounts."""
    return tuple(partition(patients, options))


def partition_options(build: BuildSection) -> PartitionOptions:
    """Return the parameters of the partition in a study's configuration."""
    return PartitionOptions(build.seed, build.test_fraction, build.folds, build.equalise_groups)


def account(study: Study) -> None:
    """Bring partitions and reasons in the table `subjects` up to date.

    A session that could not be converted gets a row, so that no subject is missing from the table.
    Rows of cohorts that are not available here stay as they are, and partitions where one of the
    build's cohorts is not: nobody could tell how its patients are to be counted.
    """
    reasons = exclusions(study)
    built = bool(units_of(study, "build"))
    whole = not build_cohorts(study) & study.not_available.keys()
    assigned = {
        (a.patient.cohort, a.patient.subject): a
        for a in (study_partition(study) if built and whole else [])
    }
    days = _days_after_first(study)
    known = study.tables.by_key(SessionRow)
    rows = {SessionId(*key): row for key, row in known.items()}
    for unit in units_of(study, "convert"):
        session = unit.id.session
        if session not in rows and session.cohort not in study.not_available:
            licence = study.card(session.cohort).cohort.licence
            rows[session] = SessionRow(session=session, licence=licence)
    updated = []
    for session, row in rows.items():
        if session.cohort in study.not_available:
            continue
        reason = reasons.get(session)
        assignment = assigned.get(session.patient)
        if reason:
            now = {"partition": "excluded", **_exclusion(reason)}
        elif assignment:
            now = {"partition": assignment.partition, **_exclusion(assignment.reason)}
        else:
            partition_now = "external" if is_external(study, session.cohort) else None
            if not whole and row.partition in ("train", "test"):
                partition_now = row.partition
            now = {"partition": partition_now, **_exclusion(None)}
        if session.cohort in days:
            now["days_after_first"] = days[session.cohort].get(session[1:])
        if session not in known or any(getattr(row, name) != now[name] for name in now):
            updated.append(replace(row, **now))
    study.tables.upsert(updated)


def _days_after_first(study: Study) -> dict[str, dict[tuple[str, str], int]]:
    """Return the days of sessions of each cohort whose raw files are here."""
    found = {cohort: study.inventory(cohort) for cohort in study.cohorts_here}
    return {
        cohort: days_after_first(inventory.series)
        for cohort, inventory in found.items()
        if inventory is not None
    }


def _exclusion(reason: Reason | None) -> dict[str, Any]:
    """Return the columns of the table `subjects` that say why a session is excluded."""
    return {
        "exclusion_reason": str(reason) if reason else None,
        "exclusion_code": reason.finding.code if reason else None,
        "exclusion_step": earlier_step(reason) or None,
    }


def write_participant_tables(study: Study) -> None:
    """Write participants.tsv of every cohort from the table `subjects`, where it changed."""
    converted = converted_sessions(study)
    by_cohort: dict[str, dict[str, SessionRow]] = {}
    for key, row in sorted(study.tables.by_key(SessionRow).items()):
        session = SessionId(*key)
        if session in converted:
            by_cohort.setdefault(session.cohort, {}).setdefault(session.subject, row)
    for cohort, subjects in by_cohort.items():
        folder = study.root / study.cohort_path(cohort)
        if not (folder / ".git").exists():
            continue
        rows = [
            {
                "participant_id": subject,
                "age": row.age_years,
                "sex": row.sex,
                "primary_tumour": row.primary_tumour,
                "prior_brain_radiotherapy": row.prior_brain_radiotherapy,
                "annotation_technique": joined(row.annotation_techniques) or None,
                "quality": joined(row.qualities) or None,
            }
            for subject, row in subjects.items()
        ]
        if write_participants(folder, rows, PARTICIPANT_COLUMNS):
            mark_uncommitted(study.root)
    write_phenotypes(study, converted)
