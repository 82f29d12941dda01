"""Loggers beside nnU-Net's own: curves are passed on, and nothing of the training changes."""

from __future__ import annotations

import random
from importlib import util
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from helpers.refusals import has_reason
from helpers.tiny_training_set import OPTIONS, environment_of, job_of, write_training_set

from cta_data.engine.running import running_work
from cta_data.errors import ConfigurationError, CtaError
from cta_data.study.configuration import TrainingSection
from cta_data.training.nnunet import loggers
from cta_data.training.nnunet.jobs import CurvesPlace
from cta_data.training.nnunet.loggers import PACKAGES, attach_logger, require_logger
from cta_data.training.nnunet.process import run_job

if util.find_spec("torch") is None:
    pytest.skip("needs the extra `train`", allow_module_level=True)


class Noted:
    """A logger that notes what it gets, and draws random numbers."""

    def __init__(self, place: CurvesPlace, epoch: int) -> None:
        self.begun, self.values, self.closed = epoch, [], False
        LOGGERS.append(self)

    def log(self, name: str, value: float, epoch: int) -> None:
        """Note a value."""
        import torch  # here: a process that only collects this file would load it, too

        random.random(), np.random.random(), torch.rand(1)
        if value < 0:
            raise OSError("the server is gone")
        self.values.append((name, value, epoch))

    def close(self) -> None:
        """Note the end."""
        self.closed = True


LOGGERS: list[Noted] = []


@pytest.fixture
def trainer(monkeypatch: pytest.MonkeyPatch) -> Any:
    LOGGERS.clear()
    monkeypatch.setitem(loggers._OPEN, "tensorboard", Noted)
    return SimpleNamespace(current_epoch=4, logger=SimpleNamespace(loggers=[]))


def about(folder: Path, logger: str = "tensorboard") -> CurvesPlace:
    return CurvesPlace(logger=logger, folder=folder, model="B", fold=0, run="k")


def test_no_logger_is_the_default(tmp_path: Path, trainer: Any) -> None:
    """Nothing is attached, and no folder made, where the study asks for none."""
    assert TrainingSection().logger == "none"
    for given in (None, about(tmp_path / "none", "none")):
        attach_logger(trainer, given)()
    assert trainer.logger.loggers == [] and not (tmp_path / "none").exists()


def test_losses_dice_and_learning_rate_are_passed_on(tmp_path: Path, trainer: Any) -> None:
    """Under plain names, with epochs from 1; clocks, cases and paths are not."""
    end = attach_logger(trainer, about(tmp_path / "curves"))
    [aside] = trainer.logger.loggers
    aside.update_config({"dataset": {"sub-001": "/a/path"}})
    for key, value in (("train_losses", 0.5), ("epoch_start_timestamps", 1e9), ("lrs", 0.01)):
        aside.log(key, value, 4)
    end()
    [noted] = LOGGERS
    assert noted.begun == 4 and noted.closed
    assert noted.values == [("loss/training", 0.5, 5), ("learning_rate", 0.01, 5)]


def test_random_numbers_are_as_without_a_logger(tmp_path: Path, trainer: Any) -> None:
    """What is drawn after a value was logged does not depend on what the logger drew."""
    import torch

    def drawn(log: bool) -> tuple[float, float, float]:
        random.seed(1), np.random.seed(1), torch.manual_seed(1)
        if log:
            trainer.logger.loggers[0].log("train_losses", 0.5, 0)
        return random.random(), float(np.random.random()), float(torch.rand(1))

    attach_logger(trainer, about(tmp_path))
    assert drawn(log=True) == drawn(log=False)


def test_a_logger_that_fails_does_not_end_the_training(
    tmp_path: Path, trainer: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is said once, in nnU-Net's log, and nothing more is logged."""
    end = attach_logger(trainer, about(tmp_path))
    for loss in (-1.0, -2.0, 0.5):
        trainer.logger.loggers[0].log("train_losses", loss, 0)
    end()
    assert capsys.readouterr().out.count("the server is gone") == 1
    assert LOGGERS[0].values == []


def test_a_logger_that_does_not_start_is_an_error(
    tmp_path: Path, trainer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing was learnt yet: the study asked for curves, and gets to know that there are none."""

    def refuse(place: CurvesPlace, epoch: int) -> None:
        raise OSError("no such server")

    monkeypatch.setitem(loggers._OPEN, "tensorboard", refuse)
    with pytest.raises(CtaError, check=has_reason("logger_not_started", logger="tensorboard")):
        attach_logger(trainer, about(tmp_path))


def test_a_package_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything is trained, with the command that installs it."""
    monkeypatch.setattr(util, "find_spec", lambda name: None)
    require_logger("none")
    for logger, package in PACKAGES.items():
        expected = has_reason("logger_not_installed", logger=logger, package=package)
        with pytest.raises(ConfigurationError, check=expected):
            require_logger(logger)


@pytest.mark.slow
@pytest.mark.train
def test_a_training_that_is_logged_and_watched_gives_the_same_weights(tmp_path: Path) -> None:
    """Bit for bit the checkpoint of one that is not; the curves hold every epoch."""
    pytest.importorskip("nnunetv2", reason="needs the extra `train`")
    reader = pytest.importorskip(
        "tensorboard.backend.event_processing.event_accumulator", reason="needs tensorboard"
    )
    write_training_set(tmp_path)
    news = {"file": str(tmp_path / ".cta/running/t.json"), "model": "B", "fold": 0, "log": "l"}
    folds = {}
    for name, more in (
        ("plain", {}),
        ("logged", {"curves": about(tmp_path / "curves").content(), "news": news}),
    ):
        job = job_of(tmp_path, name) | more
        done = run_job("train", job, tmp_path / f"{name}.jobs", environment_of(job))
        folds[name] = Path(done["fold_folder"])
    once, again = ((fold / "checkpoint_final.pth").read_bytes() for fold in folds.values())
    assert once == again
    found = reader.EventAccumulator(str(tmp_path / "curves" / "B" / "fold_0"))
    found.Reload()
    steps = [event.step for event in found.Scalars("loss/training")]
    assert steps == list(range(1, OPTIONS["epochs"] + 1))
    assert running_work(tmp_path) == []
