"""Patients who are in two cohorts of a study: whoever trains on one may not be tested on the other.

Public collections reuse identifiers: patients of YNHH are in BraTS-METS under the same numbers.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from cta_data.intake.inventory import ACCEPTED
from cta_data.steps.sessions import read_cohort_inventory
from cta_data.study import Study

SHORTEST = 6
"""Characters; shorter identifiers, such as `12`, are the same in many hospitals by chance."""


@dataclass(frozen=True)
class SharedPatient:
    """One identifier that several cohorts have, and the subject label that it has in each."""

    identifier: str
    labels: tuple[tuple[str, str], ...]

    def __str__(self) -> str:
        return " and ".join(f"{cohort} sub-{subject}" for cohort, subject in self.labels)


def shared_patients(study: Study) -> list[SharedPatient]:
    """Return patients whose identifier in the source is the same in several cohorts.

    Cohorts whose sourcedata is not here cannot be compared and are left out.
    """
    holders: dict[str, list[tuple[str, str]]] = {}
    for cohort in study.cohorts:
        inventory = read_cohort_inventory(study, cohort) if study.has_sourcedata(cohort) else None
        for row in inventory.subjects if inventory else ():
            if row.status == ACCEPTED and len(row.source_id) >= SHORTEST:
                holders.setdefault(row.source_id.casefold(), []).append((cohort, row.subject))
    return [
        SharedPatient(identifier, tuple(found))
        for identifier, found in sorted(holders.items())
        if len({cohort for cohort, _ in found}) > 1
    ]


def in_training(
    shared: Iterable[SharedPatient], training: set[tuple[str, str]]
) -> list[SharedPatient]:
    """Return those of them who train (by cohort and subject) and are in another cohort as well."""
    return [patient for patient in shared if training & set(patient.labels)]
