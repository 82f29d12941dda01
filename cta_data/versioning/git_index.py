"""Whether git knows a file, from its index: a command that only looks starts no process for it."""

from __future__ import annotations

import os
import re
import struct
from pathlib import Path

from cta_data.files import Stamp, file_stamp
from cta_data.versioning.git_settings import run_git

_SIGNATURE, _PLAIN_VERSION = b"DIRC", 2
_NAME_LENGTH = 0x0FFF
_indices: dict[Path, tuple[Stamp, bytes]] = {}


def is_known(dataset: Path, path: str) -> bool:
    """Tell whether git's index of a dataset names a file, by its path from the top of the dataset.

    The usual index holds names as they are, each after its length. Of any other (version 3 or 4),
    and of a dataset whose git folder lies elsewhere, git is asked.
    """
    index = dataset / ".git" / "index"
    stamp = file_stamp(index) if (dataset / ".git").is_dir() else None
    if stamp is None:
        return (dataset / ".git").is_file() and _asked(dataset, path)
    if index not in _indices or _indices[index][0] != stamp:
        _indices[index] = stamp, index.read_bytes()
    content = _indices[index][1]
    if content[:4] != _SIGNATURE or struct.unpack(">I", content[4:8])[0] != _PLAIN_VERSION:
        return _asked(dataset, path)
    name = os.fsencode(path)
    ends = re.finditer(re.escape(name) + b"\0", content)
    lengths = (struct.unpack(">H", content[one.start() - 2 : one.start()])[0] for one in ends)
    return any(length & _NAME_LENGTH == min(len(name), _NAME_LENGTH) for length in lengths)


def _asked(dataset: Path, path: str) -> bool:
    done = run_git(dataset, "--literal-pathspecs", "ls-files", "-z", "--", path)
    return done.stdout.rstrip("\0") == path
