"""Threads in place of the processes that nnU-Net spawns, where processes cost more than they give.

Each process that is spawned imports torch and nnU-Net anew, which takes seconds of a core.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.pool import ThreadPool
from typing import Any

FEW_PROCESSES = 2


class _Threads:
    """A context of multiprocessing whose pools are of threads; all else is the original's."""

    def __init__(self, original: Any) -> None:
        self._original = original

    def Pool(self, processes: int | None = None) -> ThreadPool:  # noqa: N802 - its name
        return ThreadPool(processes)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._original, name)


@contextmanager
def pools_of_threads(wanted: bool) -> Iterator[None]:
    """Let pools that nnU-Net makes inside be of threads, where that is wanted.

    The whole process is affected: use it in a job, which is a process of its own.
    """
    if not wanted:
        yield
        return
    original: Any = multiprocessing.get_context
    library: Any = multiprocessing
    library.get_context = lambda method=None: _Threads(original(method))
    try:
        yield
    finally:
        library.get_context = original
