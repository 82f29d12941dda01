"""The memory of one piece of work: what this machine does not have fails, instead of the command.

Where memory runs out, the system ends a process of its choice, and with it all that it does. A
limit at what is free turns that into an error of the work that asked for too much.
"""

from __future__ import annotations

import ctypes
import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

GIBIBYTE = 1 << 30
_TAKEN_AHEAD = 64 << 20
_GROUPS = Path("/sys/fs/cgroup")
_TRIM_THRESHOLD, _TOP_PAD, _MAPPED_AT_MOST = -1, -2, -4  # of glibc's mallopt(3)
_ALLOCATION = ("bad_alloc", "bad allocation", "allocate memory", "out of memory")
"""What libraries that are not Python's say of it."""


def free_bytes() -> int:
    """Bytes that this process could still take: free on the machine, and allowed by its group."""
    import psutil

    free = psutil.virtual_memory().available + psutil.swap_memory().free
    return int(min([free, *_left_to_groups()]))


def _left_to_groups() -> Iterator[int]:
    """What is left of the limits of this process's control groups (version 2), as Slurm sets."""
    try:
        lines = Path("/proc/self/cgroup").read_text("ascii").splitlines()
        own = next((line[3:] for line in lines if line.startswith("0::")), "/")
        group = _GROUPS / own.lstrip("/")
        for folder in (group, *group.parents):
            if folder.is_relative_to(_GROUPS) and (folder / "memory.max").is_file():
                most = (folder / "memory.max").read_text("ascii").strip()
                used = int((folder / "memory.current").read_text("ascii"))
                if most != "max":
                    yield max(int(most) - used, 0)
    except (OSError, ValueError):
        return


@contextmanager
def memory_bounded(most: int | None = None) -> Iterator[None]:
    """Have what asks for more memory than is free fail with `MemoryError` meanwhile.

    Parameters
    ----------
    most
        Bytes that may be taken beyond what is in use; what is free without it.

    Notes
    -----
    The limit is on data (RLIMIT_DATA), as Linux counts it: what is mapped from files and what is
    reserved without being usable, as by PyTorch, is free. Elsewhere there is no limit.
    """
    if sys.platform != "linux":
        yield
        return
    import psutil

    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    more = free_bytes() if most is None else min(most, free_bytes())
    at_most = psutil.Process().memory_info().data + more
    allowed = [limit for limit in (at_most, soft, hard) if limit != resource.RLIM_INFINITY]
    resource.setrlimit(resource.RLIMIT_DATA, (min(allowed), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


def lift_memory_bound() -> None:
    """Take the limit from a process of its own, such as one that trains on a GPU."""
    if sys.platform == "linux":
        _, hard = resource.getrlimit(resource.RLIMIT_DATA)
        resource.setrlimit(resource.RLIMIT_DATA, (hard, hard))


def keep_freed_memory() -> None:
    """Have this process use memory that it freed again, instead of giving it back meanwhile.

    A network on a processor asks for the same large arrays at every step. The C library gives each
    back to the system, which clears its pages one by one when they are asked for again: a third of
    the time of a step. What the process holds then grows to what it ever needed at a time, and
    somewhat more. Where the C library is not glibc, nothing changes.
    """
    change = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if change:
        change(_MAPPED_AT_MOST, 0)
        change(_TRIM_THRESHOLD, (1 << 31) - 1)
        change(_TOP_PAD, _TAKEN_AHEAD)


def is_out_of_memory(error: BaseException) -> bool:
    """Tell whether an error, of whatever library, is that memory could not be had."""
    told = isinstance(error, RuntimeError) and str(error).lower()
    return isinstance(error, MemoryError) or bool(told and any(w in told for w in _ALLOCATION))
