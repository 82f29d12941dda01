"""The files of a study: written whole or not at all, JSON the same bytes each time, locks."""

from __future__ import annotations

import fcntl
import json
import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path
from typing import IO, Any
from weakref import WeakSet

from cta_data.errors import DataRefused


@contextmanager
def written_whole(path: Path, beside: Path | None = None) -> Iterator[Path]:
    """Yield a name to write to; it takes the place of `path` when all went well.

    The name lies in the folder `beside`, or in that of `path`; both are on one file system. A link
    at `path` is replaced, not followed. When the block fails, what was there stays, and nothing
    unfinished is left.
    """
    unfinished = (beside or path.parent) / f".{path.name}.{os.getpid()}.part"
    try:
        yield unfinished
        path.parent.mkdir(parents=True, exist_ok=True)
        os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)


def write_text(text: str, path: Path) -> None:
    """Write UTF-8 text whole; see `written_whole`."""
    write_bytes(text.encode(), path)


def write_bytes(content: bytes, path: Path) -> None:
    """Write bytes whole; see `written_whole`."""
    with written_whole(path) as unfinished:
        unfinished.write_bytes(content)


def write_changed(content: str | bytes, path: Path, beside: Path | None = None) -> bool:
    """Write a file whole unless it holds just this; tell whether it was written.

    `beside` is a folder for the unfinished file, as in `written_whole`.
    """
    wanted = content.encode() if isinstance(content, str) else content
    if path.is_file() and path.read_bytes() == wanted:
        return False
    (beside or path.parent).mkdir(parents=True, exist_ok=True)
    with written_whole(path, beside) as unfinished:
        unfinished.write_bytes(wanted)
    return True


def json_text(
    content: Any, *, indent: int = 2, sorted_keys: bool = True, escaped: bool = False
) -> str:
    """JSON of several lines with a newline at the end, the same for the same content.

    `escaped` writes what is not ASCII as `\\u….`.
    """
    text = json.dumps(
        content, indent=indent, sort_keys=sorted_keys, ensure_ascii=escaped, default=_number
    )
    return f"{text}\n"


def finite(value: float) -> float | None:
    """Return a number as JSON can hold it: None where it is NaN or infinite."""
    return value if math.isfinite(value) else None


def json_line(content: Any, *, sorted_keys: bool = True, escaped: bool = True) -> str:
    """JSON on one line, for a cell of a table or a line of a log; see `json_text`."""
    return json.dumps(content, sort_keys=sorted_keys, ensure_ascii=escaped, default=_number)


def _number(value: Any) -> Any:
    """Return a number of numpy as one of Python; nothing else is made into JSON."""
    if getattr(value, "ndim", None) == 0:  # of numpy, which is not loaded for this
        return value.item()
    raise TypeError(f"{type(value).__name__} is not JSON")


def read_json(path: Path) -> Any:
    """Return what a JSON file holds.

    Raises
    ------
    DataRefused
        The file is missing, is not JSON in UTF-8, or is nested beyond reason.
    """
    try:
        return json.loads(path.read_text("utf-8"))
    except FileNotFoundError as error:
        raise DataRefused("file_not_found", where=path) from error
    except (OSError, ValueError, RecursionError) as error:
        why = f"{type(error).__name__}: {str(error)[:200]}"
        raise DataRefused("json_unreadable", where=path, why=why) from error


def read_json_object(path: Path) -> dict[str, Any]:
    """Return the mapping that a JSON file holds; see `read_json` for the errors."""
    content = read_json(path)
    if not isinstance(content, dict):
        why = f"it holds {type(content).__name__}"
        raise DataRefused("json_not_a_mapping", where=path, why=why)
    return content


Stamp = tuple[int, int, int] | None
"""What changes when a file is written again: time, size and file number; None without a file."""


def file_stamp(path: Path) -> Stamp:
    """Return the stamp of a file, to know later whether it was written again."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino


def try_lock(file: IO[str] | FileIO) -> bool:
    """Lock an open file for this process alone, until it is closed; False where another has it."""
    return _lock(file, fcntl.LOCK_NB)


def _lock(file: IO[str] | FileIO, how: int = 0) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | how)
    except BlockingIOError:
        return False
    _locked.add(file)
    return True


_locked: WeakSet[IO[str] | FileIO] = WeakSet()


def _leave_locks() -> None:
    """Close a copied process's share of its parent's locks: they end with the parent alone."""
    for file in list(_locked):
        file.close()


os.register_at_fork(after_in_child=_leave_locks)


@contextmanager
def locked(path: Path, *, wait: bool) -> Iterator[bool]:
    """Hold the lock file `path` during the block; yields whether this process has it.

    With `wait`, the process that has it first is waited for, and True is yielded.
    """
    with path.open("w", encoding="utf-8") as file:
        yield _lock(file) if wait else try_lock(file)
