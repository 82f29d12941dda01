"""Train the models of the effect's experiment with several seeds, and predict the test patients.

Run ``python docs/results/effect/train_models.py FOLDER --setting A --setting B [--seeds 1,2]
[-j 2]`` after `make_trial.py`. Each seed works in a copy of the study, FOLDER/seed-N; it can be
stopped and run again. `learning.toml` beside this file says how is learnt; all settings learn
alike. At some epochs the checkpoint is copied, by which `judge.py` shows when learning was done.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import threading
import time
from collections.abc import Container, Iterator
from contextlib import contextmanager
from pathlib import Path

from cta_data.errors import DataRefused
from cta_data.study import layout
from cta_data.study.study import Study
from cta_data.training.nnunet.checkpoints import read_checkpoint
from cta_data.versioning.datasets import save

FIRST_SEED = 20261130
LEARNING = Path(__file__).with_name("learning.toml")
LATEST = "checkpoint_latest.pth"
SHARES = (0.25, 0.5, 0.75)
"""Of the epochs, after which the checkpoint is copied."""
TEST_SET = "internal-HAQ"
"""All test patients are in it: it says who is predicted; judge.py says by what they are judged."""


def main() -> None:
    """Train and predict, seed after seed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--setting", action="append", required=True)
    parser.add_argument("--seeds", default="1,2")
    parser.add_argument("--learning", type=Path, default=LEARNING)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--jobs", "-j", default="2")
    chosen = parser.parse_args()
    for seed in map(int, chosen.seeds.split(",")):
        study = study_of(chosen.folder.absolute(), seed, chosen.learning)
        settings = [word for name in chosen.setting for word in ("--setting", name)]
        shared = (*settings, "--fold", "0", "--device", chosen.device, "-j", chosen.jobs)
        with checkpoints_copied(study, chosen.folder.absolute() / f"checkpoints-{seed}"):
            run(study, "train", *shared)
        run(study, "predict", *shared, "--on", TEST_SET, "--probabilities")


def study_of(folder: Path, seed: int, learning: Path) -> Path:
    """Return the study of a seed, a copy of the one that was made, with its own `training.seed`.

    A copy that was begun and not finished is never taken for the study: it has another name.
    """
    study, begun = folder / f"seed-{seed}", folder / f".begun-seed-{seed}"
    section = f"\n{learning.read_text('utf-8').rstrip()}\nseed = {FIRST_SEED + seed}\n"
    if not study.exists():
        shutil.rmtree(begun, ignore_errors=True)
        shutil.copytree(folder / "study", begun, symlinks=True)
        configuration = begun / "study.toml"
        configuration.write_text(configuration.read_text("utf-8") + section, "utf-8")
        Study(begun)
        save(begun, f"How models learn, seed {seed}", [configuration])
        begun.rename(study)
    if section not in (study / "study.toml").read_text("utf-8"):
        raise SystemExit(
            f"{study} was made with another {learning.name}: its models learn as its study.toml "
            f"says. Give that file with --learning, or remove {study} and "
            f"{folder / 'validated'} to train anew."
        )
    return study


@contextmanager
def checkpoints_copied(study: Path, target: Path) -> Iterator[None]:
    """Copy checkpoints while a study trains, as MODEL/EPOCH.pth, at `SHARES` of the epochs."""
    epochs = Study(study).configuration.training.epochs
    latest = f"{layout.TRAINING_WORK}/training/*/results/*/*/fold_0/{LATEST}"
    wanted = {round(share * epochs) for share in SHARES}
    done = threading.Event()

    def watch() -> None:
        while not done.wait(2.0):
            for found in study.glob(latest):
                copy_checkpoint(found, target / found.parts[-4], wanted)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def copy_checkpoint(latest: Path, target: Path, wanted: Container[int]) -> None:
    """Copy a checkpoint that has learnt one of these numbers of epochs."""
    try:
        epoch = int(read_checkpoint(latest)["current_epoch"])
    except DataRefused:  # it is being replaced
        return
    kept = target / f"{epoch}.pth"
    if epoch in wanted and not kept.exists():
        kept.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(latest, kept)


def run(study: Path, *words: str) -> None:
    """Run a command of cta-data in the study, print it and what it took."""
    started = time.monotonic()
    print("$ cta-data", *words, flush=True)
    subprocess.run(["cta-data", *words], cwd=study, check=True)
    print(f"   {(time.monotonic() - started) / 60:.1f} min", flush=True)


if __name__ == "__main__":
    main()
