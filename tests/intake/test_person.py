"""Sex and age from headers: what nobody can be of age is missing, and told."""

from __future__ import annotations

import pytest

from cta_data.intake.person import person_of


@pytest.mark.parametrize(
    ("header", "years"),
    [
        ({"PatientAge": "063Y"}, 63.0),
        ({"PatientAge": "018M"}, 1.5),
        ({"PatientBirthDate": "19600203", "StudyDate": "20200202"}, 59.0),
        ({"PatientBirthDate": "19600203", "StudyDate": "20200203"}, 60.0),
        ({"PatientAge": "093Y"}, 93.0),
    ],
)
def test_ages(header: dict[str, str], years: float) -> None:
    """The age that is stated, else whole years between the dates; nothing to report."""
    assert person_of([header]) == ({"sex": None, "age_years": years}, [])


@pytest.mark.parametrize(
    "header",
    [
        {"PatientAge": "000Y"},
        {"PatientAge": "000D"},
        {"PatientAge": "999Y"},
        {"PatientAge": "-01Y"},
        {"PatientAge": "Doe"},
        {"PatientBirthDate": "20300101", "StudyDate": "20200101"},
        {"PatientBirthDate": "18500101", "StudyDate": "20200101"},
    ],
)
def test_what_nobody_is_of_age_is_missing_and_told(header: dict[str, str]) -> None:
    """One note, without what may be a name."""
    person, [note] = person_of([header, header])
    assert person["age_years"] is None
    assert note.endswith("missing") and "Doe" not in note


def test_a_placeholder_birth_date_says_nothing() -> None:
    """An anonymiser's date gives no age, and PatientAge still does."""
    born = {"PatientBirthDate": "19000101", "StudyDate": "20100101"}
    assert person_of([born]) == ({"sex": None, "age_years": None}, [])
    assert person_of([born | {"PatientAge": "070Y"}])[0]["age_years"] == 70.0
    wrong_age = {"PatientAge": "999Y", "PatientBirthDate": "19600203", "StudyDate": "20200202"}
    person, notes = person_of([wrong_age])
    assert person["age_years"] == 59.0 and notes == ["PatientAge 999Y is no age: missing"]


def test_sex() -> None:
    """F, M and O; another text is missing and told."""
    assert person_of([{}, {"PatientSex": "F"}]) == ({"sex": "female", "age_years": None}, [])
    person, notes = person_of([{"PatientSex": "U"}])
    assert person["sex"] is None and len(notes) == 1
