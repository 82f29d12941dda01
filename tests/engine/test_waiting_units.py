"""What waits for an earlier step is counted, and not told in full by every later one."""

from __future__ import annotations

from cta_data.engine import Record, UnitId
from cta_data.study.session_id import SessionId
from cta_data.terminal.output import split_failures


def record(step: str, subject: str, reason: str) -> Record:
    session = SessionId("own", subject, "1") if subject else None
    return Record(UnitId(step, session), "impossible", reason)


def test_units_that_wait_are_counted_by_the_step_that_they_wait_for() -> None:
    """Also where that step is not part of the command: it told its reasons when it ran."""
    own = record("register", "003", "the images do not overlap")
    build = record("build_A", "", "4 training patients are fewer than 5 folds")
    causes, waiting = split_failures(
        [
            record("register", "001", "convert: ROI 7: no rule of the card matches its name"),
            record("register", "002", "convert has not been done"),
            own,
            record("transfer", "001", "convert: ROI 7: no rule of the card matches its name"),
            record("transfer", "003", "register: the images do not overlap"),
            build,
        ]
    )
    assert causes == [own, build]
    assert waiting == {"convert": {"register": 2, "transfer": 1}, "register": {"transfer": 1}}
