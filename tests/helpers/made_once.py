"""What is slow to make and only looked at: made by one of pytest's processes, used by all."""

from __future__ import annotations

import fcntl
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest

Made = TypeVar("Made")


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], Made]) -> Made:
    """Return what `make` makes in a new folder, or what another process of this run made there.

    `name` is one of the whole suite's. What is made has to be picklable, and no test may change it.
    """
    folder = shared_folder(factory, f"once-{name}")
    kept = folder / "made.pickle"
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not kept.exists():
            (folder / "content").mkdir()
            kept.write_bytes(pickle.dumps(make(folder / "content")))
    made: Made = pickle.loads(kept.read_bytes())
    return made


def shared_folder(factory: pytest.TempPathFactory, name: str) -> Path:
    """Return a folder that all of pytest's processes of this run share."""
    base = factory.getbasetemp()
    base = base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base
    folder = base / name
    folder.mkdir(exist_ok=True)
    return folder
