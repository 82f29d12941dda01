"""Accounting: every subject of the source is converted, quarantined or excluded, with a reason."""

from __future__ import annotations

from typing import Any

from cta_data.bids.dataset import write_participants
from cta_data.cohorts.file_roles import DICOM
from cta_data.engine.driver import mark_uncommitted
from cta_data.engine.sessions import STEP_NAMES
from cta_data.patterns import search
from cta_data.pipeline.convert.clinical import courses_that_differ
from cta_data.pipeline.convert.phenotype import write_phenotypes
from cta_data.pipeline.partition import Assignment, PartitionOptions, Patient, partition
from cta_data.study.configuration import BuildSection
from cta_data.study.study import Study
from cta_data.study.tables import StoredRow

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
    "annotation_technique": {"Description": "MRI technique that the lesions were drawn on"},
    "quality": {
        "Description": "Quality of the annotation",
        "Levels": {"NAQ": "normal quality: drawn on MPRAGE", "HAQ": "high quality: drawn on SPACE"},
    },
}


def exclusions(study: Study) -> dict[tuple[str, str, str], str]:
    """Return why a session is not usable, for each that is not; work not yet done is no reason.

    Usable, and not evaluated all the same, are sessions that the cohort's card leaves out.
    """
    units = study.tables.by_key("units")
    reasons: dict[tuple[str, str, str], str] = {}
    for step in STEP_NAMES:
        for (name, cohort, subject, session), row in units.items():
            if name == step and row["status"] == "notneeded":
                reasons.setdefault((cohort, subject, session), row["reason"] or "")
            elif name == step and row["status"] != "ok":
                reason = row["reason"] or row["status"]
                named = reason if reason.split(":")[0] in STEP_NAMES else f"{step}: {reason}"
                reasons.setdefault((cohort, subject, session), named)
    uncertain = {c: courses_that_differ(study, c) for c in study.cohorts_here}
    for key, row in study.tables.by_key("subjects").items():
        if row.get("form") == DICOM and key[1] in uncertain.get(key[0], {}):
            reasons.setdefault(key, uncertain[key[0]][key[1]])
        left_out = not_evaluated(study, key[0], key[2])
        if left_out:
            reasons.setdefault(key, left_out)
    return reasons


def not_evaluated(study: Study, cohort: str, session: str) -> str:
    """Return why a session is left out by its cohort's card, or an empty text."""
    if cohort not in study.cohorts_here:
        return ""
    section = study.card(cohort).sessions
    if not section.evaluated or search(section.evaluated, session):
        return ""
    return section.not_evaluated


def usable_patients(study: Study) -> list[Patient]:
    """Return the patients of the build's cohorts with a session that was measured.

    A step before may have been decided about since: a session that a person rejects is measured
    still, until the step is planned again, and no longer usable.
    """
    units = study.tables.by_key("units")
    cohorts = build_cohorts(study)
    patients: dict[tuple[str, str], Patient] = {}
    for key, row in sorted(study.tables.by_key("subjects").items()):
        cohort, subject, _ = key
        statuses = {
            step: units[step, *key]["status"] for step in STEP_NAMES if (step, *key) in units
        }
        usable = statuses.get("measure") == "ok" and {*statuses.values()} <= {"ok", "notneeded"}
        if cohort in cohorts and row["quality"] and usable and not not_evaluated(study, *key[::2]):
            patients.setdefault((cohort, subject), Patient(cohort, subject, row["quality"]))
    return list(patients.values())


def build_cohorts(study: Study) -> set[str]:
    """Return the cohorts that are partitioned: those named in study.toml, else all trials."""
    named = study.configuration.build.cohorts
    return set(named or (c for c in study.cohorts if not is_external(study, c)))


def is_external(study: Study, cohort: str) -> bool:
    """Tell whether a cohort only tests: by its card or, where that is not here, its patients."""
    if cohort in study.not_available:
        rows = study.tables.index("subjects", ("cohort",)).get((cohort,), [])
        # A trial's patients train or test, or wait for the first build: these have no partition.
        return not any(row["partition"] in (None, "train", "test") for row in rows)
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
    return partition(usable_patients(study), partition_options(study.configuration.build))


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
    built = any(step.startswith("build_") for step, *_ in study.tables.by_key("units"))
    whole = not build_cohorts(study) & study.not_available.keys()
    assigned = {
        (a.patient.cohort, a.patient.subject): a
        for a in (study_partition(study) if built and whole else [])
    }
    known = study.tables.by_key("subjects")
    rows = dict(known)
    for step, cohort, subject, session in study.tables.by_key("units"):
        if step == "convert" and cohort not in study.not_available:
            identity = {"cohort": cohort, "subject": subject, "session": session}
            licence = study.card(cohort).cohort.licence
            rows.setdefault((cohort, subject, session), identity | {"licence": licence})
    updated = []
    for key, row in rows.items():
        told: dict[str, Any]
        if key[0] in study.not_available:
            continue
        reason = reasons.get(key)
        assignment = assigned.get(key[:2])
        if reason:
            told = {"partition": "excluded", "exclusion_reason": reason}
        elif assignment:
            why = assignment.reason or None
            told = {"partition": assignment.partition, "exclusion_reason": why}
        else:
            partition_now = "external" if is_external(study, key[0]) else None
            if not whole and row.get("partition") in ("train", "test"):
                partition_now = row["partition"]
            told = {"partition": partition_now, "exclusion_reason": None}
        if any(row.get(name) != value for name, value in told.items()) or key not in known:
            updated.append({**row, **told})
    study.tables.upsert("subjects", updated)


def write_participant_tables(study: Study) -> None:
    """Write participants.tsv of every cohort from the table `subjects`, where it changed."""
    converted = {key[1:] for key, r in _units_of(study, "convert").items() if r["status"] == "ok"}
    by_cohort: dict[str, dict[str, StoredRow]] = {}
    for key, row in sorted(study.tables.by_key("subjects").items()):
        if key in converted:
            by_cohort.setdefault(key[0], {}).setdefault(key[1], row)
    for cohort, subjects in by_cohort.items():
        folder = study.root / study.cohort_path(cohort)
        if not (folder / ".git").exists():
            continue
        rows = [
            {
                "participant_id": subject,
                "age": row["age_years"],
                "sex": row["sex"],
                "primary_tumour": row["primary_tumour"],
                "prior_brain_radiotherapy": row["prior_brain_radiotherapy"],
                "annotation_technique": row["annotation_technique"],
                "quality": row["quality"],
            }
            for subject, row in subjects.items()
        ]
        path = folder / "participants.tsv"
        before = path.read_bytes() if path.exists() else b""
        write_participants(folder, rows, PARTICIPANT_COLUMNS)
        if path.read_bytes() != before:
            mark_uncommitted(study.root)
    write_phenotypes(study, converted)


def _units_of(study: Study, step: str) -> dict[tuple, StoredRow]:
    return {key: row for key, row in study.tables.by_key("units").items() if key[0] == step}
