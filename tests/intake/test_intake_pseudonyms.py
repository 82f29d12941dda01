"""Labels and sessions."""

from __future__ import annotations

from pathlib import Path

import pytest
from helpers.refusals import has_reason
from hypothesis import given
from hypothesis import strategies as st

from cta_data.errors import ConfigurationError, CtaError, DataRefused
from cta_data.intake.pseudonyms import (
    assign_labels,
    check_label,
    read_or_make_salt,
    read_salt,
    read_subject_map,
)
from cta_data.intake.sessions import assign_sessions
from cta_data.study.sourcedata import ACCEPTED, SubjectRow

SALT = "ab" * 32
ids = st.sets(st.text(min_size=1, max_size=8), min_size=1, max_size=20)


@given(ids=ids, more=ids)
def test_labels_are_unique_lasting_and_gapless(ids: set[str], more: set[str]) -> None:
    """Everybody has one label of their own, keeps it later, and numbers have no gaps."""
    first = assign_labels(ids, [], SALT, chosen={}).labels
    rows = [SubjectRow(label, source_id, "accepted") for source_id, label in first.items()]
    second = assign_labels(more, rows, SALT, chosen={})
    together = first | second.labels
    assert {source_id: together[source_id] for source_id in first} == first
    assert sorted(together.values()) == [f"{n + 1:03d}" for n in range(len(ids | more))]
    assert second.newcomers == set(together.values()) - set(first.values())


def test_order_of_labels_follows_the_salt_and_not_the_names() -> None:
    """Another salt gives another order, so numbers do not sort patients."""
    names = [f"P{n:02d}" for n in range(20)]
    one = assign_labels(names, [], SALT, chosen={}).labels
    other = assign_labels(names, [], "cd" * 32, chosen={}).labels
    assert one != other
    assert [one[name] for name in names] != sorted(one.values())


def test_a_known_patient_gets_no_second_label() -> None:
    """One patient under two labels could end up in training and test: refused unless asked for."""
    rows = [SubjectRow("001", "A", "accepted")]
    refused = assign_labels(["A"], rows, SALT, chosen={"A": "009"})
    assert refused.labels == {} and refused.refused["A"][0] == "001"
    allowed = assign_labels(["A"], rows, SALT, chosen={"A": "009"}, separate_labels=True)
    assert allowed.labels == {"A": "009"}


def test_salt_is_never_made_anew_for_known_subjects(tmp_path: Path) -> None:
    """Without the salt nobody can be recognised again, so its loss stops everything."""
    assert len(read_or_make_salt(tmp_path, known_subjects=False)) == 64
    with pytest.raises(CtaError, check=has_reason("salt_missing")):
        read_or_make_salt(tmp_path, known_subjects=True)


def test_labels_chosen_by_hand_are_checked(tmp_path: Path) -> None:
    """Labels are letters and digits; a patient number comes once in the table."""
    assert check_label("sub-A1") == "A1"
    with pytest.raises(ConfigurationError, check=has_reason("label_invalid")):
        check_label("a_b")
    table = tmp_path / "map.tsv"
    table.write_text("source_id\tsubject\nX\t007\nY\t008\n")
    assert read_subject_map(table) == {"X": "007", "Y": "008"}
    table.write_text("source_id\tsubject\nX\t007\nX\t008\n")
    with pytest.raises(ConfigurationError, check=has_reason("label_table_patient_repeated")):
        read_subject_map(table)


def test_sessions_by_rank_of_date() -> None:
    """Dates rank from 1; a gap of a day can belong to the same course."""
    new = {"a": "20200110", "b": "20200101", "c": "20200102"}
    assert assign_sessions(new, {}, rule="single") == {"a": "1", "b": "1", "c": "1"}
    by_date = assign_sessions(new, {}, rule="study_date_rank")
    assert by_date == {"b": "1", "c": "2", "a": "3"}
    by_course = assign_sessions(new, {}, rule="study_date_rank", gap_days=1)
    assert by_course == {"b": "1", "c": "1", "a": "2"}


def test_sessions_are_never_renamed() -> None:
    """An older study that comes later would rename sessions, and is refused."""
    known = {"a": ("20200110", "1")}
    later = assign_sessions({"b": "20210101"}, known, rule="study_date_rank")
    assert later == {"a": "1", "b": "2"}
    with pytest.raises(DataRefused, check=has_reason("session_renumbered_by_date", label="1")):
        assign_sessions({"b": "20190101"}, known, rule="study_date_rank")
    with pytest.raises(DataRefused, check=has_reason("study_date_missing")):
        assign_sessions({"b": ""}, known, rule="study_date_rank")
    with pytest.raises(DataRefused, check=has_reason("single_session_rule_broken")):
        assign_sessions({}, {"a": ("20200110", "2")}, rule="single")


@pytest.mark.parametrize("known", [True, False])
def test_labels_that_differ_in_case_alone_are_refused(known: bool) -> None:
    """On a disk that does not tell capitals apart they would be one patient's folder."""
    rows = [SubjectRow("ab1", "A", ACCEPTED, "", "", {})] if known else []
    labels = assign_labels(["A", "B"], rows, SALT, chosen={"A": "ab1", "B": "Ab1"})
    assert labels.labels == {"A": "ab1"}
    assert labels.refused["B"][0] == "" and labels.newcomers == (set() if known else {"ab1"})


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00" + b"a" * 61, b"g" * 64, b"a" * 63])
def test_a_damaged_salt_is_one_error(content: bytes, tmp_path: Path) -> None:
    """With another one no patient would be found again, in this cohort or in others."""
    (tmp_path / "pseudonyms.salt").write_bytes(content)
    with pytest.raises(CtaError, check=has_reason("salt_damaged")):
        read_salt(tmp_path / "pseudonyms.salt")
    with pytest.raises(CtaError, check=has_reason("salt_damaged")):
        read_or_make_salt(tmp_path, known_subjects=False)
