"""The journal of a sitting: each decision is on the disk before the page says that it is kept.

One file for each reader in the study's folder `.cta`, which no commit holds. A line is one
decision, or that one was taken back. A line that was cut by a crash was never confirmed to the
reader, and is dropped; any other line that cannot be read stops the review.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields, replace
from io import FileIO
from pathlib import Path
from typing import Any

from cta_data.errors import CtaError
from cta_data.files import json_line, try_lock
from cta_data.review.items import about_key
from cta_data.study.session_id import SessionId
from cta_data.study.tables import DecisionRow

FOLDER = Path(".cta") / "review"
ENDING = ".jsonl"
DECIDE, UNDO = "decide", "undo"
OPEN_ELSEWHERE = "review_open_elsewhere"


@dataclass(frozen=True)
class Entry:
    """One line: what a reader said of an item, or (`undo`) that it is taken back."""

    action: str
    decision: DecisionRow


class ReviewJournal:
    """The open journal of one reader; another process that opens it is refused.

    Raises
    ------
    CtaError
        This reader has a review open, or a line is damaged.
    """

    def __init__(self, root: Path, reader: str) -> None:
        self.path = journal_path(root, reader)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        # Without a buffer: what could not be written must not be written later.
        self._file = self.path.open("a+b", buffering=0)
        if not try_lock(self._file):
            self._file.close()
            raise CtaError(OPEN_ELSEWHERE, where=str(self.path), reader=reader)
        self.entries, whole = _read(self.path)
        # What a crash cut off would otherwise run into the next line.
        os.truncate(self.path, whole)
        _sync_folder(self.path.parent)

    def add(self, action: str, decision: DecisionRow) -> None:
        """Write a line, and return when it is on the disk.

        Raises
        ------
        OSError
            It could not be written: nothing was decided.
        """
        entry = Entry(action, decision)
        before = os.fstat(self._file.fileno()).st_size
        try:
            _write_all(self._file, _line(entry).encode())
            os.fsync(self._file.fileno())
        except OSError:
            # Half a line would run into the next one.
            os.ftruncate(self._file.fileno(), before)
            raise
        self.entries.append(entry)

    def stands(self) -> dict[tuple[object, ...], DecisionRow]:
        """Return the last decision about each item that was not taken back."""
        found: dict[tuple[object, ...], list[DecisionRow]] = {}
        for entry in self.entries:
            said = found.setdefault(about_key(entry.decision), [])
            if entry.action == DECIDE:
                said.append(entry.decision)
            elif said:
                said.pop()
        return {key: said[-1] for key, said in found.items() if said}

    def last(self) -> DecisionRow | None:
        """Return the newest decision that was not taken back."""
        kept: list[DecisionRow] = []
        for entry in self.entries:
            if entry.action == DECIDE:
                kept.append(entry.decision)
            else:
                at = max(i for i, one in enumerate(kept) if _same(one, entry.decision))
                del kept[at]
        return kept[-1] if kept else None

    def remove(self) -> None:
        """Remove the file: all of it is in the study's history now."""
        self.path.unlink(missing_ok=True)
        self.entries.clear()
        self.close()

    def close(self) -> None:
        """Let others open it."""
        self._file.close()


def journal_path(root: Path, reader: str) -> Path:
    """Return where the journal of a reader lies."""
    return root / FOLDER / f"{reader}{ENDING}"


def left_journals(root: Path) -> list[str]:
    """Return the readers whose last sitting left decisions that are in no commit."""
    return sorted(path.stem for path in (root / FOLDER).glob(f"*{ENDING}"))


def _write_all(file: FileIO, content: bytes) -> None:
    """Write all of it; a disk that is nearly full takes a part, and refuses the rest."""
    while content:
        content = content[file.write(content) :]


def _sync_folder(folder: Path) -> None:
    """Have the name of a new file on the disk, too."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _same(one: DecisionRow, other: DecisionRow) -> bool:
    return about_key(one) == about_key(other)


def _line(entry: Entry) -> str:
    content = asdict(entry.decision)
    session = entry.decision.session
    content["session"] = list(session) if session else None
    return json_line({"action": entry.action, "decision": content}).rstrip("\n") + "\n"


def _read(path: Path) -> tuple[list[Entry], int]:
    """Return the entries of a file, and how many of its bytes are whole lines."""
    content = path.read_bytes()
    whole = content.rfind(b"\n") + 1
    return list(_entries(path, content[:whole])), whole


def _entries(path: Path, content: bytes) -> Iterator[Entry]:
    for number, line in enumerate(content.splitlines(), start=1):
        try:
            read = json.loads(line)
            action = read["action"]
            if action not in (DECIDE, UNDO):
                raise ValueError(f"unknown action {action!r}")
            yield Entry(action, decision_from(read["decision"]))
        except (ValueError, KeyError, TypeError) as error:
            raise CtaError(
                "review_journal_damaged", where=str(path), line=number, error=str(error)
            ) from error


def decision_from(content: Mapping[str, Any]) -> DecisionRow:
    """Return the decision that JSON content holds.

    Raises
    ------
    TypeError, ValueError
        A field is missing, unknown or of another type.
    """
    session = content["session"]
    row = DecisionRow(**{**content, "session": SessionId(*session) if session else None})
    empty = DecisionRow(kind="", reader="", verdict="", decided_on="", content_key="")
    for field in fields(DecisionRow):
        value, like = getattr(row, field.name), getattr(empty, field.name)
        if like is not None and type(value) is not type(like):
            raise ValueError(f"{field.name} is {value!r}")
    return replace(row)
