"""What the headers of a session tell of the person: sex, and age in years at the session."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

from cta_data.cohorts.clinical.vocabulary import is_plausible_age
from cta_data.intake.persons import BIRTH_DATE, PLACEHOLDERS

SEX = {"F": "female", "M": "male", "O": "other"}
UNITS_IN_A_YEAR = {"Y": 1.0, "M": 12.0, "W": 52.1775, "D": 365.25}
AGE_STRING = re.compile(r"\d{1,3}[DWMY]")
Header = Mapping[str, str]


def person_of(headers: Iterable[Header]) -> tuple[dict[str, Any], list[str]]:
    """Return `sex` and `age_years` of a session, and what was given and cannot be true.

    PatientAge counts before the dates of birth and study. What an anonymiser wrote (`000Y`,
    `999Y`, a birth on 1900-01-01 or after the study) is missing.
    """
    sex: str | None = None
    age: float | None = None
    notes: dict[str, None] = {}
    for header in headers:
        given = header.get("PatientSex", "")
        sex = sex or SEX.get(given)
        if given and given not in SEX:
            notes["PatientSex is none of F, M and O: missing"] = None
        for read in (_stated_age, _age_by_dates):
            if age is None:
                age, fault = read(header)
                notes |= {fault: None} if fault else {}
    return {"sex": sex, "age_years": age}, list(notes)


def _stated_age(header: Header) -> tuple[float | None, str]:
    """The age that a header states, or why it cannot be true."""
    text = header.get("PatientAge", "").strip()
    if not text:
        return None, ""
    units = UNITS_IN_A_YEAR.get(text[-1:])
    years = round(int(text[:-1]) / units, 2) if units and text[:-1].isdigit() else None
    if years is None or not is_plausible_age(years):
        # What is not written as an age may be anything, such as a name.
        shown = f"PatientAge {text}" if AGE_STRING.fullmatch(text) else "PatientAge"
        return None, f"{shown} is no age: missing"
    return years, ""


def _age_by_dates(header: Header) -> tuple[float | None, str]:
    """The age in whole years at the study, or why the dates cannot be true."""
    born, study = _date(header.get(BIRTH_DATE, "")), _date(header.get("StudyDate", ""))
    if born is None or study is None or header[BIRTH_DATE] in PLACEHOLDERS[BIRTH_DATE]:
        return None, ""
    had_birthday = (study.month, study.day) >= (born.month, born.day)
    years = float(study.year - born.year - (not had_birthday))
    if not is_plausible_age(years):
        return None, "PatientBirthDate and StudyDate give no age: missing"
    return years, ""


def _date(text: str) -> date | None:
    try:
        return date(int(text[:4]), int(text[4:6]), int(text[6:])) if len(text) == 8 else None
    except ValueError:
        return None
