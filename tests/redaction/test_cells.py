"""Cells of tables about patients leave the raw data without identity, and without dates."""

from __future__ import annotations

import pytest

from cta_data.cohorts.clinical.vocabulary import WORDS
from cta_data.redaction import CellRedactor, Identity
from cta_data.redaction.cells import without_dates

COHORT = Identity(
    names=frozenset({"Zaunkönig^Wilhelmine", "Rotkehl^Otto", "Oma^Ren"}),
    numbers=frozenset({"HW123456", "HW223344"}),
    birth_dates=frozenset({"19240219"}),
)


@pytest.mark.parametrize(
    ("cell", "published"),
    [
        ("Adeno (Fr. Zaunkönig, *19.2.1924)", "Adeno (Fr. ***, *[date])"),
        ("12 (gest. 03.04.2021)", "12 (gest. [date])"),
        ("SCLC, Herr Rotkehl, siehe HW123456", "SCLC, Herr ***, siehe ***"),
        ("see 123456", "see ***"),
        ("born 190224", "born ***"),
        ("melanoma", "melanoma"),
        ("renal cell carcinoma", "renal cell carcinoma"),
        *((same, same) for same in ("7", "12.5", "1950", "<0.35", "95 %", "G2", "T2N1M0", "12-15")),
    ],
)
def test_a_cell_keeps_what_it_says_of_the_disease(cell: str, published: str) -> None:
    """Any patient of the cohort is looked for; a name that is a piece of a term is not cut out."""
    assert CellRedactor(COHORT, WORDS).redact(cell) == published


@pytest.mark.parametrize(
    "date",
    [
        *("2021-04-03", "2021-04-03T12:30:00", "03.04.2021", "3.4.21", "3/4/2021", "04/31/1999"),
        *("20210403", "03042021", "04/2021", "2021-04", "3 April 2021", "3. Apr. 2021"),
        *(
            "April 3, 2021",
            "3rd of April 2021",
            "Februar 2021",
            "3-Apr-21",
            "21-04-03",
            "März 1999",
            "19-II-1937",
            "3. IV. 21",
            "1937年2月19日",
        ),
    ],
)
@pytest.mark.parametrize("around", ["{}", "died {}", "({})", "on {}, at home"])
def test_dates_with_a_month_are_held_back(date: str, around: str) -> None:
    """In the usual written forms, wherever they stand."""
    assert without_dates(around.format(date)) == around.format("[date]")


@pytest.mark.parametrize("text", ["2021", "G 2/3", "12.5 Gy", "5 x 6", "1800 cGy", "v1.2.3", "may"])
def test_what_is_no_date_stays(text: str) -> None:
    """A year alone, grades, doses and versions."""
    assert without_dates(text) == text
