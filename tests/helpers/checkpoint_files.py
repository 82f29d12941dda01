"""Checkpoints in nnU-Net's form, good and bad, and the marks of tests that need torch."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

NEEDS_TRAINING = [
    pytest.mark.train,
    pytest.mark.skipif(
        find_spec("nnunetv2") is None or find_spec("torch") is None,
        reason="torch or nnunetv2 is not installed (extra train)",
    ),
]


class Malicious:
    """An object that writes a file when it is unpickled."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch {self.target}",)


def checkpoint(seed: int = 0, **changes: Any) -> dict[str, Any]:
    """Return what nnU-Net writes, with a few weights; a change to None leaves a key out."""
    import torch

    generator = torch.Generator().manual_seed(seed)
    content = {
        "network_weights": {"layer.weight": torch.randn(20, 30, generator=generator)},
        "optimizer_state": {"state": {}, "param_groups": [{"lr": 0.01}]},
        "grad_scaler_state": None,
        "logging": {"train_losses": [np.float64(0.5), np.float32(0.25)], "mean_fg_dice": [0.1]},
        "_best_ema": np.float64(0.75),
        "current_epoch": 2,
        "init_args": {"configuration": "3d_fullres", "fold": 0},
        "trainer_name": "nnUNetTrainer",
        "inference_allowed_mirroring_axes": (0, 1, 2),
    } | changes
    return {key: value for key, value in content.items() if key not in changes or value is not None}


def write_checkpoint(path: Path, seed: int = 0, **changes: Any) -> Path:
    """Write a checkpoint as torch does."""
    import torch

    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(checkpoint(seed, **changes), path)
    return path
