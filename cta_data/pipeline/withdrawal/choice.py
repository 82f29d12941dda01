"""Which subject is meant by a label."""

from __future__ import annotations

import os

from cta_data.errors import ConfigurationError
from cta_data.pipeline.withdrawal.journal import begun
from cta_data.pipeline.withdrawal.names import SubjectNames
from cta_data.study import layout
from cta_data.study.study import Study
from cta_data.study.tables import SessionRow, SplitRow, UnitRow
from cta_data.versioning.git_settings import run_git


def subject_named(study: Study, label: str, cohort: str = "") -> SubjectNames:
    """Return the one subject of a label.

    Raises
    ------
    ConfigurationError
        No cohort has it, or several do and none is named.
    """
    subject = label.removeprefix("sub-")
    cohorts = [cohort] if cohort else study.cohorts
    if cohort and cohort not in study.cohorts:
        study.card(cohort)  # which says what cohorts there are
    journal = begun(study)
    if journal and journal.subject == subject and journal.cohort in cohorts:
        return SubjectNames(journal.cohort, subject)
    found = [name for name in cohorts if _is_now(study, name, subject)]
    found = found or [name for name in cohorts if _was(study, name, subject)]
    if len(found) > 1:
        raise ConfigurationError(
            "subject_in_several_cohorts", where=f"sub-{subject}", subject=subject, cohorts=found
        )
    if not found:
        raise ConfigurationError(
            "subject_not_found",
            where=f"sub-{subject}",
            subject=subject,
            cohorts=tuple(cohorts) or ("no cohort",),
        )
    return SubjectNames(found[0], subject)


def _is_now(study: Study, cohort: str, subject: str) -> bool:
    """Return whether tables or folders of a cohort have a subject."""
    for of in (SessionRow, UnitRow, SplitRow):
        if (cohort, subject) in study.tables.index(of, ("cohort", "subject")):
            return True
    inventory = study.inventory(cohort) if cohort in study.cohorts_here else None
    if inventory and any(row.subject == subject for row in inventory.subjects):
        return True
    return any(
        os.path.lexists(f"{study.root}/{top}/sub-{subject}") for top in datasets_of_cohort(cohort)
    )


def _was(study: Study, cohort: str, subject: str) -> bool:
    """Return whether a commit of a cohort's datasets has a file of a subject."""
    for top in datasets_of_cohort(cohort):
        dataset = study.root / top
        if (dataset / ".git").exists():
            words = ("--all", "-1", "--format=%H", "--", f":(glob)**/sub-{subject}/**")
            if run_git(dataset, "log", *words, check=True).stdout.strip():
                return True
    return False


def datasets_of_cohort(cohort: str) -> tuple[str, ...]:
    """Return the datasets that hold files of a cohort's patients, from the top of the study."""
    return (layout.sourcedata(cohort), layout.cohort(cohort), layout.derivatives(cohort))
