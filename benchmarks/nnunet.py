"""What our layer adds to nnU-Net: time of training, bytes on disk, and waiting in prediction.

Run ``python benchmarks/nnunet.py [--epochs 4] [--rounds 3]``; it needs the extra `train` and no
GPU. Digital cubes with balls are planned and preprocessed once. nnU-Net's own trainer and ours then
train the same plan in turns, in one process on one thread, so that a noisy machine disturbs both
alike. Both get the same seed for every epoch here, so that they draw the same patches and learn the
same: the losses must be equal. Of every epoch the fastest of all rounds counts, and told are the
ratio of their sums and of the fastest `run_training`, the bytes of a prepared set beyond nnU-Net's
preprocessed files, and how long the arithmetic of a prediction waited for a file after the first
case. At last, ours trains small patches with and without keeping the memory that it frees, as
`cta-data train` does on a processor. What nnU-Net prints is left out.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from cta_data.formats.nifti.image import image_from_array, write_image
from cta_data.memory import keep_freed_memory
from cta_data.processes import open_pool
from cta_data.training.nnunet.environment import nnunet_environment

NAME = "Dataset901_Cubes"
SHAPE = (96, 96, 96)
CASES = [f"c{number}" for number in range(6)]
OPTIONS: dict[str, Any] = {
    "trainer": "nnUNetTrainer",
    "iterations_per_epoch": 6,
    "validation_iterations": 2,
    "learning_rate": 0.01,
    "seed": 3,
    "reproducible": True,
    "checkpoint_every": 1,
    "mirroring": False,
    "tile_step": 0.5,
}


def write_cubes(folder: Path) -> dict[str, Any]:
    """Write nnU-Net's raw data set, and return the job of training its fold 0."""
    base = folder / "raw" / NAME
    (base / "imagesTr").mkdir(parents=True)
    (base / "labelsTr").mkdir()
    rng = np.random.default_rng(0)
    grid = np.stack(np.mgrid[tuple(slice(n) for n in SHAPE)])
    for case in CASES:
        centre = rng.integers(20, 76, (3, 1, 1, 1))
        ball = ((grid - centre) ** 2).sum(0) < 64
        image = (rng.normal(100, 10, SHAPE) + 80 * ball).astype(np.float32)
        write_image(image_from_array(image, np.eye(4)), base / f"imagesTr/{case}_0000.nii.gz")
        write_image(
            image_from_array(ball.astype(np.uint8), np.eye(4)), base / f"labelsTr/{case}.nii.gz"
        )
    files = {
        case: {"images": [f"imagesTr/{case}_0000.nii.gz"], "label": f"labelsTr/{case}.nii.gz"}
        for case in CASES
    }
    content = {
        "channel_names": {"0": "MPRAGE"},
        "labels": {"background": 0, "metastasis": 1},
        "numTraining": len(CASES),
        "file_ending": ".nii.gz",
        "dataset": files,
    }
    (base / "dataset.json").write_text(json.dumps(content), encoding="utf-8")
    return {
        "dataset": NAME,
        "raw": str(folder / "raw"),
        "prepared": str(folder / "prepared"),
        "pool": str(folder / "pool"),
        "cases": {case: (case, case) for case in CASES},
        "splits": [{"train": CASES[1:], "val": CASES[:1]}],
        "planner": "ExperimentPlanner",
        "configuration": "3d_fullres",
        "patch_size": [48, 48, 48],
        "features": [8, 16, 32],
        "batch_size": 2,
        "processes": 1,
        "fold": 0,
        "device": "cpu",
        "results": str(folder / "results"),
    }


def variables(raw: Path, prepared: Path, results: Path) -> dict[str, str]:
    """Return nnU-Net's variables for these folders."""
    return nnunet_environment(
        raw=raw, preprocessed=prepared, results=results, processes=1, device="cpu", threads=1
    )


