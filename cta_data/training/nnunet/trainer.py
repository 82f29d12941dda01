"""nnU-Net's trainer with seeds, checkpoints that are never half written, and safe resuming.

Learning itself is nnU-Net's. This module imports nnU-Net and torch: import it in a job only.
"""

from __future__ import annotations

import os
import random
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer as OriginalTrainer
from torch._dynamo import OptimizedModule

from cta_data.training.nnunet.checkpoints import read_checkpoint
from cta_data.training.nnunet.jobs import LearningOptions
from cta_data.versioning.keys import digest

LATEST = "checkpoint_latest.pth"
_PLOT_EVERY_SECONDS = 60.0
_CLOCKS = ("epoch_start_timestamps", "epoch_end_timestamps")
"""What nnU-Net logs of the clock; its checkpoints hold the log, and its picture shows it."""


def seeded(trainer: type[OriginalTrainer]) -> Any:
    """Return a trainer with seeds, whole checkpoints and safe resuming, under the same name.

    Folders and checkpoints carry the class's name, and any nnU-Net looks its trainer up by it.
    """
    return type(trainer.__name__, (_Seeded, trainer), {"__module__": trainer.__module__})


class _Seeded(OriginalTrainer):
    """What stands before a trainer; every epoch starts from a seed of its own.

    A training that was interrupted then goes on as if it had not been, where the augmentation
    runs in this process (`training.reproducible`).
    """

    def prepare(self, learning: LearningOptions, seed: int) -> None:
        """Take how it is learnt; `seed` is that of the fold."""
        self.num_epochs = learning.epochs
        self.initial_lr = learning.learning_rate
        self.num_iterations_per_epoch = learning.iterations_per_epoch
        self.num_val_iterations_per_epoch = learning.validation_iterations
        self.save_every = learning.checkpoint_every
        self.seed = seed
        self.reproducible = learning.reproducible
        self._plotted = time.monotonic()
        self.kept_epoch = 0
        self._plot = self.logger.plot_progress_png
        # Drawing takes a second, as long as an epoch of a small plan.
        self.logger.plot_progress_png = self._plot_now_and_then
        seed_everything(self.seed, -1)
        self.initialize()

    def _plot_now_and_then(self, folder: str) -> None:
        if time.monotonic() - self._plotted > _PLOT_EVERY_SECONDS:
            self._plot(folder)
            self._plotted = time.monotonic()

    def on_epoch_start(self) -> None:
        """Seed the epoch."""
        seed_everything(self.seed, self.current_epoch)
        super().on_epoch_start()

    def on_train_end(self) -> None:
        """Draw the curves a last time."""
        super().on_train_end()
        self._plot(self.output_folder)

    def save_checkpoint(self, filename: str) -> None:
        """Write a checkpoint under another name first, so that none is ever half written.

        A training that is to be repeated bit for bit holds no time of day.
        """
        if self.reproducible:
            log = self.logger.local_logger.my_fantastic_logging
            log.update({name: [0.0] * len(log[name]) for name in _CLOCKS})
        # torch writes the name into the file: it must be the same in every process.
        part = f"{filename}.part"
        super().save_checkpoint(part)
        if os.path.exists(part):
            os.replace(part, filename)
            if Path(filename).name == LATEST:
                self.kept_epoch = self.current_epoch + 1

    def load_checkpoint(self, filename_or_checkpoint: Any) -> None:
        """Go on from a checkpoint, of which nothing is executed."""
        content = filename_or_checkpoint
        if not isinstance(content, dict):
            content = read_checkpoint(Path(content), str(self.device))
        network = self.network
        if isinstance(network, OptimizedModule):
            network = network._orig_mod
        network.load_state_dict(content["network_weights"])
        self.optimizer.load_state_dict(content["optimizer_state"])
        if self.grad_scaler is not None and content["grad_scaler_state"] is not None:
            self.grad_scaler.load_state_dict(content["grad_scaler_state"])
        self.current_epoch = content["current_epoch"]
        self.logger.load_checkpoint(content["logging"])
        self._best_ema = content["_best_ema"]
        self.inference_allowed_mirroring_axes = content["inference_allowed_mirroring_axes"]

    def _save_debug_information(self) -> None:
        """Write none: it names the machine and its folders."""


def seed_everything(seed: int, epoch: int) -> None:
    """Seed every generator that nnU-Net draws from."""
    number = int(digest([seed, epoch])[:8], 16)
    random.seed(number)
    np.random.seed(number)
    torch.manual_seed(number)
