"""The journal of a review: what was confirmed survives a crash, and nothing is made of damage."""

from __future__ import annotations

import errno
from io import FileIO
from pathlib import Path

import pytest

from cta_data.errors import CtaError
from cta_data.review.journal import DECIDE, UNDO, ReviewJournal, left_journals
from cta_data.study.session_id import SessionId
from cta_data.study.tables import DecisionRow


def decision(subject: str, verdict: str) -> DecisionRow:
    return DecisionRow(
        kind="transfer",
        step="transfer",
        session=SessionId("own", subject, "1"),
        reader="R1",
        verdict=verdict,
        decided_on="2026-01-01",
        content_key="k",
        blinded=True,
    )


def verdicts(journal: ReviewJournal) -> dict[str, str]:
    found = journal.stands().values()
    return {row.session.subject: row.verdict for row in found if row.session}


def test_what_was_written_is_read_again(tmp_path: Path) -> None:
    """All fields of every decision; the last about an item counts."""
    first = ReviewJournal(tmp_path, "R1")
    for subject, verdict in (("1", "accepted"), ("2", "rejected"), ("1", "uncertain")):
        first.add(DECIDE, decision(subject, verdict))
    first.close()
    again = ReviewJournal(tmp_path, "R1")
    assert verdicts(again) == {"1": "uncertain", "2": "rejected"}
    assert again.stands() == first.stands()
    assert left_journals(tmp_path) == ["R1"]


def test_undo_brings_back_what_was_said_before(tmp_path: Path) -> None:
    """Also across items, one after the other, until nothing is left."""
    journal = ReviewJournal(tmp_path, "R1")
    for subject, verdict in (("1", "accepted"), ("2", "rejected"), ("1", "uncertain")):
        journal.add(DECIDE, decision(subject, verdict))
    seen = []
    while (last := journal.last()) is not None:
        journal.add(UNDO, last)
        seen.append(verdicts(journal))
    assert seen == [{"1": "accepted", "2": "rejected"}, {"1": "accepted"}, {}]


def test_what_could_not_be_written_was_not_decided(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk takes half a line: the file is as before, and the next line is whole."""
    journal = ReviewJournal(tmp_path, "R1")
    journal.add(DECIDE, decision("1", "accepted"))
    before = journal.path.read_bytes()

    def disk_is_full(file: FileIO, content: bytes) -> None:
        file.write(content[:20])
        raise OSError(errno.ENOSPC, "no space left")

    with monkeypatch.context() as full:
        full.setattr("cta_data.review.journal._write_all", disk_is_full)
        with pytest.raises(OSError, match="no space"):
            journal.add(DECIDE, decision("1", "rejected"))
    assert journal.path.read_bytes() == before and verdicts(journal) == {"1": "accepted"}
    journal.add(DECIDE, decision("2", "rejected"))
    journal.close()
    assert verdicts(ReviewJournal(tmp_path, "R1")) == {"1": "accepted", "2": "rejected"}


def test_a_line_that_a_crash_cut_is_dropped(tmp_path: Path) -> None:
    """It was never confirmed; the next line does not run into it."""
    first = ReviewJournal(tmp_path, "R1")
    first.add(DECIDE, decision("1", "accepted"))
    first.close()
    with first.path.open("ab") as file:
        file.write(b'{"action": "decide", "deci')
    again = ReviewJournal(tmp_path, "R1")
    again.add(DECIDE, decision("2", "rejected"))
    again.close()
    assert verdicts(ReviewJournal(tmp_path, "R1")) == {"1": "accepted", "2": "rejected"}


@pytest.mark.parametrize(
    "line",
    [
        b"not JSON",
        b'{"action": "decide"}',
        b'{"action": "delete", "decision": {}}',
        b'{"action": "decide", "decision": {"kind": 3, "session": null}}',
        b"\xff\xfe",
    ],
)
def test_a_damaged_line_stops_the_review(tmp_path: Path, line: bytes) -> None:
    """It is never taken for nothing, and the file stays as it is."""
    first = ReviewJournal(tmp_path, "R1")
    first.add(DECIDE, decision("1", "accepted"))
    first.close()
    content = line + b"\n" + first.path.read_bytes()
    first.path.write_bytes(content)
    with pytest.raises(CtaError) as refused:
        ReviewJournal(tmp_path, "R1")
    assert refused.value.reason.code == "review_journal_damaged"
    assert first.path.read_bytes() == content


def test_one_review_of_a_reader_at_a_time(tmp_path: Path) -> None:
    """Two would undo each other's decisions; another reader is another journal."""
    kept = ReviewJournal(tmp_path, "R1")
    with pytest.raises(CtaError) as refused:
        ReviewJournal(tmp_path, "R1")
    assert refused.value.reason.code == "review_open_elsewhere"
    ReviewJournal(tmp_path, "R2").remove()
    assert left_journals(tmp_path) == ["R1"]
    kept.close()
