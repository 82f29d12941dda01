"""Spellings to one vocabulary: known ones are read, others told, nothing is guessed."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cta_data.cohorts.clinical.vocabulary import GROUPS, CellReading, fold, read_age, read_term


@pytest.mark.parametrize(
    ("field", "text", "value"),
    [
        ("sex", "F", "female"),
        ("sex", " weiblich ", "female"),
        ("sex", "MALE", "male"),
        ("primary_tumour", "Lung  Cancer", "lung"),
        ("primary_tumour", "unknown", "unknown"),
        ("prior_brain_radiotherapy", "None", "none"),
        ("prior_brain_radiotherapy", "WBRT", "wbrt"),
    ],
)
def test_common_spellings_are_known(field: str, text: str, value: str) -> None:
    """Case and blanks do not matter."""
    assert read_term(field, text) == CellReading(value)


@pytest.mark.parametrize("text", ["0", "1", "2", "1.0", "x", "female?", "yes"])
def test_numbers_and_unknown_spellings_are_not_guessed(text: str) -> None:
    """They are told apart from a cell that says nothing."""
    for field in GROUPS:
        assert read_term(field, text) == CellReading(None, understood=False)


@pytest.mark.parametrize("text", ["", "  ", "n/a", "NaN", "not available", "#N/A"])
def test_what_says_nothing_is_missing(text: str) -> None:
    """Missing is no value, and nothing to report."""
    for field in GROUPS:
        assert read_term(field, text) == CellReading(None)
    assert read_age(text) == CellReading(None)


def test_the_card_wins_spelling_before_pattern_before_common() -> None:
    """A card may contradict what is common; its exact spellings come before its patterns."""
    spellings = {"1": "male", "f": "n/a"}
    patterns = [("^m", "other"), ("^1", "female")]
    assert read_term("sex", "1", spellings, patterns) == CellReading("male")
    assert read_term("sex", "12", spellings, patterns) == CellReading("female")
    assert read_term("sex", "M", spellings, patterns) == CellReading("other")
    assert read_term("sex", "F", spellings, patterns) == CellReading(None)
    assert read_term("sex", "w", spellings, patterns) == CellReading("female")


@pytest.mark.parametrize(
    ("text", "years"),
    [
        ("63", 63.0),
        ("63.0", 63.0),
        ("63Y", 63.0),
        ("063Y", 63.0),
        ("63 years", 63.0),
        ("63 Jahre", 63.0),
        ("62,5", 62.5),
        ("018M", 1.5),
        ("120", 120.0),
    ],
)
def test_ages_are_years(text: str, years: float) -> None:
    """However they are written, DICOM's age string included."""
    assert read_age(text) == CellReading(years)


@pytest.mark.parametrize(
    "text",
    ["0", "000Y", "999Y", "121", "-1", "630", ">89", "60-65", "1957-03-01", "old", "6e1"],
)
def test_what_is_no_age_is_told(text: str) -> None:
    """What nobody can be of age, and anything that is no single number."""
    assert read_age(text) == CellReading(None, understood=False)


def test_a_card_names_codes_for_no_age() -> None:
    """99 is an age until the card says that it stands for none."""
    assert read_age("99") == CellReading(99.0)
    assert read_age("99", ["99", "-9"]) == read_age("-9", ["99", "-9"]) == CellReading(None)


@given(st.text(max_size=12) | st.floats().map(str))
def test_any_text_is_read_without_an_error(text: str) -> None:
    """Ages are within the range, terms within their groups, and folding twice is folding once."""
    age = read_age(text).value
    assert age is None or (isinstance(age, float) and 0 < age <= 120 and math.isfinite(age))
    for field, groups in GROUPS.items():
        assert read_term(field, text).value in (None, *groups)
    assert fold(fold(text)) == fold(text) or not text.isascii()