def prepared_trainer(
    kind: type,
    job: dict[str, Any],
    prepared: dict[str, Any],
    epochs: int,
    more: dict[str, Any] | None = None,
) -> Any:
    """Return nnU-Net's trainer, or ours, with the same plan, numbers and seed."""
    import torch

    from cta_data.training.nnunet.jobs import LearningOptions
    from cta_data.training.nnunet.trainer import seed_everything

    plans = json.loads(Path(prepared["plans"]).read_text("utf-8")) | {"continue_training": False}
    dataset = json.loads((Path(prepared["folder"]) / "dataset.json").read_text("utf-8"))
    trainer = kind(plans, job["configuration"], 0, dataset, torch.device("cpu"))
    options = OPTIONS | {"epochs": epochs} | (more or {})
    if hasattr(kind, "prepare"):
        trainer.prepare(LearningOptions(**options), options["seed"])
        return trainer
    trainer.num_epochs = epochs
    trainer.num_iterations_per_epoch = options["iterations_per_epoch"]
    trainer.num_val_iterations_per_epoch = options["validation_iterations"]
    # As often as ours in this comparison; nnU-Net's own default is every 50 epochs.
    trainer.save_every = options["checkpoint_every"]
    seed_everything(options["seed"], -1)
    trainer.initialize()
    return trainer


def trained(trainer: Any) -> tuple[float, list[float], list[float]]:
    """Train; return the seconds of all of it, of each epoch, and the losses."""
    epochs = timed_epochs(trainer)
    started = time.perf_counter()
    trainer.run_training()
    whole = time.perf_counter() - started
    log = (
        trainer.logger.local_logger.my_fantastic_logging
        if hasattr(trainer.logger, "local_logger")
        else trainer.logger.my_fantastic_logging
    )
    return whole, epochs, [float(loss) for loss in log["train_losses"]]


def timed_epochs(trainer: Any) -> list[float]:
    """Return a list that the seconds of every epoch are put into; its checkpoint is not in them.

    A log that is to be repeated holds no times.
    """
    start, end = trainer.on_epoch_start, trainer.on_epoch_end
    clock = [0.0]
    seconds: list[float] = []

    def begun() -> None:
        start()
        clock[0] = time.perf_counter()

    def ended() -> None:
        seconds.append(time.perf_counter() - clock[0])
        end()

    trainer.on_epoch_start, trainer.on_epoch_end = begun, ended
    return seconds


def bytes_beyond(prepared: Path, pool: Path) -> tuple[int, int]:
    """Return the bytes of preprocessed cases, and of image files beyond them (links count once)."""
    kept = {path.stat().st_ino: path.stat().st_size for path in pool.rglob("*") if path.is_file()}
    more = {
        path.stat().st_ino: path.stat().st_size
        for path in prepared.rglob("*")
        if path.is_file() and not path.is_symlink() and path.suffix != ".json"
    }
    return sum(kept.values()), sum(size for inode, size in more.items() if inode not in kept)


def main() -> None:
    """Prepare once, train in turns, predict, and print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=3)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        job = write_cubes(folder)
        os.environ |= variables(folder / "raw", folder / "prepared", folder / "results")
        with (
            open(os.devnull, "w", encoding="utf-8") as nowhere,
            contextlib.redirect_stdout(nowhere),
        ):
            compare(job, chosen.epochs, chosen.rounds)
        kept, beyond = bytes_beyond(folder / "prepared", folder / "pool")
        told(f"preprocessed cases {kept / 1e6:.1f} MB; images beyond them {beyond} bytes")
        predict(job, folder)
        keep_memory(job, folder)


def compare(job: dict[str, Any], epochs: int, rounds: int) -> None:
    """Train with nnU-Net's trainer and with ours in turns."""
    import torch
    from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer

    from cta_data.training.nnunet.planning import plan_job
    from cta_data.training.nnunet.trainer import seed_everything, seeded

    class SeededOriginal(nnUNetTrainer):
        """nnU-Net's trainer, seeded as ours is outside of the epoch that it times."""

        def on_epoch_start(self) -> None:
            seed_everything(OPTIONS["seed"], self.current_epoch)
            super().on_epoch_start()

    torch.set_num_threads(1)
    prepared = plan_job(job)
    os.environ["nnUNet_n_proc_DA"] = "0"  # noqa: SIM112 - its name
    kinds = {"nnU-Net": SeededOriginal, "ours": seeded(nnUNetTrainer)}
    epoch: dict[str, list[list[float]]] = {label: [] for label in kinds}
    whole: dict[str, list[float]] = {label: [] for label in kinds}
    losses: dict[str, list[float]] = {}
    for number in range(rounds):
        for label in list(kinds) if number % 2 else reversed(kinds):
            trainer = prepared_trainer(kinds[label], job, prepared, epochs)
            total, each, losses[label] = trained(trainer)
            whole[label].append(total)
            epoch[label].append(each)
    assert losses["ours"] == losses["nnU-Net"], losses
    fastest = {label: [min(same) for same in zip(*epoch[label], strict=True)] for label in kinds}
    for label, seconds in fastest.items():
        told(f"{label}: {sum(seconds):.2f} s for {epochs} epochs, each the fastest of {rounds}")
    ratio = sum(fastest["ours"]) / sum(fastest["nnU-Net"])
    told(f"epochs of ours over nnU-Net's, with equal losses: {ratio:.4f}")
    ratio = min(whole["ours"]) / min(whole["nnU-Net"])
    told(f"run_training of ours over nnU-Net's, checkpoints and curves included: {ratio:.4f}")


