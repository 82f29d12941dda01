"""What stands in for nnU-Net, in this process or in one that `datalad rerun` starts.

A fold "learns" by writing its number down; it "predicts" the brightest voxel and a false one. The
same job gives the same bytes, as a reproducible training does.
"""

from __future__ import annotations

import json
import os
import stat
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np

from cta_data.formats.nifti.image import write_voxels
from cta_data.training.nnunet.jobs import PointInUse
from cta_data.training.nnunet.operating import mask_at
from cta_data.versioning.keys import digest

HELPERS = Path(__file__).parent.parent
LOG = {"train_losses": [0.5], "val_losses": [0.5], "mean_fg_dice": [0.5], "ema_fg_dice": [0.5]}
PLAN = {
    "channel_names": {"0": "MPRAGE"},
    "labels": {"background": 0, "metastasis": 1},
    "file_ending": ".nii.gz",
}
SCRIPT = """#!{python}
import sys
sys.path.insert(0, {helpers!r})
from helpers.stand_in_network import stand_in
stand_in(setattr)
from cta_data.cli.application import run
run()
"""


def write_command(folder: Path) -> Path:
    """Write a program `cta-data` that uses what stands in; return its folder, for PATH."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "cta-data"
    path.write_text(SCRIPT.format(python=sys.executable, helpers=str(HELPERS)), "utf-8")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return folder


def stand_in(put: Callable[[Any, str, Any], Any]) -> None:
    """Replace what needs torch; `put` is `setattr`, or monkeypatch's, which takes it back."""
    from cta_data.training import checks as training_checks
    from cta_data.training import cross_validation, predict, train
    from cta_data.training import runner as training
    from cta_data.training.nnunet import checkpoints, environment

    for module in (train, cross_validation, predict):
        put(module, "run_job", run_job)
    put(checkpoints, "read_checkpoint", lambda path, device="cpu": {"logging": LOG})
    for name in ("require_training_packages", "require_device"):
        put(environment, name, lambda *arguments: None)
        put(training, name, lambda *arguments: None)
    put(training, "find_trainer", lambda trainer: None)
    put(training_checks, "check_training", lambda *arguments: [])
    put(training, "check_training", lambda *arguments: [])


def run_job(
    name: str,
    job: Mapping[str, Any],
    folder: Path,
    environment: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Do a job as `cta_data.training.nnunet.process.run_job` would."""
    folder.mkdir(parents=True, exist_ok=True)
    return {"plan": _plan, "train": _train, "predict": _predict, "postprocess": _judge}[name](
        job, folder
    )


def _plan(job: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    for name, content in (("plans", {}), ("dataset", PLAN), ("dataset_fingerprint", {})):
        (folder / f"{name}.json").write_text(json.dumps(content), "utf-8")
    return {"plans": str(folder / "plans.json"), "folder": str(folder), "preprocessed": 0}


def _train(job: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    fold = folder / "fold"
    (fold / "validation").mkdir(parents=True, exist_ok=True)
    learnt = digest([job["fold"], job["splits"][job["fold"]]["train"]])
    (fold / "checkpoint_final.pth").write_text(learnt, "utf-8")
    (fold / "progress.png").write_bytes(b"picture")
    cases = job["splits"][job["fold"]]["val"]
    for case in cases:
        write_voxels(np.zeros((4, 4, 4), np.uint8), np.eye(4), fold / f"validation/{case}.nii.gz")
    summary = {"foreground_mean": {"Dice": 0.5}, "metric_per_case": [{} for _ in cases]}
    (fold / "validation/summary.json").write_text(json.dumps(summary), "utf-8")
    session = {"first_epoch": 0, "epochs": 1, "seconds": time.time() % 1000}
    hardware = {"device": f"process {os.getpid()}"}
    trainer = {"name": job["options"]["trainer"], "module": "stand_in", "sha256": ""}
    made = {"sessions": [session], "hardware": hardware, "trainer": trainer}
    return {"folder": str(folder), "fold_folder": str(fold), **made}


def _predict(job: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    for case in job["cases"]:
        image = nib.load(case["images"][0])
        voxels = np.asanyarray(image.dataobj)
        mask = np.zeros(voxels.shape, np.uint8)
        mask.flat[int(voxels.argmax())] = mask[-1, -1, -1] = 1
        point = job.get("operating_point")
        if job["probabilities"] or point:
            probability = _probability(voxels)
            if point:
                mask = mask_at(probability.T, PointInUse(**point)).T.astype(np.uint8)
            if job["probabilities"]:
                kept = Path(case["output"]) / "probabilities"
                kept.mkdir(exist_ok=True)
                write_voxels(probability.T, image.affine, kept / f"{case['case']}.nii.gz")
        write_voxels(mask, image.affine, Path(case["output"]) / f"{case['case']}.nii.gz")
    return {"failed": {}}


def _probability(voxels: np.ndarray) -> np.ndarray:
    """What is bright is lesion, the first part more surely; so is, a little, the last voxel."""
    probability = np.where(voxels > 0.7 * voxels.max(), 0.9, 0.0).astype(np.float32)
    probability[8:] *= 0.75
    probability[-1, -1, -1] = 0.8
    return probability


def _judge(job: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    summary = {"foreground_mean": {"Dice": 0.5}, "metric_per_case": []}
    return {"summary": summary, "postprocessing": {"postprocessing_fns": []}}
