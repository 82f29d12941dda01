"""One GPU for each piece of work: the first that is free, waiting where none is."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

from cta_data.errors import ConfigurationError
from cta_data.files import try_lock
from cta_data.training.nnunet.environment import visible_gpus

LOCKS = Path(tempfile.gettempdir()) / f"cta_data-gpus-{os.getuid()}"
"""Of a user on a machine, not of a study: two studies must not take the same GPU either."""
_WAIT_SECONDS = 2.0


@contextmanager
def one_gpu(folder: Path, device: str, count: int) -> Iterator[dict[str, str]]:
    """Yield the variables that give a child process one GPU of its own.

    Locks in `folder` are shared by all workers on this machine. Without `--device cuda` nothing is
    locked, and the child sees no GPU.

    Parameters
    ----------
    count
        How many of the visible GPUs to use; 0 for all.

    Raises
    ------
    ConfigurationError
        No GPU is visible.
    """
    if device != "cuda":
        yield {"CUDA_VISIBLE_DEVICES": ""}
        return
    names = visible_gpus()
    names = names[:count] if count else names
    if not names:
        raise ConfigurationError("gpus_not_found")
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        files = [
            (name, stack.enter_context(open(folder / _lock(name), "w", encoding="utf-8")))
            for name in names
        ]
        yield {"CUDA_VISIBLE_DEVICES": _first_free(files)}


def _lock(name: str) -> str:
    # Parts of a GPU had names with slashes.
    return f"gpu-{name.replace('/', '-')}.lock"


def _first_free(files: Sequence[tuple[str, IO[str]]]) -> str:
    while True:
        for name, file in files:
            if try_lock(file):
                return name
        time.sleep(_WAIT_SECONDS)
