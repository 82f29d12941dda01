"""Session labels: which studies belong to one course of treatment."""

from __future__ import annotations

import datetime
from collections.abc import Mapping

from cta_data.errors import ConfigurationError, DataRefused

SINGLE = "single"
STUDY_DATE_RANK = "study_date_rank"
RULES = (SINGLE, STUDY_DATE_RANK)


def assign_sessions(
    new: Mapping[str, str],
    known: Mapping[str, tuple[str, str]],
    *,
    rule: str,
    gap_days: int = 0,
) -> dict[str, str]:
    """Session label of every study of one subject.

    Parameters
    ----------
    new
        Study UID to study date (``YYYYMMDD`` or empty) of this addition.
    known
        Study UID to (study date, session label) of the inventory.
    rule
        ``single``: every study is session ``1``. ``study_date_rank``: the rank of the study's
        date among the subject's dates, counted from 1.
    gap_days
        For ``study_date_rank``: dates at most so many days after the one before belong to the
        same session (a planning CT the day after the MRI).

    Raises
    ------
    DataRefused
        If a date is missing or malformed, or if the rule would rename a session that exists.
    ConfigurationError
        If the rule is unknown.
    """
    if rule == SINGLE:
        others = sorted({label for _, label in known.values()} - {"1"})
        if others:
            raise DataRefused("single_session_rule_broken", others=tuple(others))
        return {study: "1" for study in {**new, **known}}
    if rule != STUDY_DATE_RANK:
        raise ConfigurationError("session_rule_unknown", rule=rule, rules=tuple(RULES))
    dates = {**new, **{study: date for study, (date, _) in known.items()}}
    days = {study: _day(date) for study, date in dates.items()}
    sessions = {study: str(rank) for study, rank in _ranks(days, gap_days).items()}
    for study, (_, label) in sorted(known.items()):
        if sessions[study] != label:
            raise DataRefused("session_renumbered_by_date", label=label, sessions=sessions[study])
    return sessions


def _ranks(days: Mapping[str, datetime.date], gap_days: int) -> dict[str, int]:
    rank_of: dict[datetime.date, int] = {}
    rank = 0
    before: datetime.date | None = None
    for day in sorted(set(days.values())):
        if before is None or (day - before).days > gap_days:
            rank += 1
        rank_of[day] = rank
        before = day
    return {study: rank_of[day] for study, day in days.items()}


def _day(date: str) -> datetime.date:
    try:
        return datetime.datetime.strptime(date, "%Y%m%d").date()
    except ValueError as error:
        raise DataRefused("study_date_missing") from error
