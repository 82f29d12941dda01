"""Deciding about a unit: pure, and every case pinned."""

from __future__ import annotations

from typing import Any

import pytest

from cta_data.engine import Blocked, Input, Unit, UnitId, decide
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
    ("never done", None, {}, "run", "never done"),
    ("done", row(), {}, "notneeded", "same inputs, same parameters, outputs in place"),
    ("no outputs", row(outputs=()), {}, "notneeded", "same inputs"),
    ("output gone", row(), {"y": False}, "run", "its output is gone: y"),
    ("failed", row(status="error", reason="boom", outputs=()), {}, "run", "failed before: boom"),
    ("impossible", row(status="impossible", reason="tilt", outputs=()), {}, "impossible", "tilt"),
    (
        "refused with files",
        row(status="impossible", reason="not accepted"),
        {},
        "impossible",
        "not accepted",
    ),
    (
        "refused, files gone",
        row(status="impossible", reason="not accepted"),
        {"x": False},
        "run",
        "its output is gone: x",
    ),
    ("inputs", row(key="other"), {}, "run", "its inputs changed"),
    ("impossible no more", row(key="other", status="impossible"), {}, "run", "its inputs changed"),
    ("parameters", row(key="o", parameters="p"), {}, "run", "its parameters changed"),
    (
        "version",
        row(key="o", step_version=1, parameters="p"),
        {},
        "run",
        "the step changed from version 1 to 2",
    ),
    (
        "was blocked",
        row(key="", status="impossible", parameters="", outputs=()),
        {},
        "run",
        "what blocked it is gone",
    ),
]


@pytest.mark.parametrize(
    ("before", "there", "action", "reason"), [c[1:] for c in CASES], ids=[c[0] for c in CASES]
)
def test_decisions(
    before: UnitRow | None, there: dict[str, bool], action: str, reason: str
) -> None:
    """Each state of a unit leads to one action and a reason that a person understands."""
    decision = decide(UNIT, before, lambda path: there.get(path, True))
    assert (decision.action, decision.unit) == (action, UNIT)
    assert reason in decision.reason


@pytest.mark.parametrize("before", [c[1] for c in CASES], ids=[c[0] for c in CASES])
@pytest.mark.parametrize("recompute", [False, True])
def test_a_blocked_unit_never_runs(before: UnitRow | None, recompute: bool) -> None:
    """Whatever was before, and even where all is to be recomputed."""
    blocked = Blocked(ID, 2, "register: not accepted")
    decision = decide(blocked, before, lambda path: True, recompute=recompute)
    assert (decision.action, decision.reason) == ("impossible", "register: not accepted")


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
