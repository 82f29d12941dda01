"""A session and a unit of work have one name each, from which their parts can be had again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cta_data.errors import DataRefused
from cta_data.study.session_id import SessionId
from cta_data.study.tables import table_schemas
from cta_data.study.unit_id import UnitId

LABELS = st.text("abcXYZ019+", min_size=1, max_size=8)
COHORTS = st.text("abc-_019", min_size=1, max_size=12)
SESSIONS = st.builds(SessionId, COHORTS, LABELS, LABELS)
UNITS = st.one_of(
    st.builds(
        UnitId,
        st.sampled_from(["convert", "measure"]),
        SESSIONS,
        st.just(""),
        st.none(),
        st.just(""),
    ),
    st.builds(
        UnitId, st.just("build"), st.none(), model=LABELS, fold=st.none(), test_set=st.just("")
    ),
    st.builds(
        UnitId,
        st.just("train"),
        st.none(),
        model=LABELS,
        fold=st.integers(0, 9),
        test_set=st.just(""),
    ),
    st.builds(UnitId, st.just("predict"), st.none(), model=LABELS, fold=st.none(), test_set=LABELS),
)


@given(SESSIONS)
def test_a_case_leads_back_to_its_session(session: SessionId) -> None:
    """Whatever characters a cohort's name has, its labels having no underscore."""
    assert SessionId.from_case(session.case) == session


@pytest.mark.parametrize("case", ["", "internal", "internal_sub-1", "sub-1_ses-1", "c_ses-1_sub-1"])
def test_what_is_no_case_is_refused(case: str) -> None:
    """A mask of another name belongs to no session, and is never guessed at."""
    with pytest.raises(DataRefused):
        SessionId.from_case(case)


def test_sessions_are_in_the_order_of_their_labels() -> None:
    """By cohort, then subject, then session."""
    keys = [("b", "1", "1"), ("a", "2", "1"), ("a", "1", "2"), ("a", "1", "1")]
    assert sorted(SessionId(*key) for key in keys) == sorted(keys)


@given(UNITS)
def test_columns_lead_back_to_the_unit(unit: UnitId) -> None:
    """The table `units` names a unit by columns: nobody has to take a text apart."""
    assert UnitId.of(unit.columns()) == unit
    key = table_schemas()["units"].key
    assert tuple(unit.columns()) == key
    assert tuple(unit.columns().values()) == unit.key


def test_a_unit_that_is_about_no_session_has_none() -> None:
    """A build has no patient: what asks for one is wrong."""
    with pytest.raises(ValueError, match="build_A"):
        _ = UnitId("build", model="A").session


def test_a_unit_is_called_by_all_that_it_is_about() -> None:
    """People see what a unit is of; a model's name may have underscores of its own."""
    fold = UnitId("train", model="A-3d_lowres", fold=2)
    assert str(fold) == "train_A-3d_lowres_fold_2" and fold.fold == 2
    assert str(UnitId("strip", SessionId("c", "001", "1"))) == "strip c sub-001 ses-1"
    assert str(UnitId("convert", SessionId("c", "001", ""))) == "convert c sub-001"
