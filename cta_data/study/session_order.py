"""The sessions of a subject in the order of time."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal

from cta_data.reasons import Reason
from cta_data.study.session_id import SessionId
from cta_data.study.sourcedata import SeriesRow

OrderedBy = Literal["date", "label"]
_NUMBER = re.compile(r"(\D*)(\d+)(\D*)")


@dataclass(frozen=True)
class OrderedSessions:
    """Sessions of one subject, the earliest first, and what tells their order.

    `days` are those since the first session with a date; empty where the order is by label.
    """

    sessions: tuple[SessionId, ...]
    ordered_by: OrderedBy
    days: Mapping[SessionId, int]

    def days_between(self, earlier: SessionId, later: SessionId) -> int | None:
        """Return the days from one session to another; None where they are not known."""
        return self.days[later] - self.days[earlier] if self.days else None


def in_time_order(
    sessions: Collection[SessionId], days: Mapping[SessionId, int | None]
) -> OrderedSessions | Reason:
    """Return the sessions of one subject in the order of time, or why it is not known.

    Parameters
    ----------
    days
        Days since the first session, as in the table `subjects`. Unless all are known and
        different, labels tell the order if they differ in one number alone, such as 1 and 2.
    """
    known = {one: number for one in sessions if (number := days.get(one)) is not None}
    if len(known) == len(sessions) == len(set(known.values())):
        return OrderedSessions(tuple(sorted(known, key=known.__getitem__)), "date", known)
    parts = {one: _NUMBER.fullmatch(one.session) for one in sessions}
    numbers = {one: int(part[2]) for one, part in parts.items() if part}
    words = {(part[1], part[3]) for part in parts.values() if part}
    if len(words) > 1 or not len(sessions) == len(numbers) == len(set(numbers.values())):
        return Reason("session_times_unknown", sessions=tuple(sorted(s.session for s in sessions)))
    return OrderedSessions(tuple(sorted(numbers, key=numbers.__getitem__)), "label", {})


def days_after_first(series: Iterable[SeriesRow]) -> dict[tuple[str, str], int]:
    """Return the days from the first session of a subject to each, by subject and session.

    The day of a session is that of its earliest MR series, or of any where it has none. A subject
    of whom one session has no date is left out: a day is never compared with a guess.
    """
    first: dict[tuple[str, str], tuple[bool, date]] = {}
    subjects: dict[str, set[str]] = {}
    for row in series:
        subjects.setdefault(row.subject, set()).add(row.session)
        day = _day(row.study_date)
        if day is not None:
            key, found = (row.subject, row.session), (row.modality != "MR", day)
            first[key] = min(first.get(key, found), found)
    days: dict[tuple[str, str], int] = {}
    for subject, labels in subjects.items():
        own = {label: first[subject, label][1] for label in labels if (subject, label) in first}
        if len(own) == len(labels):
            begin = min(own.values())
            days |= {(subject, label): (day - begin).days for label, day in own.items()}
    return days


def _day(text: str) -> date | None:
    try:
        return datetime.strptime(text, "%Y%m%d").date()
    except ValueError:
        return None
