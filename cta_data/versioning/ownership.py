"""Datasets of another user: git works on none that its user has not said to trust."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

from cta_data.errors import CtaError
from cta_data.versioning.committed import datasets_of
from cta_data.versioning.git_settings import run_git


def require_trusted(root: Path) -> None:
    """Refuse to work where git would not, before anything is written.

    Raises
    ------
    CtaError
        Datasets belong to another user; the commands that make git work on them are told.
    """
    closed = [path for path in datasets_of(root) if not _is_trusted(path)]
    if closed:
        remedies = [
            f"git config --global --add safe.directory {shlex.quote(str(p))}" for p in closed
        ]
        raise CtaError(
            "study_owned_by_another_user",
            where=root,
            n_closed=len(closed),
            remedies=tuple(remedies),
        )


def _is_trusted(dataset: Path) -> bool:
    own = os.geteuid()
    if all(os.stat(path).st_uid == own for path in (dataset, dataset / ".git") if path.exists()):
        return True
    done = run_git(dataset, "rev-parse", "--git-dir")
    return "dubious ownership" not in done.stderr
