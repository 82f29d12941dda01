"""A training set of a few small cubes with a bright ball each, and jobs of nnU-Net on it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from cta_data.formats.nifti.image import image_from_array, write_image
from cta_data.training.nnunet.environment import nnunet_environment

NAME = "Dataset901_Tiny"
CASES = ("c1", "c2", "c3", "c4")
OPTIONS: dict[str, Any] = {
    "epochs": 3,
    "iterations_per_epoch": 2,
    "validation_iterations": 1,
    "learning_rate": 0.01,
    "seed": 7,
    "reproducible": True,
    "checkpoint_every": 1,
    "mirroring": False,
    "tile_step": 1.0,
    "trainer": "nnUNetTrainer",
}


def write_training_set(folder: Path) -> None:
    """Write `raw/Dataset901_Tiny` below a folder."""
    base = folder / "raw" / NAME
    (base / "imagesTr").mkdir(parents=True)
    (base / "labelsTr").mkdir()
    random = np.random.default_rng(1)
    grid = np.stack(np.mgrid[:24, :24, :24])
    for number, case in enumerate(CASES):
        ball = ((grid - np.reshape([10 + number, 12, 12], (3, 1, 1, 1))) ** 2).sum(0) < 16
        image = random.normal(100, 10, ball.shape) + 80 * ball
        write_image(image_from_array(image.astype(np.float32), np.eye(4)), base / image_of(case))
        write_image(image_from_array(ball.astype(np.uint8), np.eye(4)), base / label_of(case))
    dataset = {
        "channel_names": {"0": "MPRAGE"},
        "labels": {"background": 0, "metastasis": 1},
        "numTraining": len(CASES),
        "file_ending": ".nii.gz",
        "dataset": {c: {"images": [image_of(c)], "label": label_of(c)} for c in CASES},
    }
    (base / "dataset.json").write_text(json.dumps(dataset), "utf-8")


def image_of(case: str) -> str:
    return f"imagesTr/{case}_0000.nii.gz"


def label_of(case: str) -> str:
    return f"labelsTr/{case}.nii.gz"


def job_of(
    folder: Path, results: str, *, keys: dict[str, str] | None = None, **options: Any
) -> dict[str, Any]:
    """Return the job of training fold 0; a case's key stands for its content."""
    keys = {case: case for case in CASES} | (keys or {})
    return {
        "dataset": NAME,
        "raw": str(folder / "raw"),
        "prepared": str(folder / "prepared" / "-".join(keys.values())),
        "pool": str(folder / "pool"),
        "cases": {case: [case, key] for case, key in keys.items()},
        "splits": [{"train": ["c1", "c2", "c3"], "val": ["c4"]}],
        "planner": "ExperimentPlanner",
        "configuration": "3d_fullres",
        "patch_size": [16, 16, 16],
        "features": [4, 8, 8],
        "batch_size": 2,
        "processes": 1,
        "fold": 0,
        "device": "cpu",
        "options": OPTIONS | options,
        "results": str(folder / results),
    }


def environment_of(job: dict[str, Any]) -> dict[str, str]:
    return nnunet_environment(
        raw=Path(job["raw"]),
        preprocessed=Path(job["prepared"]),
        results=Path(job["results"]),
        processes=1,
        device="cpu",
        threads=1,
    )
