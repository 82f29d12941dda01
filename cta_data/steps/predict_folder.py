"""Predict a folder of images with any model: of a study, or of anyone's nnU-Net."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from cta_data.errors import ConfigurationError, CtaError, DataRefused
from cta_data.formats.nifti import read_image, write_image
from cta_data.imaging.brain_extraction import extract_brain
from cta_data.imaging.brain_masks import apply_mask
from cta_data.nnunet.archive import CHECKPOINT, import_model
from cta_data.nnunet.prediction_files import write_lesion_table
from cta_data.steps.predict import run_prediction
from cta_data.steps.train import Machine

ENDING = ".nii.gz"
_CHANNEL = "_0000"


@dataclass(frozen=True)
class BrainOptions:
    """How the brain is extracted before a prediction; no back end for images that hold it alone."""

    backend: str = ""
    options: dict = field(default_factory=dict)


@dataclass(frozen=True)
class FolderPrediction:
    """What came of a folder: cases predicted, and why others were not."""

    predicted: list[str]
    failed: dict[str, str]
    lesions: int


def find_model(path: Path, unpacked: Path) -> Path:
    """Return the folder of a model: itself, the only one below, or what a zip holds.

    Raises
    ------
    ConfigurationError
        There is no model.
    DataRefused
        The zip holds none, or one that is not safe.
    """
    if path.is_file():
        shutil.rmtree(unpacked, ignore_errors=True)
        unpacked.mkdir(parents=True)
        return unpacked / import_model(path, unpacked).folder
    found = (
        [path]
        if (path / "plans.json").is_file()
        else sorted(
            one.parent for one in path.glob("**/plans.json") if "crossval" not in one.parent.name
        )
    )
    if len(found) != 1:
        raise ConfigurationError(
            "there is no model" if not found else f"there are {len(found)} models",
            where=str(path),
            next_step="Name the folder that holds plans.json and fold_0, or nnU-Net's zip",
        )
    return found[0]


def folds_of(model: Path) -> list[str]:
    """Return the folds of a model that have a checkpoint.

    Raises
    ------
    DataRefused
        There is none.
    """
    names = [path.parent.name for path in sorted(model.glob(f"fold_*/{CHECKPOINT}"))]
    if not names:
        raise DataRefused("the model has no trained fold", where=model.name)
    return [name.removeprefix("fold_") for name in names]


def images_in(folder: Path) -> dict[str, list[Path]]:
    """Return the images of each case, a file a channel, by nnU-Net's names or plain ones.

    Raises
    ------
    ConfigurationError
        There is no such folder, or no NIfTI image in it.
    """
    if not folder.is_dir():
        raise ConfigurationError("there is no such folder", where=str(folder))
    cases: dict[str, list[Path]] = {}
    for path in sorted(folder.iterdir()):
        if path.name.startswith(".") or not path.name.endswith(ENDING):
            continue
        stem = path.name.removesuffix(ENDING)
        numbered = len(stem) > 5 and stem[-5] == "_" and stem[-4:].isdigit()
        cases.setdefault(stem[:-5] if numbered else stem, []).append(path)
    if not cases:
        raise ConfigurationError(f"there is no image (*{ENDING}) in the folder", where=str(folder))
    return cases


def predict_folder(
    model: Path,
    source: Path,
    out: Path,
    machine: Machine,
    *,
    brain: BrainOptions,
    mirroring: bool = True,
    tile_step: float = 0.5,
    probabilities: bool = False,
    note: Callable[[str], None] = lambda text: None,
) -> FolderPrediction:
    """Predict every image of a folder; one that cannot be used costs itself alone.

    Raises
    ------
    ConfigurationError
        There is no image.
    DataRefused
        The model cannot be loaded.
    """
    found = images_in(source)
    folds = folds_of(model)
    work = out / ".work"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    failed: dict[str, str] = {}
    cases = []
    try:
        for case, files in found.items():
            try:
                image = _prepared(files, work / f"{case}{ENDING}", brain)
            except CtaError as error:
                failed[case] = str(error)
                continue
            cases.append({"case": case, "images": [str(image)], "output": str(out)})
            note(f"read: {case}")
        if cases:
            job = {
                "model": str(model.absolute()),
                "folds": folds,
                "postprocessing": _postprocessing(model),
                "cases": cases,
                "device": machine.device,
                "mirroring": mirroring,
                "tile_step": tile_step,
                "probabilities": probabilities,
                "threads": machine.threads,
            }
            failed |= run_prediction(job, work, "job", machine)["failed"]
    finally:
        shutil.rmtree(work, ignore_errors=True)
    predicted = [str(one["case"]) for one in cases if one["case"] not in failed]
    lesions = write_lesion_table(out, predicted) if predicted else 0
    return FolderPrediction(predicted, failed, lesions)


def _postprocessing(model: Path) -> str:
    found = sorted(model.glob("crossval_results_folds_*/postprocessing.json"))
    return str(found[-1].absolute()) if found else ""


def _prepared(files: list[Path], target: Path, brain: BrainOptions) -> Path:
    """Return the image as the model takes it: one channel, of the brain alone."""
    if len(files) > 1:
        raise DataRefused(
            f"the case has {len(files)} channels, and the model takes 1",
            where=files[0].name,
            next_step=f"Keep the one that the model was trained on, as <case>{_CHANNEL}{ENDING}",
        )
    image = read_image(files[0])
    values = sitk.GetArrayViewFromImage(image)
    if not np.isfinite(values).all():
        raise DataRefused("the image has values that are not finite", where=files[0].name)
    if values.min() == values.max():
        raise DataRefused("the image is empty", where=files[0].name)
    if brain.backend:
        extraction = extract_brain(image, brain.backend, brain.options)
        image = apply_mask(image, extraction.mask)
    write_image(image, target)
    return target
