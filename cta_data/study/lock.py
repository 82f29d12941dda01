"""The lock of a study: one command at a time may change it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from cta_data.errors import CtaError
from cta_data.files import try_lock
from cta_data.names import require_short_dataset
from cta_data.study import layout
from cta_data.study.study import Study
from cta_data.versioning.leftovers import children_that_end, clear_leftovers
from cta_data.versioning.ownership import require_trusted

LOGGER = logging.getLogger(__name__)


@contextmanager
def study_lock(study: Study) -> Iterator[None]:
    """Hold the study's lock: one command at a time may change it.

    What was read of it before and is no longer so is forgotten, since another command may have
    written meanwhile: plan under the lock.

    Raises
    ------
    CtaError
        Another command holds it, git does not work here, or git-annex cannot.
    """
    with folder_lock(study.root):
        study.refresh()
        for cohort in study.cohorts:  # a study may have been moved
            require_short_dataset(study.root / study.derivatives_path(cohort))
        yield


@contextmanager
def folder_lock(root: Path) -> Iterator[None]:
    """Hold the lock of a study's folder, be it finished or not; see `study_lock`."""
    with _open_lock(root) as file:
        require_trusted(root)
        if not try_lock(file):
            raise CtaError("study_locked", where=root)
        with children_that_end():
            for done in clear_leftovers(root, layout.REPOSITORIES):
                LOGGER.info(done)
            yield


def _open_lock(root: Path) -> IO[str]:
    try:
        (root / ".cta").mkdir(exist_ok=True)
        return open(root / ".cta" / "lock", "w", encoding="utf-8")
    except OSError as error:
        raise CtaError(
            "study_not_writable", where=root, filename=error.filename, error=error.strerror
        ) from error
