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

_hashed: dict[tuple[str, int, int, int], str] = {}


def content_key(path: Path) -> str | None:
    """Return the git-annex key of a file's content, or None where there is no such file.

    An annexed file answers from its link, whether or not its content is here. Any other file is
    hashed as git-annex would (backend MD5E), so that annexing it does not change its key.
    """
    try:
        status = os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    if os.path.islink(path):
        target = os.readlink(path)
        if "annex/objects/" in target:
            return os.path.basename(target)
        if not os.path.exists(path):
            return None
        status = os.stat(path)
    seen = (str(path), status.st_mtime_ns, status.st_size, status.st_ino)
    if seen not in _hashed:
        _hashed[seen] = _pointer_key(path, status.st_size) or _md5e(path, status.st_size)
    return _hashed[seen]


def is_fetched(path: Path) -> bool:
    """Tell whether a file's content is here: false for a link or pointer into an empty annex."""
    if os.path.islink(path):
        return os.path.exists(path)
    return _pointer_key(path, os.stat(path).st_size) is None


def digest(content: Any) -> str:
    """Return a short hash of JSON content: same content, same text, on every machine."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def unit_key(inputs: Mapping[str, str], parameters_digest: str, version: int) -> str:
    """Return the key of a unit: its inputs' keys, the step's parameters and its version."""
    return digest([sorted(inputs.items()), parameters_digest, version])


def _pointer_key(path: Path, size: int) -> str | None:
    if size > _POINTER_SIZE:
        return None
    with open(path, "rb") as file:
        line = file.readline(_POINTER_SIZE)
    if not line.startswith(_POINTER):
        return None
    return line.decode().strip().rsplit("/", 1)[-1]


def _md5e(path: Path, size: int) -> str:
    with open(path, "rb") as file:
        md5 = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
    return f"MD5E-s{size}--{md5}{_extension(path.name)}"


def _extension(name: str) -> str:
    """Return the part of a name that git-annex keeps in a key: its last two short extensions."""
    short: list[str] = []
    for part in reversed(name.lstrip(".").split(".")[1:]):
        if len(part.encode()) > _LONGEST_EXTENSION:
            break
        if all(character.isalnum() or not character.isascii() for character in part):
            short.append(part)
    return "".join(f".{part}" for part in reversed(short[:_MOST_EXTENSIONS]) if part)
