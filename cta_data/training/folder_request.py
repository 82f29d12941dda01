"""A folder of images with one model: which model it is, where it may write, how it is prepared."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cta_data.destinations import require_folder_place
from cta_data.errors import ConfigurationError
from cta_data.pipeline.extract_brain import backend_options
from cta_data.study.configuration import TrainingSection
from cta_data.study.study import Study
from cta_data.training.machine import machine_for
from cta_data.training.models import model_of
from cta_data.training.nnunet.environment import require_device, require_training_packages
from cta_data.training.predict_folder import (
    BrainOptions,
    FolderPrediction,
    find_model,
    folder_content,
    output_names,
    predict_folder,
)
from cta_data.versioning.datasets import fetch


@dataclass(frozen=True)
class FolderRequest:
    """What to predict, with which model, and how.

    Attributes
    ----------
    model
        Folder or zip of a model, or the setting of a study's own.
    training
        How to predict: the window's step, mirroring and, of a study's model, which of them it is.
    lesions
        Names of the model's labels that are lesion, where it predicts more than one.
    stripped
        Whether the images hold the brain alone.
    """

    source: Path
    out: Path
    model: Path | str
    training: TrainingSection
    device: str
    lesions: tuple[str, ...] = ()
    stripped: bool = False
    probabilities: bool = False
    level: float | None = None
    calibrated: bool = False
    overwrite: bool = False


def predict_images(
    study: Study | None, request: FolderRequest, note: Callable[[str], None]
) -> FolderPrediction:
    """Predict a folder of images.

    Raises
    ------
    ConfigurationError
        A package or a device is missing, the model is not there or not trained, or the output may
        not be written.
    DataRefused
        The model cannot be loaded.
    """
    require_training_packages()
    require_device(request.device)
    model = request.model
    if not isinstance(model, Path):
        assert study is not None
        model = _model_of_study(study, model, request.training)
    names = output_names(folder_content(request.source))
    require_folder_place(request.out, (request.source, model), names, overwrite=request.overwrite)
    unpacked = request.out / ".model"
    done = predict_folder(
        find_model(model, unpacked),
        request.source,
        request.out,
        machine_for(request.device, 0, 1),
        brain=_brain(study, stripped=request.stripped),
        lesions=request.lesions,
        mirroring=request.training.mirroring,
        tile_step=request.training.tile_step,
        probabilities=request.probabilities,
        level=request.level,
        calibrated=request.calibrated,
        trainer=request.training.trainer,
        note=note,
    )
    shutil.rmtree(unpacked, ignore_errors=True)
    return done


def _model_of_study(study: Study, setting: str, training: TrainingSection) -> Path:
    model = model_of(study, setting, training)
    study.require(model.folder)
    folder = study.root / model.folder
    if not folder.is_dir():
        raise ConfigurationError("model_not_trained", model=model.name, setting=setting)
    wanted = sorted(folder.glob("fold_*/*.pth"))
    fetch(study.root, [path.relative_to(study.root).as_posix() for path in wanted])
    return folder


def _brain(study: Study | None, *, stripped: bool) -> BrainOptions:
    """Return how to extract the brain: as the study does, or by default; never twice."""
    if stripped:
        return BrainOptions()
    if study is None:
        return BrainOptions("morphology")
    if not study.configuration.build.skull_stripped:
        return BrainOptions()
    settings = study.configuration.brain_extraction
    if settings.backend in ("provided", "none"):
        raise ConfigurationError("brain_extraction_unavailable", backend=settings.backend)
    return BrainOptions(settings.backend, backend_options(settings.model_dump()))
