"""Whether files under one patient number belong to one patient, without keeping who that is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cta_data.intake.pseudonyms import keyed_hash

if TYPE_CHECKING:
    from cta_data.intake.instances import Instance

IDENTITY_ATTRIBUTES = ("PatientName", "PatientBirthDate", "PatientSex")
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


def normalise(value: str) -> str:
    """Case, blanks and component separators aside: ``DOE^JANE^^`` is ``doe jane``."""
    return " ".join(value.replace("^", " ").replace("=", " ").casefold().split())


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
        fingerprints,
    )


def fingerprints_of(
    instances: Iterable[Instance], attributes: tuple[str, ...], salt: str
) -> dict[str, str]:
    """Fingerprint per attribute that has exactly one value in the files."""
    return _fingerprints(_first_files(instances, attributes), salt)


def fingerprint(salt: str, attribute: str, value: str) -> str:
    """Keyed hash of an attribute's normalised value."""
    return keyed_hash(salt, f"{attribute}={value}")[:_FINGERPRINT_DIGITS]


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
            value = normalise(instance.identity.get(attribute, ""))
            if value:
                found[attribute].setdefault(value, instance.name)
    return found
