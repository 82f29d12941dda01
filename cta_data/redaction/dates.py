"""Dates in free text: days and months of treatment, birth or death single out a patient."""

from __future__ import annotations

import re

from cta_data.redaction.forms import MONTHS

DATE_REMOVED = "[date]"
_DAY, _MONTH = r"(?:0?[1-9]|[12]\d|3[01])", r"(?:0?[1-9]|1[0-2])"
_DAY_2, _MONTH_2 = r"(?:0[1-9]|[12]\d|3[01])", r"(?:0[1-9]|1[0-2])"
_YEAR, _SHORT = r"(?:19|20)\d\d", r"'?\d\d"
_APART = r"\s?[./-]\s?"
_NAMED = "(?:" + "|".join(sorted({one for month in MONTHS for one in month})) + r")[^\W\d_]*\.?"
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
)
_DATE = re.compile(rf"(?<![^\W_])(?:{'|'.join(_WRITTEN)}){_TIME}(?![^\W_])", re.IGNORECASE)


def without_dates(text: str) -> str:
    """Return a text with `[date]` in the place of every date that names a month.

    In the usual orders and separators, with two or four digits of the year, with names of months
    in six languages, and as eight digits. A year alone stays.
    """
    return _DATE.sub(DATE_REMOVED, text)
