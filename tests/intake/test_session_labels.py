"""Labels of sessions of a restricted cohort tell neither a date nor a name."""

from __future__ import annotations

import pytest
from helpers.refusals import has_reason

from cta_data.errors import DataRefused
from cta_data.intake.session_labels import is_safe, numbered_sessions

SAFE = ("1", "01", "2", "baseline", "fu2", "FU_12m", "pre-op", "visit3", "T0", "course2", "6mo")
TELLING = (
    "20200117",
    "2020-01-17",
    "170120",
    "17Jan2020",
    "2020",
    "Zaunkoenig",
    "HW123456",
    "x",
    "",
)


@pytest.mark.parametrize("label", SAFE)
def test_labels_that_count_or_say_a_phase_are_kept(label: str) -> None:
    """Without punctuation, which a BIDS label cannot have."""
    assert is_safe(label)
    kept = "".join(one for one in label if one.isalnum())
    assert numbered_sessions({"s": label}, {}) == {"s": kept}


@pytest.mark.parametrize("label", TELLING)
def test_any_other_label_of_an_only_session_is_number_one(label: str) -> None:
    """A date, a name, a patient's number, and what nobody knows."""
    assert numbered_sessions({"s": label}, {}) == {"s": "1"}


@pytest.mark.parametrize(
    "labels",
    [
        ("20200117", "20200228", "20210101"),
        ("2020-01-17", "2020-02-28", "2021-01-01"),
        ("17012020", "28022020", "01012021"),
        ("980117", "990228", "990301"),
        ("202001", "202002", "202101"),
        ("17Jan2020", "28Feb2020", "01Jan2021"),
        ("20200117T0900", "20200117T1800", "20200118T0700"),
        ("ses20200117", "mri20200228", "x20210101"),
    ],
)
def test_dates_are_numbered_in_their_order(labels: tuple[str, ...]) -> None:
    """However they are written; an addition in between finds the numbers that were given."""
    told = {label: label for label in reversed(labels)}
    assert numbered_sessions(told, {}) == {label: str(n) for n, label in enumerate(labels, 1)}
    assert numbered_sessions(told, {labels[0]: "1"})[labels[2]] == "3"
    with pytest.raises(DataRefused, check=has_reason("session_renumbered_by_label", before="1")):
        numbered_sessions(told, {labels[1]: "1"})


@pytest.mark.parametrize(
    "labels",
    [
        ("Zaun", "Koenig"),
        ("20200117", "late"),
        ("baseline", "20200117"),
        ("20200117a", "20200117b"),
        ("010203", "030201"),  # by year or by day?
        ("pre-op", "preop"),
    ],
)
def test_sessions_without_a_known_order_are_refused(labels: tuple[str, ...]) -> None:
    """Without telling their labels, since reasons stand in tables."""
    with pytest.raises(DataRefused) as refused:
        numbered_sessions({label: label for label in labels}, {})
    assert not any(label in str(refused.value) for label in labels)
