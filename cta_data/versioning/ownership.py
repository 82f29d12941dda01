"""Datasets of another user: git works on none that its user has not said to trust."""

from __future__ import annotations

import os
from pathlib import Path

from cta_data.versioning.committed import datasets_of
from cta_data.versioning.git_settings import OF_ANOTHER_USER, not_trusted, run_git


def require_trusted(root: Path) -> None:
    """Refuse to work where git would not, before anything is written.

    Raises
    ------
    CtaError
        Datasets belong to another user; the commands that make git work on them are told.
    """
    closed = [path for path in datasets_of(root) if not _is_trusted(path)]
    if closed:
        raise not_trusted(root, closed)


def _is_trusted(dataset: Path) -> bool:
    own = os.geteuid()
    if all(os.stat(path).st_uid == own for path in (dataset, dataset / ".git") if path.exists()):
        return True
    done = run_git(dataset, "rev-parse", "--git-dir")
    return OF_ANOTHER_USER not in done.stderr
