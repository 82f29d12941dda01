"""The one name of a session: cohort, subject and session labels."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from cta_data.errors import DataRefused

_CASE = re.compile(r"(?P<cohort>.+)_sub-(?P<subject>[^_]*)_ses-(?P<session>[^_]*)")
_SUBJECT = re.compile(r"sub-[0-9A-Za-z]+")
Patient = tuple[str, str]
"""Cohort and subject label."""


class SessionId(NamedTuple):
    """One subject-session of a cohort, by its labels without `sub-` and `ses-`.

    The session is empty for a subject who was refused before a session had a label. A plan of a
    large study makes and compares hundreds of thousands of them, so it is a tuple: equal to its
    columns in the key of a table.
    """

    cohort: str
    subject: str
    session: str

    @classmethod
    def from_case(cls, case: str) -> SessionId:
        """Return the session that a case is named after.

        Raises
        ------
        DataRefused
            The name is not of the form `<cohort>_sub-<label>_ses-<label>`.
        """
        found = _CASE.fullmatch(case)
        if found is None:
            raise DataRefused("case_name_invalid", where=case)
        return cls(**found.groupdict())

    @classmethod
    def of(cls, columns: Mapping[str, Any]) -> SessionId:
        """Return the session that columns of these names tell."""
        return cls(columns["cohort"], columns["subject"], columns["session"])

    @property
    def case(self) -> str:
        """Name of its case in builds, test sets and predictions."""
        return f"{self.cohort}_sub-{self.subject}_ses-{self.session}"

    @property
    def patient(self) -> Patient:
        """Whose session it is."""
        return (self.cohort, self.subject)

    @property
    def patient_name(self) -> str:
        """Whose session it is, in one text: what clusters of lesions are told apart by."""
        return f"{self.cohort}/{self.subject}"

    def columns(self) -> dict[str, str]:
        """Return its columns in a table."""
        return self._asdict()

    def __str__(self) -> str:
        names = [self.cohort]
        names += [f"sub-{self.subject}"] if self.subject else []
        names += [f"ses-{self.session}"] if self.session else []
        return " ".join(names)


def patients_of_cases(cases: Iterable[str]) -> dict[str, str]:
    """Return whose each case is, by its name: sessions of a subject are of one patient.

    A name that holds no `sub-<label>` is that of a patient.
    """
    return {case: _patient(case) for case in cases}


def _patient(case: str) -> str:
    try:
        return SessionId.from_case(case).patient_name
    except DataRefused:
        found = _SUBJECT.match(case)
        return found[0] if found else case
