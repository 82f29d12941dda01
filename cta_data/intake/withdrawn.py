"""Who withdrew consent: known again by keyed hashes, should the same patient be delivered again.

``withdrawn.tsv`` lies in ``sourcedata`` beside the salt, without which no hash leads anywhere. It
holds the least by which a delivery is recognised: patient numbers, name with birth date, images,
and the label, which nobody else may get. See docs/decisions/0058.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from cta_data.intake.identity import NAME, fingerprints_of
from cta_data.intake.persons import (
    BIRTH_DATE,
    image_digest,
    pixels_of_images,
    placeholders,
)
from cta_data.intake.pseudonyms import keyed_hash
from cta_data.study.sourcedata import SeriesRow, SubjectRow, read_table, write_table

if TYPE_CHECKING:
    from cta_data.intake.instances import Instance

WITHDRAWN = Path("withdrawn.tsv")
LEAST_ELSEWHERE = 6
"""Characters of a patient number that is looked for in other cohorts: `12` is in many hospitals."""
_DIGITS = 32


@dataclass(frozen=True, slots=True)
class WithdrawnRow:
    """One patient who withdrew consent.

    Attributes
    ----------
    withdrawal
        Random name, as in the table `withdrawals`.
    label, numbers, persons, images
        Keyed hashes, with blanks between: of the subject label; of each patient number; of name
        and birth date together; of the pixels of each image.
    consent_again_on
        When the patient was added again on new consent; empty before.
    """

    withdrawal: str
    withdrawn_on: str
    label: str
    numbers: str
    persons: str
    images: str
    consent_again_on: str = ""

    @property
    def holds(self) -> bool:
        """Whether consent was not given again."""
        return not self.consent_again_on


@dataclass(frozen=True)
class WithdrawnCohort:
    """The withdrawals of a cohort, with the key of its hashes."""

    salt: str
    rows: tuple[WithdrawnRow, ...]
    is_own: bool = True


def read_withdrawn(sourcedata: Path) -> list[WithdrawnRow]:
    """Return who withdrew consent; an absent table is empty.

    Raises
    ------
    CtaError
        The table is damaged or not here.
    """
    return read_table(sourcedata / WITHDRAWN, WithdrawnRow)


def write_withdrawn(sourcedata: Path, rows: Iterable[WithdrawnRow]) -> list[Path]:
    """Write ``withdrawn.tsv``; returns the names (relative) of the files that changed."""
    ordered = sorted(rows, key=lambda row: row.withdrawal)
    return write_table(sourcedata, WITHDRAWN, WithdrawnRow, ordered) if ordered else []


def withdrawn_row(
    withdrawal: str,
    withdrawn_on: str,
    label: str,
    people: Iterable[SubjectRow],
    series: Iterable[SeriesRow],
    salt: str,
) -> WithdrawnRow:
    """Return what is kept of a patient, from the rows of the tables that are about to go."""
    known = list(people)
    nobody = placeholders(salt)
    persons = [_person(row.identity, salt, nobody) for row in known]
    numbers = [_hash(salt, "number", row.source_id) for row in known if row.source_id]
    images = [_hash(salt, "image", row.pixels) for row in series if row.pixels]
    return WithdrawnRow(
        withdrawal,
        withdrawn_on,
        _hash(salt, "label", label),
        *(" ".join(sorted({*filter(None, found)})) for found in (numbers, persons, images)),
    )


def is_withdrawn_label(rows: Iterable[WithdrawnRow], salt: str) -> Callable[[str], bool]:
    """Return what tells whether a label was that of a patient who withdrew consent."""
    gone = {row.label for row in rows}
    return lambda label: bool(gone) and _hash(salt, "label", label) in gone


def withdrawal_of(
    numbers: Mapping[str, Iterable[Instance]],
    attributes: tuple[str, ...],
    cohorts: Iterable[WithdrawnCohort],
) -> WithdrawnRow | None:
    """Return the withdrawal of a delivered patient, or None.

    Parameters
    ----------
    numbers
        Files of the patient, by patient number.
    attributes
        DICOM keywords of the identity.
    cohorts
        Withdrawals of this cohort and of others: every cohort has a key of its own.
    """
    pixels: list[str] | None = None
    for cohort in cohorts:
        standing = [row for row in cohort.rows if row.holds]
        if not standing:
            continue
        if pixels is None:
            every = [one for files in numbers.values() for one in files]
            pixels = [image_digest(found) for found in pixels_of_images(every)]
        known = {_hash(cohort.salt, "image", one) for one in pixels if one}
        nobody = placeholders(cohort.salt)
        for number, files in numbers.items():
            if number and (cohort.is_own or len(number) >= LEAST_ELSEWHERE):
                known.add(_hash(cohort.salt, "number", number))
            identity = fingerprints_of(files, attributes, cohort.salt)
            known.add(_person(identity, cohort.salt, nobody))
        for row in standing:
            if known & {*row.numbers.split(), *row.persons.split(), *row.images.split()}:
                return row
    return None


def with_consent_again(sourcedata: Path, withdrawals: Iterable[str], day: str) -> list[Path]:
    """Note that consent was given again; returns the names (relative) of the files that changed."""
    wanted = set(withdrawals)
    rows = read_withdrawn(sourcedata)
    return write_withdrawn(
        sourcedata,
        [replace(r, consent_again_on=day) if r.withdrawal in wanted else r for r in rows],
    )


def _person(identity: Mapping[str, str], salt: str, nobody: frozenset[str]) -> str:
    """Return the hash of name and birth date; empty where one is missing or names nobody."""
    key = (identity.get(NAME, ""), identity.get(BIRTH_DATE, ""))
    named = all(key) and nobody.isdisjoint(key)
    return _hash(salt, "person", " ".join(key)) if named else ""


def _hash(salt: str, what: str, text: str) -> str:
    return keyed_hash(salt, f"withdrawn {what}={text}")[:_DIGITS]
