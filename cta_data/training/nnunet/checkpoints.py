"""Read nnU-Net's checkpoints without executing anything that is in them.

A checkpoint is a pickle, and a pickle can run any code when it is loaded. nnU-Net loads its own
without a restriction. Here nothing but weights and plain values is ever built.
"""

from __future__ import annotations

import pickle
import zipfile
from importlib import import_module
from pathlib import Path
from typing import Any

from cta_data.errors import DataRefused

NEEDED = ("network_weights", "trainer_name", "init_args")


def read_checkpoint(path: Path, device: str = "cpu") -> dict[str, Any]:
    """Return the content of a checkpoint.

    Raises
    ------
    DataRefused
        The file is missing, cut off, holds more than weights and plain values (nothing of it was
        executed), or is no checkpoint of nnU-Net.
    """
    import numpy as np
    import torch

    # What nnU-Net's log holds beside plain values.
    scalar = import_module("numpy._core.multiarray").scalar
    plain = [scalar, np.dtype, np.dtypes.Float64DType, np.dtypes.Float32DType]
    try:
        _require_as_stored(path)
        _require_checksums(path)
        with torch.serialization.safe_globals(plain):
            content = torch.load(path, map_location=device, weights_only=True)
    except DataRefused:
        raise
    except FileNotFoundError as error:
        raise DataRefused("checkpoint_not_found", where=path.name) from error
    except Exception as error:
        # Damaged bytes are taken for any instruction, and fail in any way.
        raise _refusal(path.name, error) from error
    missing = [name for name in NEEDED if not isinstance(content, dict) or name not in content]
    if missing:
        raise DataRefused("not_an_nnunet_checkpoint", where=path.name, missing=missing[0])
    return dict(content)


def _require_checksums(path: Path) -> None:
    """Hold every member against its checksum, which torch does not look at."""
    if zipfile.is_zipfile(path):  # older files are one pickle
        with zipfile.ZipFile(path) as packed:
            damaged = packed.testzip()
        if damaged:
            raise ValueError(f"the checksum of {damaged} is wrong")


def _require_as_stored(path: Path) -> None:
    """Refuse a checkpoint that inflates: PyTorch stores weights as they are, and reads any.

    Raises
    ------
    DataRefused
        It would take more memory than its file has bytes.
    """
    if not zipfile.is_zipfile(path):
        return
    try:
        with zipfile.ZipFile(path) as packed:
            members = packed.infolist()
    except (OSError, zipfile.BadZipFile) as error:
        raise _refusal(path.name, error) from error
    packers = {member.compress_type for member in members} - {zipfile.ZIP_STORED}
    size = sum(member.file_size for member in members)
    if packers or size > path.stat().st_size:
        raise DataRefused(
            "checkpoint_compressed", where=path.name, size_bytes=path.stat().st_size, size=size
        )


def _refusal(name: str, error: Exception) -> DataRefused:
    forbidden = _forbidden(str(error)) if isinstance(error, pickle.UnpicklingError) else ""
    if forbidden:
        return DataRefused("checkpoint_holds_code", where=name, forbidden=forbidden)
    told = "" if isinstance(error, pickle.UnpicklingError) else str(error).strip()
    first = f": {type(error).__name__}: {told.splitlines()[0][:200]}" if told else ""
    return DataRefused("checkpoint_unreadable", where=name, first=first)


def _forbidden(message: str) -> str:
    """Return what was refused, of torch's long explanation; empty where it names nothing."""
    for line in message.splitlines():
        if "Unsupported global" in line or "Unsupported class" in line or "GLOBAL" in line:
            return line.strip().rstrip(".")[:200]
    return ""
