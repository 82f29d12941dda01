"""Which subjects are one person: they have one name and birth date, or one image.

What is compared are keyed hashes and digests, so that it can be done from the tables alone.
"""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from cta_data.formats.slice_samples import are_copies, sample
from cta_data.intake.identity import SHORTER, fingerprint, fingerprints_of
from cta_data.study.sourcedata import ACCEPTED, PersonRow, SubjectRow

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cta_data.intake.instances import Instance

NAME, BIRTH_DATE, SEX = "PatientName", "PatientBirthDate", "PatientSex"
SLICE_DIGITS = 12
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
Sample = tuple[str, Iterable[str]]
"""A subject, and a sample of the digests of the slices of one of the subject's images."""


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

    Where birth date and sex are the same, a name may have one part more than the other.

    Parameters
    ----------
    people
        Subject and fingerprints of each patient number.
    salt
        Key of the fingerprints.
    """
    nobody = placeholders(salt)
    born: dict[str, list[tuple[str, Fingerprints]]] = {}
    for subject, one in people:
        key = (one.get(NAME, ""), one.get(BIRTH_DATE, ""))
        if all(key) and nobody.isdisjoint(key):
            born.setdefault(one[BIRTH_DATE], []).append((subject, one))
    return {
        frozenset((first, second))
        for group in born.values()
        for (first, one), (second, other) in combinations(group, 2)
        if first != second and _may_be_one(one, other)
    }


def _may_be_one(one: Fingerprints, other: Fingerprints) -> bool:
    """Return whether two persons with one birth date may be the same."""
    shared = (one.keys() & other.keys()) - {NAME, SHORTER}
    if any(one[name] != other[name] for name in shared):
        return False
    if one[NAME] == other[NAME]:
        return True
    longer = one[NAME] in other.get(SHORTER, "").split()
    return SEX in shared and (longer or other[NAME] in one.get(SHORTER, "").split())


def pairs_of_one_image(images: Callable[[], Iterable[tuple[str, str]]]) -> set[Pair]:
    """Pairs of subjects with the same image.

    Parameters
    ----------
    images
        Gives subject and digest of all images, the digest empty for none; it is asked twice, since
        images are many, and few of them come again.
    """
    again = _repeated(np.fromiter((hash(one) for _, one in images() if one), np.int64))
    holders: dict[str, set[str]] = {}
    for subject, digest in images():
        if digest and hash(digest) in again:
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


def sample_of_slices(pixels: Iterable[str]) -> list[str]:
    """A sample of the digests of a series' slices; see `cta_data.formats.digests`."""
    return sample(one[:SLICE_DIGITS] for one in pixels if one)


def pixels_of_images(instances: Iterable[Instance]) -> list[list[str]]:
    """`Instance.pixels` of every image among the instances of a source."""
    series: dict[tuple[str, str], dict[str, str]] = {}
    for one in instances:
        if not one.fault:
            pixels = series.setdefault((one.series_uid, one.sop_class), {})
            pixels[one.sop_uid] = one.pixels
    return [list(pixels.values()) for pixels in series.values()]


def pairs_of_alike_images(images: Callable[[], Iterable[Sample]]) -> set[Pair]:
    """Pairs of subjects with images that share most slices.

    Parameters
    ----------
    images
        Gives all images; it is asked again where slices come again: digests are many, and few do.
    """
    hashes, ends = array("q"), array("q", [0])
    for _, slices in images():
        hashes.extend(map(hash, slices))
        ends.append(len(hashes))
    of_slices = np.frombuffer(hashes, np.int64)
    again = _repeated(of_slices)
    if not again:
        return set()
    n_again = np.append(0, np.cumsum(np.isin(of_slices, np.fromiter(again, np.int64))))
    with_some = np.diff(n_again[np.frombuffer(ends, np.int64)]) > 0
    known = [
        (subject, frozenset(slices))
        for some, (subject, slices) in zip(with_some, images(), strict=True)
        if some
    ]
    holders: dict[str, set[int]] = {}
    for number, (_, slices) in enumerate(known):
        for one in slices:
            if hash(one) in again:
                holders.setdefault(one, set()).add(number)
    near = {pair for found in holders.values() for pair in combinations(sorted(found), 2)}
    return {
        frozenset((known[first][0], known[second][0]))
        for first, second in near
        if known[first][0] != known[second][0] and are_copies(known[first][1], known[second][1])
    }


def _repeated(hashes: NDArray[np.int64]) -> set[int]:
    """Return those that come more than once."""
    ordered = np.sort(hashes)
    return set(ordered[1:][ordered[1:] == ordered[:-1]].tolist())


def persons_elsewhere(
    subject: str,
    instances_by_number: Mapping[str, Iterable[Instance]],
    others: Iterable[OtherCohort],
    attributes: tuple[str, ...],
) -> list[PersonRow]:
    """Subjects of other cohorts who are, by name and birth date, a subject of this source.

    Every cohort has a secret of its own: the names are hashed under each while they are available.
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
