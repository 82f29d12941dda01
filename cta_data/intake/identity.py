"""Whether files under one patient number belong to one patient, without keeping who that is."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cta_data.intake.pseudonyms import keyed_hash
from cta_data.redaction.folding import JOINT, SPACE, TURN, fold

if TYPE_CHECKING:
    from cta_data.intake.instances import Instance

NAME = "PatientName"
IDENTITY_ATTRIBUTES = (NAME, "PatientBirthDate", "PatientSex")
SHORTER = "PatientName without a part"
"""Beside the attributes: fingerprints of the name without one of its parts each."""
SINGLE_LETTER = re.compile(rf"\b(\w){JOINT}(?=\w)")
_FINGERPRINT_DIGITS = 32


@dataclass(frozen=True)
class IdentityCheck:
    """Outcome of comparing the identity attributes of one subject.

    Attributes
    ----------
    differing
        Attributes with more than one value.
    files
        One file for each of those values, by name.
    against_inventory
        Attributes whose value is not the one that the inventory remembers.
    agreeing
        Attributes that the inventory remembers, with the same value.
    fingerprints
        Keyed hash per attribute that has exactly one value.
    """

    differing: tuple[str, ...]
    files: tuple[str, ...]
    against_inventory: tuple[str, ...]
    agreeing: tuple[str, ...]
    fingerprints: Mapping[str, str]


def normalise(attribute: str, value: str) -> str:
    """The one spelling in which a value is compared.

    Of names case, accents, transliterations, punctuation and the order of components fall away:
    ``DOE^JANE^^`` and ``Jane Doe`` are ``doe jane``, ``Müller`` and ``Mueller`` are ``muller``. Of
    dates the digits remain.
    """
    if attribute == NAME:
        return " ".join(name_parts(value))
    if attribute.endswith("Date") and any(one.isdigit() for one in value):
        return "".join(one for one in value if one.isdigit())
    return " ".join(value.casefold().split())


def name_parts(name: str) -> list[str]:
    """The parts of a name in their folded spelling, sorted."""
    folded = fold(name).text.replace(TURN, "")
    # O'Neil is one part, Meyer-Schmidt two.
    folded = SINGLE_LETTER.sub(r"\1", folded).replace(JOINT, SPACE)
    return sorted(folded.split())


def check_identity(
    instances: Iterable[Instance],
    remembered: Mapping[str, str],
    attributes: tuple[str, ...],
    salt: str,
) -> IdentityCheck:
    """Compare the identity attributes of a subject's files; empty values are ignored.

    Parameters
    ----------
    instances
        Files of one subject.
    remembered
        Fingerprints of the inventory, empty for a newcomer.
    attributes
        DICOM keywords to compare.
    salt
        Key of the fingerprints.
    """
    first_file = _first_files(instances, attributes)
    differing = tuple(name for name, values in first_file.items() if len(values) > 1)
    files = sorted({file for name in differing for file in first_file[name].values()})
    fingerprints = _fingerprints(first_file, salt)
    shared = [name for name in fingerprints if remembered.get(name)]
    against = tuple(name for name in shared if fingerprints[name] != remembered[name])
    if against:
        files = sorted({*files, *(next(iter(first_file[name].values())) for name in against)})
    return IdentityCheck(
        differing,
        tuple(files),
        against,
        tuple(name for name in shared if name not in against),
        fingerprints | _shorter(first_file, salt),
    )


def fingerprints_of(
    instances: Iterable[Instance], attributes: tuple[str, ...], salt: str
) -> dict[str, str]:
    """Fingerprint per attribute that has exactly one value in the files, and of shorter names."""
    first_file = _first_files(instances, attributes)
    return _fingerprints(first_file, salt) | _shorter(first_file, salt)


def fingerprint(salt: str, attribute: str, value: str) -> str:
    """Keyed hash of an attribute's value in its one spelling."""
    value = normalise(attribute, value)
    return keyed_hash(salt, f"{attribute}={value}")[:_FINGERPRINT_DIGITS]


def _shorter(first_file: Mapping[str, Mapping[str, str]], salt: str) -> dict[str, str]:
    """Fingerprints of a name without one of its parts each: by them a longer name is known."""
    names = list(first_file.get(NAME, ()))
    parts = names[0].split() if len(names) == 1 else []
    if len(parts) < 2:
        return {}
    shorter = [" ".join(parts[:n] + parts[n + 1 :]) for n in range(len(parts))]
    return {SHORTER: " ".join(sorted({fingerprint(salt, NAME, one) for one in shorter}))}


def _fingerprints(first_file: Mapping[str, Mapping[str, str]], salt: str) -> dict[str, str]:
    return {
        name: fingerprint(salt, name, value)
        for name, values in first_file.items()
        if len(values) == 1
        for value in values
    }


def _first_files(
    instances: Iterable[Instance], attributes: tuple[str, ...]
) -> dict[str, dict[str, str]]:
    """Normalised values of each attribute, with the first file that has them."""
    found: dict[str, dict[str, str]] = {attribute: {} for attribute in attributes}
    for instance in instances:
        for attribute in attributes:
            value = normalise(attribute, instance.identity.get(attribute, ""))
            if value:
                found[attribute].setdefault(value, instance.name)
    return found
