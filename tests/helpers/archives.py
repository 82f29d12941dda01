"""Unpacking of test data on every Python that is supported."""

from __future__ import annotations

import tarfile
from pathlib import Path


def extract_all(packed: tarfile.TarFile, folder: Path) -> None:
    """Unpack a tar; its members are checked where this Python can (from 3.11.4 on)."""
    if hasattr(tarfile, "data_filter"):
        packed.extractall(folder, filter="data")
    else:
        packed.extractall(folder)
