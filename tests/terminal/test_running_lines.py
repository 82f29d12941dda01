"""What people read of a training that runs, in its own terminal and in another one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from cta_data.engine.running import RUNNING, Announcement, RunningStep, RunningTraining
from cta_data.terminal import progress
from cta_data.terminal.progress import ProgressObserver
from cta_data.terminal.running_lines import (
    duration,
    kept_text,
    running_entries,
    short_training_text,
    training_text,
)

BEGUN = RunningTraining("B", 1, "/study/.cta/train.log", 0.0, epochs=8)
LEARNT = replace(
    BEGUN,
    phase="training",
    epoch=3,
    train_loss=0.1234,
    validation_loss=-0.25,
    pseudo_dice=0.5,
    kept_epoch=2,
    seconds_left=600.0,
)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(45, "45 s"), (119, "119 s"), (720, "12 min"), (12000, "3 h 20 min"), (187200, "2 d 4 h")],
)
def test_times_are_said_in_two_units_at_most(seconds: float, text: str) -> None:
    """Nobody reads 187,200 s."""
    assert duration(seconds) == text


def test_a_training_tells_epoch_losses_dice_and_the_time_left() -> None:
    """Before the first epoch it tells its phase."""
    assert training_text(BEGUN) == "preparing"
    told = (
        "epoch 3 of 8, loss 0.123 (training), -0.250 (validation), pseudo Dice 0.500, 10 min left"
    )
    assert training_text(LEARNT) == told
    assert short_training_text(LEARNT) == "loss 0.12/-0.25  Dice 0.50  10 min left"
    assert short_training_text(BEGUN) == "preparing"


def test_what_runs_is_named_with_its_command_and_its_log() -> None:
    """A step of a command, and a fold of a model."""
    step = RunningStep("cta-data train --setting B", "train", 1, 5, 0, 0.0)
    first, second = running_entries([step, LEARNT])
    assert first.startswith("cta-data train --setting B: train: 1 of 5 units, since ")
    assert second.startswith("B fold 1: epoch 3 of 8, ")
    assert second.endswith("train.log")


def test_a_stopped_training_says_what_is_kept() -> None:
    """The last checkpoint, none, or all epochs where only the validation was to be done."""
    assert "after epoch 2 of 8 is kept; it resumes from there" in kept_text(LEARNT)
    assert "no checkpoint yet" in kept_text(BEGUN)
    assert "its validation is done again" in kept_text(replace(LEARNT, phase="validating"))


def test_progress_names_the_log_and_the_epochs_where_there_is_no_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A line when a phase begins, then now and then; Ctrl-C says what is kept."""
    monkeypatch.setattr(progress, "_LINE_EVERY_SECONDS", 0.0)
    observer = ProgressObserver(watched=tmp_path)
    with pytest.raises(KeyboardInterrupt), observer:
        for one in (BEGUN, LEARNT, LEARNT, replace(LEARNT, epoch=4)):
            observer._folds.show([one])
        raise KeyboardInterrupt
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == f"B fold 1: log {BEGUN.log}"
    assert [line.split()[3:5] for line in lines[1:4]] == [
        ["preparing"],
        ["epoch", "3"],
        ["epoch", "4"],
    ]
    assert "resumes from there" in lines[4]
    assert len(lines) == 5


def test_what_is_announced_is_shown_by_the_watch(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command that trains shows what its child processes tell."""
    Announcement(tmp_path / RUNNING / "train-x.json").tell(LEARNT)
    monkeypatch.setattr("cta_data.terminal.training_watch._PAUSE_SECONDS", 0.01)
    observer = ProgressObserver(watched=tmp_path)
    with observer:
        while not observer._folds.last:
            pass
    assert "B fold 1: epoch 3 of 8" in capsys.readouterr().err
