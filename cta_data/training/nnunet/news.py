"""What the child process tells of a training while it runs."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

from cta_data.engine.running import Announcement, RunningTraining
from cta_data.training.nnunet.jobs import NewsPlace

_LAST_EPOCHS = 20
"""Epochs whose time says how long the others will take: a machine is not as quick all day."""


class TrainingNews:
    """Keeps the file of one fold below `.cta/running` up to date.

    Parameters
    ----------
    place
        Where it is told, and whose training it is; nothing is told without it.
    """

    def __init__(self, place: NewsPlace | None) -> None:
        self._announcement = Announcement(place.file) if place else None
        model, fold, log = (place.model, place.fold, place.log) if place else ("", 0, "")
        self._now = RunningTraining(model, fold, log, since=time.time())
        self._ends = [time.monotonic()]

    def phase(self, name: str, **known: Any) -> None:
        """Tell that a phase begins, and what else is known of the training."""
        self._ends = [time.monotonic()]
        self._tell(replace(self._now, phase=name, **known))

    def epoch_ended(self, trainer: Any) -> None:
        """Tell of the epoch that a trainer has just finished."""
        self._ends = [*self._ends, time.monotonic()][-_LAST_EPOCHS - 1 :]
        an_epoch = (self._ends[-1] - self._ends[0]) / (len(self._ends) - 1)
        log = trainer.logger
        now = replace(
            self._now,
            epoch=trainer.current_epoch,
            epochs=trainer.num_epochs,
            train_loss=float(log.get_value("train_losses", step=-1)),
            validation_loss=float(log.get_value("val_losses", step=-1)),
            pseudo_dice=float(log.get_value("mean_fg_dice", step=-1)),
            kept_epoch=trainer.kept_epoch,
            seconds_left=an_epoch * (trainer.num_epochs - trainer.current_epoch),
        )
        self._tell(now)

    def close(self) -> None:
        """Tell that this process is done with the fold."""
        if self._announcement:
            self._announcement.withdraw()

    def _tell(self, now: RunningTraining) -> None:
        self._now = now
        if self._announcement:
            self._announcement.tell(now)
