"""Content keys: what a file holds, told without reading it where git-annex already knows."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_POINTER = b"/annex/objects/"
_POINTER_SIZE = 32 * 1024
_MOST_EXTENSIONS = 2
_LONGEST_EXTENSION = 4
_READ_ONLY = os.O_RDONLY | getattr(os, "O_BINARY", 0)
_COMPACT = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=True)

_hashed: dict[tuple[str, int, int, int], str] = {}
"""Keys of large files that are in no annex yet, by name, time, size and file number."""


def content_key(path: Path | str) -> str | None:
    """Return the git-annex key of a file's content, or None where there is no such file.

    An annexed file answers from its link, whether or not its content is here. Any other file is
    hashed as git-annex would (backend MD5E), so that annexing it does not change its key.
    """
    name = os.fspath(path)
    target = _link_target(name)
    if "annex/objects/" in target:
        return target.rpartition("/")[2]
    try:
        content = _start_of(name)
    except (FileNotFoundError, NotADirectoryError):
        return None
    if len(content) <= _POINTER_SIZE:
        return _pointer_key(content) or _key(name, len(content), _md5(content).hexdigest())
    status = os.stat(name)
    seen = (name, status.st_mtime_ns, status.st_size, status.st_ino)
    if seen not in _hashed:
        with open(name, "rb") as file:
            md5 = hashlib.file_digest(file, _md5)
        _hashed[seen] = _key(name, status.st_size, md5.hexdigest())
    return _hashed[seen]


def _start_of(name: str) -> bytes:
    """Return a file's content, or its beginning where it is larger than any pointer.

    A plan asks this of each small file of a study: a file object would take most of the time.
    """
    file = os.open(name, _READ_ONLY)
    try:
        content = os.read(file, _POINTER_SIZE + 1)
        while len(content) <= _POINTER_SIZE and (more := os.read(file, _POINTER_SIZE)):
            content += more
    finally:
        os.close(file)
    return content


def _link_target(name: str) -> str:
    """Return where a link leads; empty where there is no link.

    A study is mostly links, and the system's one call that reads them is all that they cost.
    """
    try:
        return os.readlink(name)
    except OSError:
        return ""


def linked_to(path: Path) -> Path | None:
    """Return the file that a link of ours points to; None of any other, git-annex's links too."""
    target = _link_target(os.fspath(path))
    if not target or ".git" in Path(target).parts:
        return None
    return Path(os.path.normpath(path.parent / target))


def is_fetched(path: Path) -> bool:
    """Return whether a file's content is here: false for a link or pointer into an empty annex."""
    if os.path.islink(path):
        return os.path.exists(path)
    size = os.stat(path).st_size
    if size > _POINTER_SIZE:
        return True
    with open(path, "rb") as file:
        return _pointer_key(file.read(_POINTER_SIZE)) is None


def digest(content: Any) -> str:
    """Return a short hash of JSON content: same content, same text, on every machine."""
    return hashlib.sha256(_COMPACT.encode(content).encode()).hexdigest()[:32]


def unit_key(inputs: Mapping[str, str], parameters_digest: str, version: int) -> str:
    """Return the key of a unit: its inputs' keys, the step's parameters and its version."""
    return digest([sorted(inputs.items()), parameters_digest, version])


def _key(name: str, size: int, md5: str) -> str:
    """Return the key that git-annex would give a file."""
    return f"MD5E-s{size}--{md5}{_extension(os.path.basename(name))}"


def _md5(content: bytes = b"") -> Any:
    return hashlib.md5(content, usedforsecurity=False)


def _pointer_key(content: bytes) -> str | None:
    """Return the key that a file of this content stands for, where git-annex unlocked it."""
    if not content.startswith(_POINTER):
        return None
    line = content.partition(b"\n")[0]
    return line.decode().strip().rsplit("/", 1)[-1]


def _extension(name: str) -> str:
    """Return the part of a name that git-annex keeps in a key: its last two short extensions."""
    short: list[str] = []
    for part in reversed(name.lstrip(".").split(".")[1:]):
        if len(part.encode()) > _LONGEST_EXTENSION:
            break
        if part.isalnum() or all(one.isalnum() or not one.isascii() for one in part):
            short.append(part)
    return "".join(f".{part}" for part in reversed(short[:_MOST_EXTENSIONS]) if part)
