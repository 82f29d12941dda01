"""One vocabulary for what clinical tables tell of a patient, whatever their spelling.

Nothing is guessed: a text that is neither a known spelling nor mapped by the card has no meaning,
and whoever asks can tell that apart from a cell that says nothing. Numbers in particular stand
for nothing until a card says so: 0 and 1 mean opposite sexes in different tables.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from cta_data.patterns import search

SEX = ("female", "male", "other")
UNKNOWN = "unknown"
PRIMARY_TUMOUR = ("lung", "melanoma", "breast", "kidney", UNKNOWN, "others")
PRIOR_BRAIN_RADIOTHERAPY = ("none", "srs", "wbrt")

GROUPS: dict[str, tuple[str, ...]] = {
    "sex": SEX,
    "primary_tumour": PRIMARY_TUMOUR,
    "prior_brain_radiotherapy": PRIOR_BRAIN_RADIOTHERAPY,
}
"""What a field may say, by field; the age is a number and has no groups."""

FIELDS = ("sex", "age_years", "primary_tumour", "prior_brain_radiotherapy")

NOT_GIVEN = "n/a"
"""What a card maps a spelling to that says that nothing is known."""

OLDEST_YEARS = 120.0

_MISSING = frozenset(
    (
        "",
        "-",
        "--",
        "?",
        ".",
        "n/a",
        "na",
        "n.a.",
        "nan",
        "nat",
        "null",
        "none",
        "#n/a",
        "not available",
        "not given",
        "not reported",
        "not known",
        "unknown",
        "missing",
        "k.a.",
    )
)

_SPELLINGS: dict[str, dict[str, tuple[str, ...]]] = {
    "sex": {
        "female": ("f", "female", "w", "woman", "weiblich", "frau"),
        "male": ("m", "male", "man", "männlich", "maennlich", "mann"),
        "other": ("o", "other", "d", "diverse", "divers", "non-binary"),
    },
    "primary_tumour": {
        "lung": (
            "lung",
            "lung cancer",
            "lung carcinoma",
            "lung adenocarcinoma",
            "nsclc",
            "sclc",
            "non-small cell lung cancer",
            "non small cell lung cancer",
            "small cell lung cancer",
        ),
        "melanoma": ("melanoma", "malignant melanoma", "metastatic melanoma"),
        "breast": ("breast", "breast cancer", "breast carcinoma"),
        "kidney": (
            "kidney",
            "kidney cancer",
            "renal",
            "renal cancer",
            "renal cell carcinoma",
            "renal cell cancer",
            "rcc",
        ),
        "unknown": ("unknown", "cup", "unknown primary", "cancer of unknown primary"),
        "others": ("others", "other"),
    },
    "prior_brain_radiotherapy": {
        "none": ("none", "no", "no prior radiotherapy"),
        "srs": ("srs", "radiosurgery", "stereotactic radiosurgery"),
        "wbrt": ("wbrt", "whole brain radiotherapy", "whole-brain radiotherapy"),
    },
}

_DEFAULTS = {
    field: {spelling: group for group, known in groups.items() for spelling in known}
    for field, groups in _SPELLINGS.items()
}

WORDS = frozenset(
    word
    for groups in _SPELLINGS.values()
    for known in groups.values()
    for spelling in known
    for word in re.findall(r"[^\W\d_]+", spelling)
)
"""Words of all spellings."""
_YEARS_IN_UNIT = {"y": 1.0, "m": 1 / 12, "w": 7 / 365.25, "d": 1 / 365.25}
_AGE = re.compile(
    r"(?P<number>[+-]?\d+(?:[.,]\d+)?)\s*"
    r"(?P<unit>y|yr|yrs|year|years|j|jahre|a|m|w|d)?\.?",
    re.IGNORECASE,
)
"""A number, alone or with years, or with one of the units of DICOM's age string."""


@dataclass(frozen=True)
class CellReading:
    """What one cell says in the vocabulary.

    Attributes
    ----------
    value
        The group, or the age in years; None where nothing is said or it is not understood.
    understood
        False where the cell says something that nothing maps: that has to be reported.
    """

    value: str | float | None
    understood: bool = True


def fold(text: str) -> str:
    """Return a spelling without regard to case and to how many blanks stand where."""
    return " ".join(text.split()).casefold()


def read_term(
    field: str,
    text: str,
    spellings: Mapping[str, str] | None = None,
    patterns: Iterable[tuple[str, str]] = (),
) -> CellReading:
    """Return what a cell says of `field`, one of `GROUPS`.

    Parameters
    ----------
    spellings
        The card's folded spellings with their group; they win over the common ones.
    patterns
        The card's regular expressions with their group, searched in the folded text in their
        order, where no spelling of the card fits.
    """
    folded = fold(text)
    if not folded:
        return CellReading(None)
    group = (spellings or {}).get(folded)
    if group is None:
        group = next((g for pattern, g in patterns if search(pattern, folded)), None)
    if group is None:
        group = _DEFAULTS[field].get(folded)
    if group is None:
        return CellReading(None, understood=folded in _MISSING)
    return CellReading(None if group == NOT_GIVEN else group)


def read_age(text: str, not_given: Collection[str] = ()) -> CellReading:
    """Return an age in years from `63`, `63.0`, `63,5`, `063Y`, `018M` or `63 years`.

    Anything else is not understood: a range, `>89`, or an age that nobody has, such as the 0 or
    999 that stands for one that is not known.

    Parameters
    ----------
    not_given
        The card's folded spellings that say that nothing is known.
    """
    folded = fold(text)
    if folded in _MISSING or folded in not_given:
        return CellReading(None)
    found = _AGE.fullmatch(folded)
    if not found:
        return CellReading(None, understood=False)
    unit = _YEARS_IN_UNIT.get((found["unit"] or "y")[0], 1.0)
    years = round(float(found["number"].replace(",", ".")) * unit, 2)
    return CellReading(years) if is_plausible_age(years) else CellReading(None, understood=False)


def is_plausible_age(years: float) -> bool:
    """Return whether somebody can be of an age: 0 is written where it is not known."""
    return 0 < years <= OLDEST_YEARS
