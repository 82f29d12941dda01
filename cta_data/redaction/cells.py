"""Cells of tables about patients: whatever was typed beside the value stays in the raw data."""

from __future__ import annotations

import re
from collections.abc import Iterable

from cta_data.redaction.forms import MONTHS, ROMAN
from cta_data.redaction.identity import Identity
from cta_data.redaction.redactor import REMOVED, Redactor

DATE_REMOVED = "[date]"
_DAY, _MONTH = r"(?:0?[1-9]|[12]\d|3[01])", r"(?:0?[1-9]|1[0-2])"
_DAY_2, _MONTH_2 = r"(?:0[1-9]|[12]\d|3[01])", r"(?:0[1-9]|1[0-2])"
_YEAR, _SHORT = r"(?:19|20)\d\d", r"'?\d\d"
_APART = r"\s?[./-]\s?"
_NAMED = "(?:" + "|".join(sorted({one for month in MONTHS for one in month})) + r")[^\W\d_]*\.?"
_ROMAN = "(?:" + "|".join(ROMAN) + ")"
_TIME = r"(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?)?"
_WRITTEN = (
    rf"{_YEAR}{_APART}{_MONTH}{_APART}{_DAY}",
    rf"{_DAY}{_APART}{_MONTH}{_APART}(?:{_YEAR}|{_SHORT})",
    rf"{_MONTH}{_APART}{_DAY}{_APART}(?:{_YEAR}|{_SHORT})",
    rf"\d\d{_APART}{_MONTH_2}{_APART}{_DAY_2}",
    rf"{_YEAR}{_MONTH_2}{_DAY_2}(?:\d{{6}})?",
    rf"{_DAY_2}{_MONTH_2}{_YEAR}|{_MONTH_2}{_DAY_2}{_YEAR}",
    rf"{_MONTH}{_APART}{_YEAR}|{_YEAR}{_APART}{_MONTH}",
    rf"{_DAY}(?:st|nd|rd|th)?[\s.-]*(?:of |de |di )?{_NAMED}[\s,-]*(?:{_YEAR}|{_SHORT})",
    rf"{_NAMED}[\s-]*{_DAY}(?:st|nd|rd|th)?,?\s+{_YEAR}",
    rf"{_NAMED}[\s,-]*{_YEAR}",
    rf"{_DAY}{_APART}{_ROMAN}{_APART}(?:{_YEAR}|{_SHORT})",
    rf"{_YEAR}年{_MONTH}月(?:{_DAY}日)?",
)
_DATE = re.compile(rf"(?<![^\W_])(?:{'|'.join(_WRITTEN)}){_TIME}(?![^\W_])", re.IGNORECASE)


LONG_NUMBER = 6
"""Digits of a number that a measurement does not equal by chance."""
_MEASURED = re.compile(r"[<>≤≥=~]*\s*[-+]?\d+(?:[.,]\d+)?(?:[eE][-+]?\d+)?\s*%?")


class CellRedactor:
    """Removes the identity of all patients of a cohort, and dates, from cells and headers.

    A clerk writes of one patient in the row of another, so that all are looked for in every cell.
    A number of fewer than `LONG_NUMBER` digits that fills its cell was measured, and stays.
    """

    def __init__(self, identity: Identity, words: Iterable[str] = ()) -> None:
        """Look for an identity; `words` are of the vocabulary, which a name may be a piece of."""
        names = Identity(identity.names, identity.numbers)
        self._redactor = Redactor(names, words)
        # Dates are removed whoever's they are: of birth dates what looks like another number.
        self._birth = frozenset(
            short for date in identity.birth_dates if len(date) == 8 for short in _six_digits(date)
        )
        self._known: dict[str, str] = {}

    def redact(self, text: str) -> str:
        """Return a text with `***` for every piece of identity and `[date]` for every date."""
        if text not in self._known:
            self._known[text] = self._redact(text)
        return self._known[text]

    def _redact(self, text: str) -> str:
        if _MEASURED.fullmatch(text) and len(re.findall(r"\d", text)) < LONG_NUMBER:
            return text
        shown = without_dates(self._redactor.redact(text))
        return re.sub(
            r"(?<!\d)\d{6}(?!\d)", lambda six: REMOVED if six[0] in self._birth else six[0], shown
        )


def _six_digits(date: str) -> tuple[str, str, str]:
    """Return a birth date (`YYYYMMDD`) in the orders in which it is written with six digits."""
    year, month, day = date[2:4], date[4:6], date[6:]
    return day + month + year, year + month + day, month + day + year


def without_dates(text: str) -> str:
    """Return a text with `[date]` in the place of every date that names a month.

    In the usual orders and separators, with two or four digits of the year, with names of months
    in six languages, and as eight digits. A year alone stays.
    """
    return _DATE.sub(DATE_REMOVED, text)