def keep_memory(job: dict[str, Any], folder: Path) -> None:
    """Train small patches in two processes, of which one keeps memory; tell what each took."""
    small = job | {
        "patch_size": [24, 24, 24],
        "prepared": str(folder / "prepared_small"),
        "results": str(folder / "results_small"),
    }
    used, learnt = {}, {}
    for label, keep in (("given back", False), ("kept", True)):
        with open_pool(1) as process:
            used[label], learnt[label] = process.submit(train_alone, small, keep).result()
        told(f"freed memory {label}: {used[label]:.2f} s of processor time")
    assert learnt["kept"] == learnt["given back"], learnt
    ratio = used["kept"] / used["given back"]
    told(f"processor time with memory kept over given back, with equal losses: {ratio:.3f}")


def train_alone(job: dict[str, Any], keep: bool) -> tuple[float, list[float]]:
    """Train; return the processor time of it and the losses."""
    os.environ |= variables(Path(job["raw"]), Path(job["prepared"]), Path(job["results"]))
    import torch
    from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer

    from cta_data.training.nnunet.planning import plan_job
    from cta_data.training.nnunet.trainer import seeded

    if keep:
        keep_freed_memory()
    torch.set_num_threads(1)
    # Set by the comparison before this one; the planner cannot do with 0.
    os.environ.pop("nnUNet_n_proc_DA", None)
    with open(os.devnull, "w", encoding="utf-8") as nowhere, contextlib.redirect_stdout(nowhere):
        prepared = plan_job(job)
        os.environ["nnUNet_n_proc_DA"] = "0"  # noqa: SIM112 - its name
        options = {"iterations_per_epoch": 50}
        trainer = prepared_trainer(seeded(nnUNetTrainer), job, prepared, 4, options)
        before = time.process_time()
        _, _, losses = trained(trainer)
    return time.process_time() - before, losses


def predict(job: dict[str, Any], folder: Path) -> None:
    """Predict all cubes from files, and tell how long the arithmetic waited for one."""
    import shutil

    from cta_data.training.nnunet.plans import model_folder
    from cta_data.training.nnunet.prediction import predict_job

    model = folder / "results" / model_folder(NAME, job["planner"], job["configuration"])
    ready = folder / "prepared" / NAME
    shutil.copyfile(ready / "nnUNetPlans.json", model / "plans.json")
    shutil.copyfile(ready / "dataset.json", model / "dataset.json")
    base = folder / "raw" / NAME / "imagesTr"
    cases = [
        {"case": case, "images": [str(base / f"{case}_0000.nii.gz")], "output": str(folder / "out")}
        for case in CASES
    ]
    started = time.perf_counter()
    done = predict_job(
        {
            "model": str(model),
            "folds": ["0"],
            "device": "cpu",
            "mirroring": False,
            "tile_step": 0.5,
            "lesion_values": [1],
            "probabilities": False,
            "cases": cases,
            "threads": 1,
        }
    )
    seconds = time.perf_counter() - started
    assert not done["failed"], done["failed"]
    told(
        f"prediction of {len(cases)} files: {seconds:.1f} s, of which the arithmetic waited "
        f"{done['waited_seconds']:.2f} s for a file after the first case"
    )


def told(text: str) -> None:
    """Print a line beside what nnU-Net prints."""
    print(f"==> {text}", file=sys.stderr)


if __name__ == "__main__":
    main()
