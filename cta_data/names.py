"""Names from outside that become paths: what would mislead whoever reads them is refused.

A line break in a folder's name breaks every table and list that git keeps of it, an escape
sequence writes on a terminal what it likes, and marks of direction show another name than there is.
"""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path

from cta_data.errors import ConfigurationError

LONGEST_LABEL = 64
"""Characters of a label: file names are made of several, and end at 255 bytes."""
LONGEST_DATASET_PATH = 460
"""Bytes of a dataset's path: git-annex keeps databases below it, and SQLite opens none whose path
is longer than 512 bytes."""
_CATEGORIES = ("Cc", "Cs", "Zl", "Zp")
"""Control characters, bytes that are no UTF-8, separators of lines and of paragraphs."""
_DIRECTIONS = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def hidden_character(name: str) -> str:
    """Return the first character of a name that must not be in a path, as `U+000A`, or nothing."""
    for one in name:
        if one in _DIRECTIONS or unicodedata.category(one) in _CATEGORIES:
            return f"U+{ord(one):04X}"
    return ""


def shown(name: str) -> str:
    r"""Return a name with escapes such as `\n` for what must not be in a path."""
    return "".join(one if not hidden_character(one) else ascii(one)[1:-1] for one in name)


def require_plain_name(name: str, *, what: str) -> None:
    """Refuse a name that a user gives and that becomes a path.

    Raises
    ------
    ConfigurationError
        It holds a control character or the like.
    """
    found = hidden_character(name)
    if found:
        raise ConfigurationError(
            "name_has_control_character", where=shown(name), what=what, why=found
        )


def require_short_dataset(path: Path) -> None:
    """Refuse a place of a dataset in which git-annex cannot work.

    Raises
    ------
    ConfigurationError
        Its path is too long.
    """
    length = len(os.fsencode(path.absolute()))
    if length > LONGEST_DATASET_PATH:
        raise ConfigurationError(
            "dataset_path_too_long",
            where=path,
            length=length,
            longest_dataset_path=LONGEST_DATASET_PATH,
        )
