"""How phantoms are written: into a folder of their own, by one process or several."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from cta_data.errors import ConfigurationError
from cta_data.processes import open_pool

_Job = TypeVar("_Job")
_Done = TypeVar("_Done")


def require_unused(folder: Path) -> None:
    """Refuse a folder that holds phantoms.

    Raises
    ------
    ConfigurationError
        It has `raw` or `truth`.
    """
    if (folder / "raw").exists() or (folder / "truth").exists():
        raise ConfigurationError("phantom_folder_not_empty", where=folder)


def done(write: Callable[[_Job], _Done], jobs: Sequence[_Job], processes: int) -> list[_Done]:
    """Do all jobs; return what came of them in their order, however many processes there are."""
    if processes == 1:
        return [write(job) for job in jobs]
    with open_pool(processes) as pool:
        return list(pool.map(write, jobs))
