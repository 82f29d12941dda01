"""What a training or a prediction runs on."""

from __future__ import annotations

import os
from dataclasses import dataclass

MOST_PROCESSES = 8


@dataclass(frozen=True)
class Machine:
    """What a training runs on; its result does not depend on it as far as nnU-Net can help."""

    device: str = "cuda"
    gpus: int = 1
    processes: int = 1
    threads: int = 0
    """Threads of the arithmetic on a CPU; 0 for as many as there are cores."""
    checkpoint_every: int = 1
    recompute: bool = False
    logger: str = "none"
    log_folder: str = ""
    """Of the logger, from the top of the study."""


def machine_for(
    device: str,
    gpus: int,
    jobs: int,
    *,
    checkpoint_every: int = 1,
    recompute: bool = False,
) -> Machine:
    """Return how the cores are shared between so many units at a time.

    The cores are those that this process may use: a batch system may give it a few of many. The
    threads of a unit are no more than OMP_NUM_THREADS says, where that is set.
    """
    cores = max(1, _cores() // max(1, jobs))
    most = os.environ.get("OMP_NUM_THREADS", "")
    threads = min(cores, max(1, int(most))) if most.isdecimal() else cores
    processes = min(cores, MOST_PROCESSES)
    return Machine(device, gpus, processes, threads, checkpoint_every, recompute)


def _cores() -> int:
    # Not every system can tell which of its cores a process may use.
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
