"""Links in a source: which of them stay in it."""

from __future__ import annotations

import os
from pathlib import Path

LEADS_OUT = "is a link that leads out of the source"


def leads_out(path: Path, source: Path) -> bool:
    """Tell whether a file of a source is a link to something that is no part of it.

    Content that git-annex keeps for a dataset that the link lies in is part of it, there or not.
    """
    if not path.is_symlink():
        return False
    target = Path(os.path.realpath(path))
    if target.is_relative_to(os.path.realpath(source)):
        return False
    return not any(target.is_relative_to(objects) for objects in _annexes_around(path))


def _annexes_around(path: Path) -> list[Path]:
    """Return where git-annex keeps the content of the datasets that a file lies in."""
    folders = Path(os.path.realpath(path.parent))
    found = []
    for folder in (folders, *folders.parents):
        git = folder / ".git"
        if git.is_file():  # of a submodule: it names the folder
            told = git.read_text("utf-8", errors="replace").removeprefix("gitdir:").strip()
            git = folder / told
        if git.is_dir():
            found.append(Path(os.path.realpath(git)) / "annex" / "objects")
    return found
