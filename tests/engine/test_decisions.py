"""Deciding about a unit: pure, and every case pinned."""

from __future__ import annotations

from typing import Any

import pytest

from cta_data.engine import Blocked, Input, Unit, UnitId, decide
from cta_data.reasons import Reason
from cta_data.study.session_id import SessionId
from cta_data.study.tables import UnitRow

ID = UnitId("toy", SessionId("internal", "001", "1"))
UNIT = Unit(ID, 2, (Input("image", "a.nii.gz", "MD5E-s1--a.nii.gz"),), {"sigma": 1.5})


def row(**changes: Any) -> UnitRow:
    done = {
        "key": UNIT.key,
        "status": "ok",
        "step_version": 2,
        "parameters": UNIT.parameters_digest,
        "outputs": ("x", "y"),
    }
    return UnitRow.of(ID, **done | changes)


CASES = [
    ("never done", None, {}, "run", "never_done"),
    ("done", row(), {}, "notneeded", "up_to_date"),
    ("no outputs", row(outputs=()), {}, "notneeded", "up_to_date"),
    ("output gone", row(), {"y": False}, "run", "output_missing"),
    (
        "failed",
        row(status="error", reason="boom", reason_code="out_of_memory", outputs=()),
        {},
        "run",
        "failed_before",
    ),
    (
        "impossible",
        row(status="impossible", reason="tilt", reason_code="gantry_tilted", outputs=()),
        {},
        "impossible",
        "gantry_tilted",
    ),
    (
        "refused with files",
        row(status="impossible", reason="not accepted", reason_code="on_hold"),
        {},
        "impossible",
        "on_hold",
    ),
    (
        "refused, files gone",
        row(status="impossible", reason="not accepted"),
        {"x": False},
        "run",
        "output_missing",
    ),
    ("inputs", row(key="other"), {}, "run", "inputs_changed"),
    ("impossible no more", row(key="other", status="impossible"), {}, "run", "inputs_changed"),
    ("parameters", row(key="o", parameters="p"), {}, "run", "parameters_changed"),
    (
        "version",
        row(key="o", step_version=1, parameters="p"),
        {},
        "run",
        "step_version_changed",
    ),
    (
        "was blocked",
        row(key="", status="impossible", parameters="", outputs=()),
        {},
        "run",
        "block_removed",
    ),
]


@pytest.mark.parametrize(
    ("before", "there", "action", "code"), [c[1:] for c in CASES], ids=[c[0] for c in CASES]
)
def test_decisions(before: UnitRow | None, there: dict[str, bool], action: str, code: str) -> None:
    """Each state of a unit leads to one action and one reason."""
    decision = decide(UNIT, before, lambda path: there.get(path, True))
    assert (decision.action, decision.unit.id) == (action, UNIT.id)
    assert decision.reason.code == code


def test_a_reason_of_an_earlier_run_is_told_as_it_was_kept() -> None:
    """What failed before says how, and what is impossible why: in the words of the table."""
    failed = row(status="error", reason="boom", reason_code="out_of_memory", outputs=())
    again = decide(UNIT, failed, lambda path: True).reason
    assert again.finding == Reason.kept("out_of_memory", "boom")
    assert "boom" in str(again)


@pytest.mark.parametrize("before", [c[1] for c in CASES], ids=[c[0] for c in CASES])
@pytest.mark.parametrize("recompute", [False, True])
def test_a_blocked_unit_never_runs(before: UnitRow | None, recompute: bool) -> None:
    """Whatever was before, and even where all is to be recomputed."""
    blocked = Blocked(ID, 2, Reason("step_not_done", step="register"))
    decision = decide(blocked, before, lambda path: True, recompute=recompute)
    assert (decision.action, decision.reason) == ("impossible", blocked.reason)


@pytest.mark.parametrize("before", [c[1] for c in CASES], ids=[c[0] for c in CASES])
def test_recomputing_runs_whatever_can_run(before: UnitRow | None) -> None:
    """A recorded command that is repeated trusts no key."""
    assert decide(UNIT, before, lambda path: True, recompute=True).action == "run"


def test_an_output_is_asked_for_only_where_it_matters() -> None:
    """A unit with other inputs runs without a look at its outputs."""

    def exists(path: str) -> bool:
        raise AssertionError(path)

    assert decide(UNIT, row(key="other"), exists).action == "run"
    assert decide(UNIT, None, exists).action == "run"
