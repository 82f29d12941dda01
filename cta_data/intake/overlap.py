"""Persons who are several subjects of a study: whoever trains on one may not be tested on another.

Public collections reuse identifiers: patients of YNHH are in BraTS-METS under the same numbers. One
person may have two numbers in a hospital, and one image may have been copied under another name.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from cta_data.engine.acceptance import REJECTED, TRANSFER, decision_about
from cta_data.engine.sessions import units_of
from cta_data.intake.persons import (
    OtherCohort,
    Pair,
    Sample,
    pairs_of_alike_images,
    pairs_of_one_identity,
    pairs_of_one_image,
)
from cta_data.intake.pseudonyms import SALT, read_salt
from cta_data.intake.withdrawn import WithdrawnCohort, read_withdrawn
from cta_data.study.session_id import Patient
from cta_data.study.sourcedata import ACCEPTED, Inventory
from cta_data.study.study import Study
from cta_data.study.tables import DecisionRow, ImageRow, UnitRow
from cta_data.study.unit_id import UnitId

SHORTEST = 6
"""Characters; shorter identifiers, such as `12`, are the same in many hospitals by chance."""
IDENTIFIER, IDENTITY, IMAGE = "same identifier", "same name and birth date", "same image"
ALIKE = "images that share most slices"


@dataclass(frozen=True)
class SharedPatient:
    """One person under several labels, and what shows it."""

    labels: tuple[Patient, ...]
    evidence: tuple[str, ...]

    def __str__(self) -> str:
        named = " and ".join(f"{cohort} sub-{subject}" for cohort, subject in self.labels)
        return f"{named} ({', '.join(self.evidence)})"


def shared_patients(study: Study) -> list[SharedPatient]:
    """Return the pairs of subjects of a study who seem to be one person.

    Cohorts whose sourcedata is not here are compared by their converted images alone. Pairs that
    study.toml states to be different persons are left out.
    """
    inventories = {
        cohort: inventory for cohort in study.cohorts_here if (inventory := study.inventory(cohort))
    }
    different = _different(study)
    same = set(_by_image(study, inventories))
    evidence: dict[tuple[Patient, Patient], set[str]] = {}
    for kind, pair in (
        *((IDENTIFIER, pair) for pair in _by_identifier(inventories)),
        *((IDENTITY, pair) for pair in _by_identity(study, inventories)),
        *((IMAGE, pair) for pair in same),
        *((ALIKE, pair) for pair in _by_slices(study, inventories) if pair not in same),
    ):
        if pair not in different:
            evidence.setdefault(tuple(sorted(pair)), set()).add(kind)  # type: ignore[arg-type]
    return [SharedPatient(labels, tuple(sorted(why))) for labels, why in sorted(evidence.items())]


def in_training(
    shared: Iterable[SharedPatient], training: set[Patient], unused: Iterable[Patient] = ()
) -> list[SharedPatient]:
    """Return those of them who train (by cohort and subject) and are there a second time.

    Parameters
    ----------
    unused
        Subjects that neither train nor test, such as those that somebody rejected.
    """
    gone = set(unused)
    return [
        patient
        for patient in shared
        if training & set(patient.labels) and not gone & set(patient.labels)
    ]


def rejected_subjects(study: Study) -> set[Patient]:
    """Return the subjects of whom a person rejected every session."""
    units = study.tables.by_key(UnitRow)
    rejected = {
        row.session
        for row in study.tables.rows(DecisionRow)
        if row.kind == TRANSFER and row.session
        for unit in (units.get(UnitId(row.step, row.session).key),)
        for decision in (decision_about(study.tables, unit.id, unit.key) if unit else None,)
        if decision and decision.verdict == REJECTED
    }
    sessions: dict[Patient, set[bool]] = {}
    for unit in units_of(study, "convert"):
        session = unit.id.session
        sessions.setdefault(session.patient, set()).add(session in rejected)
    return {subject for subject, gone in sessions.items() if gone == {True}}


def different_labels(study: Study, cohort: str) -> frozenset[Pair]:
    """Return the pairs of subjects of one cohort that study.toml states to be different persons."""
    return frozenset(
        frozenset(subject for _, subject in pair)
        for pair in _different(study)
        if {name for name, _ in pair} == {cohort}
    )


def other_cohorts(study: Study, cohort: str) -> tuple[OtherCohort, ...]:
    """Return what the other cohorts of a study know of their patients, where it is here."""
    others = []
    for name in study.cohorts_here:
        salt = study.root / study.sourcedata_path(name) / SALT
        if name != cohort and study.has_sourcedata(name) and salt.is_file():
            inventory = study.inventory(name)
            rows = inventory.subjects if inventory else []
            others.append(OtherCohort(name, read_salt(salt), tuple(rows)))
    return tuple(others)


def withdrawn_cohorts(study: Study, cohort: str) -> tuple[WithdrawnCohort, ...]:
    """Return who withdrew consent in a cohort, and in the others whose sourcedata is here."""
    found = []
    for name in study.cohorts_here:
        folder = study.root / study.sourcedata_path(name)
        rows = read_withdrawn(folder) if study.has_sourcedata(name) else []
        if rows:
            own = name == cohort
            found.append(WithdrawnCohort(read_salt(folder / SALT), tuple(rows), own))
    return tuple(found)


def _different(study: Study) -> set[frozenset[Patient]]:
    pairs = set()
    for entry in study.configuration.different_persons:
        labels = [(name.split("/")[0], name.split("/")[1]) for name in entry.subjects]
        pairs |= {frozenset(pair) for pair in combinations(labels, 2)}
    return pairs


def _by_identifier(inventories: dict[str, Inventory]) -> Iterator[frozenset[Patient]]:
    """Pairs across cohorts; within one, a number is split on the user's word alone."""
    holders: dict[str, set[Patient]] = {}
    for cohort, inventory in inventories.items():
        for row in inventory.subjects:
            if row.status == ACCEPTED and len(row.source_id) >= SHORTEST:
                holders.setdefault(row.source_id.casefold(), set()).add((cohort, row.subject))
    for found in holders.values():
        for first, second in combinations(sorted(found), 2):
            if first[0] != second[0]:
                yield frozenset((first, second))


