"""A person's decision changes what a unit's record says, for that result alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from cta_data.engine.acceptance import decided, decision_about, is_held_back
from cta_data.engine.records import Record
from cta_data.engine.units import UnitId
from cta_data.reasons import Reason
from cta_data.study.session_id import SessionId
from cta_data.study.tables import DecisionRow, Tables, UnitRow

UNIT = UnitId("transfer", SessionId("own", "001", "1"))

BECAUSE = Reason("on_hold", findings=("the text is doubtful",))


def decision(what: str, key: str = "k") -> DecisionRow:
    return DecisionRow(
        kind="transfer",
        step=UNIT.step,
        session=UNIT.session,
        verdict=what,
        reader="A. Reader",
        reason="looked at",
        decided_on="2026-03-01",
        content_key=key,
    )


@pytest.mark.parametrize(
    ("status", "what", "becomes"),
    [
        ("impossible", "accepted", "ok"),
        ("ok", "rejected", "impossible"),
        ("ok", "accepted", "ok"),
        ("impossible", "rejected", "impossible"),
        ("error", "accepted", "error"),
    ],
)
def test_a_decision_turns_what_it_is_about(status: str, what: str, becomes: str) -> None:
    """Held back becomes ok, passed becomes held back; an error stays an error."""
    record = Record(UNIT, status, BECAUSE)  # type: ignore[arg-type]
    after = decided(record, decision(what))
    assert after.status == becomes
    changed = status != becomes
    assert (after.reason != BECAUSE) == changed
    if changed:
        assert after.reason.code == f"{what}_by_reviewer"
        told = {"author": "A. Reader", "date": "2026-03-01", "text": "looked at"}
        assert after.reason.values == told


def test_a_decision_about_another_result_is_none(tmp_path: Path) -> None:
    """The key differs: the record stays as it is, as it does without any decision."""
    tables = Tables(tmp_path)
    tables.upsert([decision("accepted")])
    assert decision_about(tables, UNIT, "other") is None
    assert decision_about(tables, UNIT, "k") == decision("accepted")
    record = Record(UNIT, "impossible", BECAUSE)
    assert decided(record, None) is record


def test_the_last_that_accepts_or_rejects_counts(tmp_path: Path) -> None:
    """Of several readers; who is uncertain changes nothing."""
    tables = Tables(tmp_path)
    for number, (reader, what) in enumerate(
        [("R1", "rejected"), ("R2", "accepted"), ("R3", "uncertain")]
    ):
        tables.upsert([replace(decision(what), reader=reader, number=number)])
    counts = decision_about(tables, UNIT, "k")
    assert counts is not None and (counts.reader, counts.verdict) == ("R2", "accepted")


def test_held_back_is_what_has_a_result_that_may_not_be_used() -> None:
    """A refusal without outputs is not: there is nothing to accept."""
    assert is_held_back(UnitRow.of(UNIT, key="k", status="impossible", outputs=("a",)))
    assert not is_held_back(UnitRow.of(UNIT, key="k", status="impossible"))
    assert not is_held_back(UnitRow.of(UNIT, key="k", status="ok", outputs=("a",)))
