"""Who a patient is, as headers and sources say it: names, numbers and birth dates."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from cta_data.patterns import fullmatch

NAMES = (
    "PatientName",
    "OtherPatientNames",
    "PatientBirthName",
    "PatientMotherBirthName",
    "ResponsiblePerson",
    "ReferringPhysicianName",
    "ConsultingPhysicianName",
    "RequestingPhysician",
    "PhysiciansOfRecord",
    "PerformingPhysicianName",
    "NameOfPhysiciansReadingStudy",
    "OperatorsName",
    "ReviewerName",
    "ContentCreatorName",
    "ROIInterpreter",
)
"""The patient's names, and those of people who are named beside."""
NUMBERS = (
    "PatientID",
    "OtherPatientIDs",
    "MedicalRecordLocator",
    "PatientTelephoneNumbers",
    "AccessionNumber",
    "StudyID",
)
BIRTH_DATE = "PatientBirthDate"
KEYWORDS = (*NAMES, *NUMBERS, BIRTH_DATE)


@dataclass(frozen=True)
class Identity:
    """Names, numbers and birth dates (`YYYYMMDD`) of one patient, as they are written there."""

    names: frozenset[str] = frozenset()
    numbers: frozenset[str] = frozenset()
    birth_dates: frozenset[str] = frozenset()

    def __or__(self, other: Identity) -> Identity:
        return Identity(
            self.names | other.names,
            self.numbers | other.numbers,
            self.birth_dates | other.birth_dates,
        )

    @classmethod
    def of_headers(cls, headers: Iterable[Mapping[str, str]]) -> Identity:
        r"""Return what headers say, each text by keyword, several values joined by a backslash."""
        identity = cls()
        for header in headers:
            identity |= cls(
                frozenset(_values(header, NAMES)),
                frozenset(_values(header, NUMBERS)),
                frozenset(_values(header, (BIRTH_DATE,))),
            )
        return identity

    @classmethod
    def of_identifier(cls, identifier: str, *, public: bool = False) -> Identity:
        """Return what an identifier of a source says: a folder may be called after a name.

        Of a `public` identifier that is nothing: labels hold it, and names of files and
        rows hold it.
        """
        return cls() if public else cls(numbers=frozenset({identifier}))


def is_public(pattern: str, identifier: str) -> bool:
    """Return whether an identifier belongs to a public collection (`subjects.pattern`)."""
    return bool(pattern and fullmatch(pattern, identifier))


def _values(header: Mapping[str, str], keywords: Iterable[str]) -> set[str]:
    return {
        value.strip()
        for keyword in keywords
        for value in header.get(keyword, "").split("\\")
        if value.strip()
    }