def _by_identity(study: Study, inventories: dict[str, Inventory]) -> Iterator[frozenset[Patient]]:
    """Pairs within each cohort, and those that `add` found across cohorts."""
    for cohort, inventory in inventories.items():
        salt = study.root / study.sourcedata_path(cohort) / SALT
        accepted = [(r.subject, r.identity) for r in inventory.subjects if r.status == ACCEPTED]
        if salt.is_file():
            for pair in pairs_of_one_identity(accepted, read_salt(salt)):
                yield frozenset((cohort, subject) for subject in pair)
        for row in inventory.persons:
            if row.cohort in study.cohorts:
                yield frozenset(((cohort, row.subject), (row.cohort, row.other)))


def _by_image(study: Study, inventories: dict[str, Inventory]) -> Iterator[frozenset[Patient]]:
    """Pairs with the same delivered pixels, or with the same voxels once they are converted."""

    def images() -> Iterator[tuple[str, str]]:
        for cohort, inventory in inventories.items():
            yield from ((f"{cohort}/{row.subject}", row.pixels) for row in inventory.series)
        for who, digest in _acquired(study, "voxels_sha256"):
            yield who, digest or ""

    yield from map(_labels, pairs_of_one_image(images))


def _by_slices(study: Study, inventories: dict[str, Inventory]) -> Iterator[frozenset[Patient]]:
    """Pairs whose images share most slices, as delivered, or once they are converted."""

    def delivered() -> Iterator[Sample]:
        for cohort, inventory in inventories.items():
            for row in inventory.series:
                yield f"{cohort}/{row.subject}", row.slices.split()

    def converted() -> Iterator[Sample]:
        for who, digests in _acquired(study, "slice_digests"):
            yield who, digests or ()

    yield from map(_labels, pairs_of_alike_images(delivered) | pairs_of_alike_images(converted))


def _acquired(study: Study, column: str) -> Iterator[tuple[str, Any]]:
    """Yield cohort and subject of every image as acquired, with the value of a column."""
    names = ("cohort", "subject", "description", column)
    for cohort, subject, description, value in study.tables.columns(ImageRow, *names):
        if description == "":
            yield f"{cohort}/{subject}", value


def _labels(pair: Pair) -> frozenset[Patient]:
    first, second = (name.split("/") for name in pair)
    return frozenset(((first[0], first[1]), (second[0], second[1])))
