"""What runs, in words: steps of a command, and folds in training."""

from __future__ import annotations

import os
import time

from cta_data.engine.running import Running, RunningStep, RunningTraining

_MINUTE, _HOUR, _DAY = 60, 3600, 86400


def duration(seconds: float) -> str:
    """Return a time as people say it: `45 s`, `12 min`, `3 h 20 min`, `2 d 4 h`."""
    whole = round(seconds)
    if whole < 2 * _MINUTE:
        return f"{whole} s"
    if whole < 2 * _HOUR:
        return f"{whole // _MINUTE} min"
    if whole < 2 * _DAY:
        return f"{whole // _HOUR} h {whole % _HOUR // _MINUTE} min"
    return f"{whole // _DAY} d {whole % _DAY // _HOUR} h"


def fold_name(running: RunningTraining) -> str:
    """Return which fold is trained."""
    return f"{running.model} fold {running.fold}"


def training_text(running: RunningTraining) -> str:
    """Return how far a training is."""
    if running.phase != "training":
        return running.phase
    parts = [f"epoch {running.epoch} of {running.epochs}"]
    if running.train_loss is not None and running.validation_loss is not None:
        losses = f"{running.train_loss:.3f} (training), {running.validation_loss:.3f} (validation)"
        parts.append(f"loss {losses}")
    if running.pseudo_dice is not None:
        parts.append(f"pseudo Dice {running.pseudo_dice:.3f}")
    if running.seconds_left is not None:
        parts.append(f"{duration(running.seconds_left)} left")
    return ", ".join(parts)


def short_training_text(running: RunningTraining) -> str:
    """Return how far a training is, beside a bar of its epochs: both losses, and the time left."""
    known = running.train_loss is not None and running.validation_loss is not None
    if running.phase != "training" or not known or running.seconds_left is None:
        return running.phase
    losses = f"loss {running.train_loss:.2f}/{running.validation_loss:.2f}"
    dice = "" if running.pseudo_dice is None else f"  Dice {running.pseudo_dice:.2f}"
    return f"{losses}{dice}  {duration(running.seconds_left)} left"


def running_entries(work: list[Running]) -> list[str]:
    """Return a text for each command and each training that runs."""
    return [_step(one) if isinstance(one, RunningStep) else _training(one) for one in work]


def _step(running: RunningStep) -> str:
    not_done = f", {running.not_done} of them not done" if running.not_done else ""
    far = f"{running.step}: {running.done} of {running.units} units{not_done}"
    return f"{running.command}: {far}, {_since(running.since)}"


def _training(running: RunningTraining) -> str:
    log = os.path.relpath(running.log)
    log = log if len(log) < len(running.log) else running.log
    return f"{fold_name(running)}: {training_text(running)}, {_since(running.since)}; log {log}"


def _since(started: float) -> str:
    clock = time.strftime("%H:%M", time.localtime(started))
    return f"since {clock} ({duration(time.time() - started)})"


def kept_text(running: RunningTraining) -> str:
    """Return what is kept of a training that is stopped now."""
    if running.phase == "validating":
        return f"{fold_name(running)}: trained; its validation is done again"
    if not running.kept_epoch:
        return f"{fold_name(running)}: no checkpoint yet; it starts anew"
    kept = f"checkpoint after epoch {running.kept_epoch} of {running.epochs} is kept"
    return f"{fold_name(running)}: the {kept}; it resumes from there"
