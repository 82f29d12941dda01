"""Records add up, and the exit code follows from them."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cta_data.engine import Record, Report, Selection, UnitId, session_scope
from cta_data.engine.records import count_by_step, summary_line
from cta_data.study.session_id import SessionId
from cta_data.study.tables import ImageRow

STATUSES = ("ok", "notneeded", "impossible", "error")
RECORDS = st.lists(
    st.builds(
        Record,
        st.builds(
            UnitId,
            st.sampled_from(["convert", "strip"]),
            st.builds(SessionId, st.just("c"), st.text(max_size=3), st.just("1")),
        ),
        st.sampled_from(STATUSES),
    )
)


@given(RECORDS)
def test_counts_add_up(records: list[Record]) -> None:
    """Units in = ok + notneeded + impossible + error, for each step and in the line of counts."""
    counts = count_by_step(records)
    assert sum(n for by_status in counts.values() for n in by_status.values()) == len(records)
    line = summary_line(records)
    total, rest = re.split(" units?: ", line)
    assert int(total) == len(records) == sum(int(part.split()[0]) for part in rest.split(", "))


@given(RECORDS)
def test_the_exit_code_follows_from_the_records(records: list[Record]) -> None:
    """2 where nothing matched, 3 where a unit got no result, 0 otherwise."""
    report = Report()
    for record in records:
        report.add(record)
    failed = sum(record.status in ("impossible", "error") for record in records)
    assert len(report.failures) == failed
    assert report.exit_code() == (2 if not records else 3 if failed else 0)


def test_a_record_is_json_under_the_unit_s_names() -> None:
    """The log and --json carry step, cohort, subject and session beside the status."""
    record = Record(UnitId("strip", SessionId("c", "001", "1")), "ok", notes=("a note",))
    content = json.loads(json.dumps(record.as_dict()))
    expected = {"step": "strip", "cohort": "c", "subject": "001", "session": "1", "status": "ok"}
    assert expected.items() <= content.items()
    assert content["notes"] == ["a note"]


@pytest.mark.parametrize(
    ("unit", "text"),
    [
        (UnitId("strip", SessionId("c", "001", "1")), "strip c sub-001 ses-1"),
        (UnitId("convert", SessionId("c", "001", "")), "convert c sub-001"),
        (UnitId("build", model="B"), "build_B"),
    ],
)
def test_a_unit_is_told_in_bids_words(unit: UnitId, text: str) -> None:
    """Only what the unit is about is named."""
    assert str(unit) == text


@pytest.mark.parametrize(
    ("selection", "takes"),
    [
        (Selection(), True),
        (Selection(("c",)), True),
        (Selection(("d",)), False),
        (Selection((), ("001", "002")), True),
        (Selection((), ("002",)), False),
        (Selection(("d",), ("001",)), False),
    ],
)
def test_selection(selection: Selection, takes: bool) -> None:
    """Nothing named means all; cohort and subject must both match."""
    assert selection.takes("c", "001") is takes


def test_a_session_owns_its_rows_and_no_others() -> None:
    """Fixed columns narrow what a step owns of a table that it shares with another step."""
    owns = session_scope(ImageRow, description="brain")(UnitId("strip", SessionId("c", "001", "1")))
    assert owns == {
        ImageRow: {"cohort": "c", "subject": "001", "session": "1", "description": "brain"}
    }
