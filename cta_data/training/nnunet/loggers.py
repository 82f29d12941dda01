"""Curves of a training for TensorBoard, MLflow or Weights & Biases, beside nnU-Net's own log.

A logger changes nothing of what is learnt: random numbers are as without it, and where it fails
the training goes on. Nothing but numbers of epochs, losses, pseudo Dice and learning rate is given
to it, under the model's name and fold: no case, no path.

The libraries are loaded by the job alone, and only where the study asks for one.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from cta_data.errors import ConfigurationError, CtaError
from cta_data.training.nnunet.jobs import CurvesPlace

PACKAGES = {"tensorboard": "tensorboard", "mlflow": "mlflow-skinny", "wandb": "wandb"}
"""The package that each logger needs; of MLflow the part that logs, which fits beside pandas 3."""
_NAMES = {
    "train_losses": "loss/training",
    "val_losses": "loss/validation",
    "mean_fg_dice": "pseudo_dice/mean",
    "ema_fg_dice": "pseudo_dice/moving_average",
    "lrs": "learning_rate",
}
"""What is passed on, by nnU-Net's names, and how it is called."""
_PROJECT = "cta_data"


def require_logger(logger: str) -> None:
    """Tell how to install what a logger needs, before hours are spent.

    Raises
    ------
    ConfigurationError
        Its package is not installed.
    """
    from importlib.util import find_spec

    if logger != "none" and find_spec(logger) is None:
        package = PACKAGES[logger]
        raise ConfigurationError("logger_not_installed", logger=logger, package=package)


def attach_logger(trainer: Any, place: CurvesPlace | None) -> Callable[[], None]:
    """Have a trainer log to what the study asks for; return what ends the logging.

    Parameters
    ----------
    place
        Nothing is logged without it, or where its logger is `none`.

    Raises
    ------
    CtaError
        The logger does not start: nothing is lost yet, so it is not left out in silence.
    """
    opened = _OPEN.get(place.logger) if place else None
    if place is None or opened is None:
        return lambda: None
    place.folder.mkdir(parents=True, exist_ok=True)
    try:
        aside = _Aside(lambda: opened(place, trainer.current_epoch))
    except Exception as error:
        told = f"{type(error).__name__}: {error}"
        raise CtaError("logger_not_started", logger=place.logger, error=told) from error
    trainer.logger.loggers.append(aside)
    return aside.close


class _Aside:
    """A logger as nnU-Net calls it, which disturbs neither random numbers nor the training."""

    def __init__(self, start: Callable[[], Any]) -> None:
        with _same_random_numbers():
            self._logger = start()

    def update_config(self, config: dict[str, Any]) -> None:
        """Pass nothing on: the configuration names cases and folders."""

    def log_summary(self, key: str, value: Any) -> None:
        """Pass nothing on."""

    def log(self, key: str, value: Any, step: int) -> None:
        """Pass a number of an epoch on."""
        if key in _NAMES and self._logger is not None:
            with self._undisturbed():
                self._logger.log(_NAMES[key], float(value), step + 1)

    def close(self) -> None:
        """End the logging."""
        if self._logger is not None:
            with self._undisturbed():
                self._logger.close()

    @contextmanager
    def _undisturbed(self) -> Iterator[None]:
        try:
            with _same_random_numbers():
                yield
        except Exception as error:  # noqa: BLE001 - a server that is gone must not end a training
            self._logger = None
            print(f"The logger failed, and the training goes on without it: {error!r}", flush=True)


@contextmanager
def _same_random_numbers() -> Iterator[None]:
    """Restore what random numbers are drawn from."""
    import numpy as np
    import torch

    states = random.getstate(), np.random.get_state(), torch.get_rng_state()
    try:
        yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])
        torch.set_rng_state(states[2])


class _TensorBoard:
    def __init__(self, place: CurvesPlace, epoch: int) -> None:
        from torch.utils.tensorboard import SummaryWriter

        folder = place.folder / place.model / f"fold_{place.fold}"
        # What a killed training wrote after its last checkpoint is written again.
        self._writer = SummaryWriter(str(folder), purge_step=epoch + 1)

    def log(self, name: str, value: float, epoch: int) -> None:
        self._writer.add_scalar(name, value, epoch)

    def close(self) -> None:
        self._writer.close()


class _MLflow:
    def __init__(self, place: CurvesPlace, epoch: int) -> None:
        # Files are enough here; newer versions ask for a database.
        os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")
        from mlflow.tracking import MlflowClient

        uri = os.environ.get("MLFLOW_TRACKING_URI") or place.folder.absolute().as_uri()
        self._client = MlflowClient(tracking_uri=uri)
        known = self._client.get_experiment_by_name(_PROJECT)
        number = known.experiment_id if known else self._client.create_experiment(_PROJECT)
        found = self._client.search_runs([number], f"tags.run = '{place.run}'")
        tags = {"run": place.run, "model": place.model, "fold": str(place.fold)}
        name = f"{place.model} fold {place.fold}"
        run = found[0] if found else self._client.create_run(number, tags=tags, run_name=name)
        self._run = run.info.run_id

    def log(self, name: str, value: float, epoch: int) -> None:
        self._client.log_metric(self._run, name, value, step=epoch)

    def close(self) -> None:
        self._client.set_terminated(self._run)


class _WeightsAndBiases:
    def __init__(self, place: CurvesPlace, epoch: int) -> None:
        import wandb

        self._run = wandb.init(
            project=_PROJECT,
            name=f"{place.model} fold {place.fold}",
            id=place.run,
            resume="allow",
            dir=str(place.folder),
            # Nothing leaves this machine but where somebody asks for it, and then numbers alone:
            # what nnU-Net prints names folders.
            mode=os.environ.get("WANDB_MODE", "offline"),
            settings=wandb.Settings(
                console="off",
                disable_git=True,
                disable_code=True,
                x_disable_meta=True,
                x_disable_machine_info=True,
                x_save_requirements=False,
            ),
        )

    def log(self, name: str, value: float, epoch: int) -> None:
        self._run.log({name: value}, step=epoch)

    def close(self) -> None:
        self._run.finish()


_OPEN: dict[str, Callable[[CurvesPlace, int], Any]] = {
    "tensorboard": _TensorBoard,
    "mlflow": _MLflow,
    "wandb": _WeightsAndBiases,
}
