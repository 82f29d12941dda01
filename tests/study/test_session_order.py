"""Sessions in the order of time: by dates where there are some, never by a guess."""

from __future__ import annotations

import pytest

from cta_data.reasons import Reason
from cta_data.study.session_id import SessionId
from cta_data.study.session_order import OrderedSessions, days_after_first, in_time_order
from cta_data.study.sourcedata import SeriesRow


def ids(*labels: str) -> list[SessionId]:
    """Return sessions of one subject."""
    return [SessionId("own", "1", label) for label in labels]


def test_dates_tell_the_order() -> None:
    """Whatever the labels are; the days between are those of the dates."""
    first, second = ids("post", "2")
    found = in_time_order([second, first], {first: 0, second: 40})
    assert isinstance(found, OrderedSessions) and found.ordered_by == "date"
    assert found.sessions == (first, second) and found.days_between(first, second) == 40


@pytest.mark.parametrize("labels", [("2", "10"), ("visit2", "visit10"), ("m03", "m12")])
def test_labels_with_numbers_tell_it_without_dates(labels: tuple[str, str]) -> None:
    """As numbers, not as letters; a single date is of no use."""
    first, second = ids(*labels)
    found = in_time_order([second, first], {first: None, second: 3})
    assert isinstance(found, OrderedSessions) and found.ordered_by == "label"
    assert found.sessions == (first, second) and found.days_between(first, second) is None


@pytest.mark.parametrize("labels", [("pre", "post"), ("visit1", "scan2"), ("1", "01"), ("a", "2")])
def test_other_labels_tell_nothing(labels: tuple[str, str]) -> None:
    """`post` is before `pre` in the alphabet."""
    found = in_time_order(ids(*labels), {})
    assert isinstance(found, Reason) and found.code == "session_times_unknown"


def test_two_sessions_of_one_day_have_no_order_by_date() -> None:
    """Their labels decide."""
    first, second = ids("1", "2")
    found = in_time_order([first, second], {first: 0, second: 0})
    assert isinstance(found, OrderedSessions) and found.ordered_by == "label"


def series(subject: str, session: str, date: str, modality: str = "MR") -> SeriesRow:
    """Return a series with a date."""
    names = (subject, session, "1", "x.tar", "series", modality, "", 1)
    return SeriesRow(*names, "study", "uid", "", date, "", "digest")


def test_days_count_from_the_first_mr_of_a_subject() -> None:
    """A planning CT of another day does not move its session; without a date, none has days."""
    found = days_after_first(
        [
            series("A", "1", "20200110"),
            series("A", "1", "20200109", "CT"),
            series("A", "2", "20200301"),
            series("A", "2", "20200228"),
            series("B", "1", "20200101"),
            series("B", "2", ""),
        ]
    )
    assert found == {("A", "1"): 0, ("A", "2"): 49}
