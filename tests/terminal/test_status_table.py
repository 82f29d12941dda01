"""What `cta-data status` prints at several widths."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from cta_data.engine.log import Timing
from cta_data.engine.sessions import STEP_NAMES
from cta_data.pipeline.status import SessionStatus, StudyStatus, WorkStatus
from cta_data.study.session_id import SessionId
from cta_data.terminal.status_sessions import (
    EXCLUDED,
    FAILED,
    MOST_NAMED,
    MOST_REASONS,
    NOT_YET,
    ON_HOLD,
    STOPPED,
    state_of,
)
from cta_data.terminal.status_table import status_lines

WIDTHS = (80, 120)
PATH = "datasets/internal/sourcedata/sub-013/ses-1/" + "a_long_name_of_a_series" * 4 + ".tar"


def session(number: int, *ends: str, cohort: str = "internal", **changes: Any) -> SessionStatus:
    """Return a session; steps without an end are `ok`."""
    steps = dict.fromkeys(STEP_NAMES, "ok") | dict(zip(STEP_NAMES, ends, strict=False))
    own = SessionId(cohort, f"{number:03d}", "1")
    return replace(SessionStatus(own, steps, "HAQ", "train", None, None), **changes)


def stopped(number: int, reason: str, end: str = "impossible", code: str = "x") -> SessionStatus:
    """Return a session that stopped when it was converted."""
    ends = (end, *["impossible"] * (len(STEP_NAMES) - 1))
    return session(number, *ends, reason=reason, reason_code=code, partition="excluded")


def content(*sessions: SessionStatus, **changes: Any) -> StudyStatus:
    """Return the status of a study of these sessions."""
    return replace(StudyStatus("trial", sessions), **changes)


def printed(of: StudyStatus, width: int, *, everything: bool = False) -> list[str]:
    """Return the lines that are printed."""
    return [str(line) for line in status_lines(of, width, everything=everything)]


@pytest.mark.parametrize(
    ("row", "state"),
    [
        (session(1), ""),
        (session(1, partition=None), ""),
        (stopped(1, "why", "error"), FAILED),
        (stopped(1, "why"), STOPPED),
        (session(1, "ok", "impossible", reason="look", reason_code="on_hold"), ON_HOLD),
        (session(1, "-", "-", "-", "-", "-"), NOT_YET),
        (session(1, "ok", "impossible", reason="later", reason_code="step_not_done"), NOT_YET),
        (session(1, "ok", "ok", "notneeded", reason="no annotation"), EXCLUDED),
        (session(1, partition="excluded", reason="a later course"), EXCLUDED),
    ],
)
def test_the_state_of_a_session_follows_from_its_first_step_without_result(
    row: SessionStatus, state: str
) -> None:
    """A crash, data on hold, data that cannot be used and work to come are told apart."""
    assert state_of(row) == state


@pytest.mark.parametrize("width", WIDTHS)
def test_lines_fit_the_terminal_and_words_stay_whole(width: int) -> None:
    """No line is longer than the terminal but where one word alone is: paths can be copied."""
    reason = (
        f"convert: {PATH}: slices are missing (slice steps from 3.0 to 9.0 mm). " + "Why. " * 50
    )
    lines = printed(content(stopped(13, reason), *map(session, range(20))), width)
    assert any(PATH in line for line in lines)
    assert all(len(line) <= width for line in lines if PATH not in line)
    assert any("internal sub-013 ses-1" in line for line in lines)


@pytest.mark.parametrize("width", WIDTHS)
def test_a_cohort_is_a_line_with_the_sessions_that_finished_each_step(width: int) -> None:
    """Where some did not finish a step, its cell says how many of how many did."""
    rows = [session(1), session(2, partition="test"), stopped(3, "why")]
    lines = printed(content(*rows, session(9, cohort="susm", partition="external")), width)
    [internal] = [line for line in lines if line.startswith("internal")]
    [susm] = [line for line in lines if line.startswith("susm")]
    assert internal.split()[:7] == ["internal", "3", *["2/3"] * 5]
    assert susm.split() == ["susm", "1", *["1"] * 5, "1", "external"]


def test_sessions_with_the_same_reason_stand_together() -> None:
    """A reason is printed once, below all the sessions that it holds for."""
    lines = printed(content(stopped(1, "no contours"), stopped(2, "no contours")), 80)
    assert lines.count("      no contours") == 1
    assert "  internal sub-001 ses-1, internal sub-002 ses-1" in lines


def test_reasons_that_differ_in_values_alone_stand_together_in_short() -> None:
    """One of them is given and the others are not forgotten: --all has the values of each."""
    rows = [stopped(n, f"strip: no brain (0.{n})", code="brain_implausible") for n in range(11, 15)]
    short = printed(content(*rows, stopped(20, "other", code="y")), 80)
    assert (
        "      strip: no brain (0.11)" in short
        and "      (as measured of the first; the others differ)" in short
    )
    assert not any("0.12" in line for line in short)
    assert any("cta-data status --all" in line for line in short)
    whole = printed(content(*rows), 80, everything=True)
    assert all(f"      strip: no brain (0.{n})" in whole for n in range(11, 15))


def test_long_lists_are_shortened_and_all_shows_them() -> None:
    """What is left out is counted, and the command that shows it is named."""
    same = [stopped(number, "no contours") for number in range(30)]
    other = [stopped(100 + n, f"reason {n}", code=f"code_{n}") for n in range(30)]
    short = printed(content(*same, *other), 80)
    assert sum("sub-0" in line for line in short) < MOST_NAMED
    assert any(line.endswith(f"and {30 - MOST_NAMED} more") for line in short)
    assert f"  … and {30 - (MOST_REASONS - 1)} sessions with other reasons" in short
    assert any("cta-data status --all" in line for line in short)
    whole = "\n".join(printed(content(*same, *other), 80, everything=True))
    assert all(f"sub-{row.session.subject} ses-1" in whole for row in [*same, *other])
    assert all(f"      reason {number}\n" in whole + "\n" for number in range(30))
    assert "--all" not in whole


def test_seconds_stand_where_they_were_measured() -> None:
    """With the timing of a step its line gives the seconds, and says where it failed."""
    measured = {"convert": Timing(12.34, 1.0)}
    done = session(1, timing=measured)
    broken = replace(stopped(2, "why", "error"), timing=measured)
    lines = printed(content(done, broken), 80, everything=True)
    assert any(line.startswith("sub-001 ses-1  12.3 s ") for line in lines)
    assert any(line.startswith("sub-002 ses-1  FAILED 12.3 s") for line in lines)


def test_models_are_counted_and_failures_named() -> None:
    """Folds and predictions with a result are counted; each of the others has its reason."""
    units = (
        WorkStatus("B", "train fold 0", "ok"),
        WorkStatus("B", "train fold 1", "error", "out of memory"),
        WorkStatus("B", "predict internal-NAQ", "ok"),
    )
    lines = printed(content(session(1), models=units), 80)
    assert "  B  1 fold trained, 1 test set predicted" in lines
    assert "  B  train fold 1: out of memory" in lines


def test_a_study_without_sessions_says_so() -> None:
    """There is no table where there is nothing to count."""
    assert printed(content(), 80) == ["Study trial: 0 sessions of 0 subjects"]
