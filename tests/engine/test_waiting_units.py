"""What waits for an earlier step is counted, and not told in full by every later one."""

from __future__ import annotations

from cta_data.engine import Record, UnitId
from cta_data.reasons import Reason
from cta_data.study.session_id import SessionId
from cta_data.terminal.output import split_failures

APART = Reason("registration_start_not_found")


def record(step: str, subject: str, reason: Reason) -> Record:
    session = SessionId("own", subject, "1") if subject else None
    return Record(UnitId(step, session), "impossible", reason)


def test_units_that_wait_are_counted_by_the_step_that_they_wait_for() -> None:
    """Also where that step is not part of the command: it told its reasons when it ran."""
    own = record("register", "003", APART)
    build = record(
        "build_A", "", Reason("training_patients_fewer_than_folds", n_patients=4, n_folds=5)
    )
    convert = Reason("stopped_at_step", step="convert", cause=Reason("roi_matches_no_rule"))
    causes, waiting = split_failures(
        [
            record("register", "001", convert),
            record("register", "002", Reason("step_not_done", step="convert")),
            own,
            record("transfer", "001", convert),
            record("transfer", "003", Reason("stopped_at_step", step="register", cause=APART)),
            build,
        ]
    )
    assert causes == [own, build]
    assert waiting == {"convert": {"register": 2, "transfer": 1}, "register": {"transfer": 1}}
