"""Processes that share work: one that dies costs what it died of, and nothing else."""

from __future__ import annotations

import ctypes
import signal
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import get_context
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

CAN_FORK = sys.platform == "linux"
"""Whether a copy of a process is safe, and dies with it: elsewhere it is not with threads."""
_DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG of prctl(2)
_ITEMS_A_PROCESS = 2
"""Given out ahead, so that no process waits for the next."""


def die_with_parent() -> None:
    """Have the system kill this process when the one that started it is gone; on Linux alone."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL)


def open_pool(processes: int) -> ProcessPoolExecutor:
    """Return fresh interpreters that die with this process, or with the thread that gives work.

    Linux watches the thread that started them: work comes from one that outlives it. They are not
    forked, since ITK's threads do not survive that.
    """
    return ProcessPoolExecutor(
        processes, mp_context=get_context("spawn"), initializer=die_with_parent
    )


class Workers:
    """Processes, or this one; see `open_workers`."""

    def __init__(self, jobs: int) -> None:
        self._jobs = jobs
        self._pools: dict[int, ProcessPoolExecutor] = {}

    def map(
        self,
        work: Callable[[Item], Result],
        items: Iterable[Item],
        lost: Callable[[Item], Result],
    ) -> list[Result]:
        """Return the result of every item, in any order.

        When a process dies, nobody knows which of the items under way it died of. Each of them is
        tried once more, one at a time, so that no other takes memory meanwhile.

        Parameters
        ----------
        work
            A function of a module, since it goes to other processes; what it raises is raised.
        lost
            The result of an item whose process died while it was alone, too.
        """
        if self._jobs <= 1:
            return [work(item) for item in items]
        results: list[Result] = []
        waiting = deque(items)
        while waiting:
            suspects = self._share(work, waiting, results)
            results += [self._alone(work, item, lost) for item in suspects]
        return results

    def close(self) -> None:
        """End all processes; what they were not yet given is dropped."""
        for jobs in list(self._pools):
            self._end(jobs)

    def _share(
        self, work: Callable[[Item], Result], waiting: deque[Item], results: list[Result]
    ) -> list[Item]:
        """Work until nothing waits or a process dies; return the items under way when it did."""
        running: dict[Future[Result], Item] = {}
        suspects: list[Item] = []
        broken = False
        while running or (waiting and not broken):
            while waiting and not broken and len(running) < _ITEMS_A_PROCESS * self._jobs:
                try:
                    running[self._pool(self._jobs).submit(work, waiting[0])] = waiting[0]
                    waiting.popleft()
                except BrokenProcessPool:
                    broken = True
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                item = running.pop(future)
                try:
                    results.append(future.result())
                except BrokenProcessPool:
                    broken = True
                    suspects.append(item)
        if broken:
            self._end(self._jobs)
        return suspects

    def _alone(
        self, work: Callable[[Item], Result], item: Item, lost: Callable[[Item], Result]
    ) -> Result:
        try:
            return self._pool(1).submit(work, item).result()
        except BrokenProcessPool:
            self._end(1)
            return lost(item)

    def _pool(self, jobs: int) -> ProcessPoolExecutor:
        if jobs not in self._pools:
            self._pools[jobs] = open_pool(jobs)
        return self._pools[jobs]

    def _end(self, jobs: int) -> None:
        self._pools.pop(jobs).shutdown(cancel_futures=True)


@contextmanager
def open_workers(jobs: int) -> Iterator[Workers]:
    """Open so many processes, and end them afterwards; with one job this process works itself."""
    workers = Workers(jobs)
    try:
        yield workers
    finally:
        workers.close()
