"""Session labels of plain files of a restricted cohort: what a path says may be a date or a name.

A label leaves `sourcedata` in names of files, tables and messages. One that only counts or says a
phase of treatment is kept; in place of all others of a subject stand numbers in the order of time.
The map is in `sourcedata`, in `series.tsv`: `study_uid` has the label as delivered.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import datetime

from cta_data.errors import DataRefused

_WORDS = (
    *("session", "ses", "visit", "scan", "mri", "mr", "study", "course", "time", "timepoint", "tp"),
    *("t", "v", "s", "fu", "followup", "bl", "base", "baseline", "screening", "initial", "init"),
    *("pre", "post", "preop", "postop", "intraop", "srs", "gk", "gammaknife", "rt", "planning"),
    *("treatment", "recurrence", "relapse", "progression", "first", "second", "third", "last"),
    *("d", "day", "w", "wk", "week", "m", "mo", "month", "y", "yr", "year", "months", "weeks"),
    *("days", "years"),
)
_SAFE = re.compile(
    rf"(?:{'|'.join(sorted(_WORDS, key=len, reverse=True))}|(?<!\d)\d{{1,3}}(?!\d))+"
)
_DIGITS = ("%Y%m%d", "%d%m%Y", "%m%d%Y", "%Y%m", "%y%m%d", "%d%m%y", "%m%d%y")
_WITH_TIME = ("%Y%m%d%H%M", "%Y%m%d%H%M%S")
_WORDED = ("%d%b%Y", "%Y%b%d", "%d%B%Y", "%Y%B%d", "%b%Y", "%B%Y", "%Y%b", "%Y%B")
_LENGTHS = {"%Y%m%d": 8, "%d%m%Y": 8, "%m%d%Y": 8, "%Y%m%d%H%M": 12, "%Y%m%d%H%M%S": 14}
_YEARS = range(1950, 2100)


def is_safe(label: str) -> bool:
    """Return whether a label is only a number or a phase of treatment."""
    return _SAFE.fullmatch(re.sub(r"[\W_]", "", label.casefold())) is not None


def numbered_sessions(told: Mapping[str, str], known: Mapping[str, str]) -> dict[str, str]:
    """Return the label of every session of one subject, by its study.

    Parameters
    ----------
    told
        Study to label as delivered, of this addition and of those before.
    known
        Study to label, of additions before.

    Raises
    ------
    DataRefused
        Several sessions whose order in time is not known, or one that would be renamed.
    """
    if all(is_safe(label) for label in told.values()):
        labels = {study: re.sub(r"[\W_]", "", label) for study, label in told.items()}
        if len(set(labels.values())) < len(labels):
            raise DataRefused("session_labels_collide")
    else:
        order = _order_in_time(set(told.values()))
        labels = {study: str(order.index(label) + 1) for study, label in told.items()}
    for study, before in sorted(known.items()):
        if labels[study] != before:
            raise DataRefused("session_renumbered_by_label", before=before, labels=labels[study])
    return labels


def _order_in_time(labels: set[str]) -> list[str]:
    """Return labels in the order of their dates: in that of every reading that fits them all.

    Raises
    ------
    DataRefused
        They are no dates, two are of one date, or it is uncertain which digits are the month.
    """
    if len(labels) == 1:
        return list(labels)
    orders = {tuple(sorted(labels, key=dates.__getitem__)) for dates in _readings(labels)}
    if len(orders) != 1:
        raise DataRefused("session_order_unknown", n_labels=len(labels))
    return list(orders.pop())


def _readings(labels: set[str]) -> Iterator[dict[str, datetime]]:
    """Yield the dates of all labels, in every written form that is one of each, all different."""
    for form in (*_DIGITS, *_WITH_TIME, *_WORDED):
        dates = {label: date for label in labels if (date := _date(label, form)) is not None}
        if len(set(dates.values())) == len(labels):
            yield dates


def _date(label: str, form: str) -> datetime | None:
    text = re.sub(r"[\W_]", "", label)
    if form not in _WORDED:
        text = re.sub(r"\D", "", text)
        if len(text) != _LENGTHS.get(form, 6):
            return None
    try:
        date = datetime.strptime(text, form)
    except ValueError:
        return None
    return date if date.year in _YEARS else None
