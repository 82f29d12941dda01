"""Which subjects are one person: they have one name and birth date, or one image.

What is compared are keyed hashes and digests, so that it can be done from the tables alone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

from cta_data.intake.identity import fingerprint, fingerprints_of
from cta_data.intake.inventory import ACCEPTED, PersonRow, SubjectRow

if TYPE_CHECKING:
    from cta_data.intake.instances import Instance

NAME, BIRTH_DATE, SEX = "PatientName", "PatientBirthDate", "PatientSex"
PLACEHOLDERS: Mapping[str, tuple[str, ...]] = {
    NAME: (
        *("anon", "anonym", "anonymous", "anonymized", "anonymised", "anonymous anonymous"),
        *("anonymous patient", "anonymized patient", "patient anonymous", "no name", "noname"),
        *("unknown", "unbekannt", "none", "null", "n/a", "na", "nn", "n.n.", "patient", "name"),
        *("patient name", "subject", "test", "test patient", "phantom", "default", "x", "xx"),
        *("xxx", "xxxx", "deidentified", "de-identified", "removed", "redacted", "hidden"),
    ),
    BIRTH_DATE: (
        "00000000",
        "00010101",
        "11111111",
        "18000101",
        "19000101",
        "19700101",
        "99991231",
    ),
}
"""What anonymisers write for everybody, normalised: it names nobody."""

Fingerprints = Mapping[str, str]
Pair = frozenset[str]


@dataclass(frozen=True)
class OtherCohort:
    """What another cohort of the study knows of its patients.

    Attributes
    ----------
    salt
        Key of its fingerprints.
    subjects
        Its rows of ``subjects.tsv``.
    """

    name: str
    salt: str
    subjects: tuple[SubjectRow, ...]


def placeholders(salt: str) -> frozenset[str]:
    """Fingerprints that name nobody."""
    return frozenset(
        fingerprint(salt, attribute, value)
        for attribute, values in PLACEHOLDERS.items()
        for value in values
    )


def pairs_of_one_identity(people: Iterable[tuple[str, Fingerprints]], salt: str) -> set[Pair]:
    """Pairs of subjects with the same name and birth date, and nothing that contradicts.

    Parameters
    ----------
    people
        Subject and fingerprints of each patient number.
    salt
        Key of the fingerprints.
    """
    nobody = placeholders(salt)
    alike: dict[tuple[str, str], list[tuple[str, Fingerprints]]] = {}
    for subject, one in people:
        key = (one.get(NAME, ""), one.get(BIRTH_DATE, ""))
        if all(key) and nobody.isdisjoint(key):
            alike.setdefault(key, []).append((subject, one))
    return {
        frozenset((first, second))
        for group in alike.values()
        for (first, one), (second, other) in combinations(group, 2)
        if first != second and all(one[k] == other[k] for k in one.keys() & other.keys())
    }


def pairs_of_one_image(images: Iterable[tuple[str, str]]) -> set[Pair]:
    """Pairs of subjects with the same image; each is a subject and a digest, empty for none."""
    holders: dict[str, set[str]] = {}
    for subject, digest in images:
        if digest:
            holders.setdefault(digest, set()).add(subject)
    return {
        frozenset(pair) for found in holders.values() for pair in combinations(sorted(found), 2)
    }


def image_digest(pixels: Iterable[str]) -> str:
    """Digest of a series' pixels, whatever its instances are called; empty where they say nothing.

    Parameters
    ----------
    pixels
        `Instance.pixels` of all instances, in any order.
    """
    known = sorted(one for one in pixels if one)
    return hashlib.sha256(" ".join(known).encode()).hexdigest() if known else ""


def image_digests(instances: Iterable[Instance]) -> set[str]:
    """Digest of every image among the instances of a source."""
    series: dict[tuple[str, str], dict[str, str]] = {}
    for one in instances:
        if not one.fault:
            pixels = series.setdefault((one.series_uid, one.sop_class), {})
            pixels[one.sop_uid] = one.pixels
    return {image_digest(pixels.values()) for pixels in series.values()} - {""}


def persons_elsewhere(
    subject: str,
    instances_by_number: Mapping[str, Iterable[Instance]],
    others: Iterable[OtherCohort],
    attributes: tuple[str, ...],
) -> list[PersonRow]:
    """Subjects of other cohorts who are, by name and birth date, a subject of this source.

    Every cohort has a secret of its own: the names are hashed under each while they are at hand.
    """
    found: set[PersonRow] = set()
    for cohort in others:
        own = [
            (subject, fingerprints_of(instances, attributes, cohort.salt))
            for instances in instances_by_number.values()
        ]
        # A blank keeps the labels of both cohorts apart: no label has one.
        known = [(f" {r.subject}", r.identity) for r in cohort.subjects if r.status == ACCEPTED]
        for pair in pairs_of_one_identity([*own, *known], cohort.salt):
            other = next((label for label in pair if label.startswith(" ")), "")
            if other and subject in pair:
                found.add(PersonRow(subject, cohort.name, other.strip()))
    return sorted(found, key=lambda row: (row.cohort, row.other))
