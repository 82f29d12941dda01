"""`cta-data predict --input`: a folder of images, with a study's model or anyone's."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from cta_data.destinations import require_folder_place
from cta_data.engine.records import EXIT_FAILED, EXIT_OK
from cta_data.errors import ConfigurationError
from cta_data.study.configuration import TrainingSection
from cta_data.study.study import Study, open_study
from cta_data.terminal.output import console, error_console, print_json

if TYPE_CHECKING:
    from cta_data.training.predict_folder import BrainOptions


def predict_folder_command(
    settings: list[str],
    model: Path | None,
    source: Path,
    out: Path | None,
    study: Path | None,
    *,
    device: str,
    changes: dict[str, Any],
    lesions: list[str],
    stripped: bool,
    probabilities: bool,
    overwrite: bool,
    as_json: bool,
) -> int:
    """Predict a folder and print what came of it."""
    from cta_data.training.nnunet.environment import require_device, require_training_packages
    from cta_data.training.predict_folder import (
        find_model,
        folder_content,
        output_names,
        predict_folder,
    )
    from cta_data.training.runner import machine_for

    if out is None:
        raise ConfigurationError("--input needs --output, a folder for what is predicted")
    if (model is None) == (not settings) or len(settings) > 1:
        raise ConfigurationError("name one model: --setting of a study, or --model")
    require_training_packages()
    require_device(device)
    opened = open_study(study) if model is None else _study_if_any(study)
    path = model if model is not None else _model_of_study(opened, settings[0], changes)
    names = output_names(folder_content(source))
    require_folder_place(out, (source, path), names, overwrite=overwrite)
    found = find_model(path, out / ".model")
    training = _training(opened, changes)
    errors = error_console()
    done = predict_folder(
        found,
        source,
        out,
        machine_for(device, 0, 1),
        brain=_brain(opened, stripped=stripped),
        lesions=lesions,
        mirroring=training.mirroring,
        tile_step=training.tile_step,
        probabilities=probabilities,
        note=lambda text: None if as_json else errors.print(text, soft_wrap=True),
    )
    _forget(out / ".model")
    if as_json:
        print_json(vars(done))
    else:
        for case, why in done.failed.items():
            errors.print(f"not predicted: {case}: {why}", soft_wrap=True)
        told = f"{len(done.predicted)} cases predicted, {len(done.failed)} not"
        told += f"; {done.lesions} lesions in {out / 'lesions.tsv'}" if done.predicted else ""
        console().print(told, soft_wrap=True)
    return EXIT_FAILED if done.failed else EXIT_OK


def _study_if_any(study: Path | None) -> Study | None:
    return open_study(study) if study is not None else None


def _training(study: Study | None, changes: dict[str, Any]) -> TrainingSection:
    """Return how to predict: as this call says, else as the study does, else as nnU-Net does."""
    own = study.configuration.training if study else TrainingSection()
    names = ("mirroring", "tile_step")
    given: dict[str, Any] = {name: changes[name] for name in names if name in changes}
    return own.model_copy(update=given)


def _model_of_study(study: Study | None, setting: str, changes: dict[str, Any]) -> Path:
    from cta_data.cli.training_options import training_section
    from cta_data.training.models import model_of
    from cta_data.versioning.datasets import fetch

    assert study is not None
    model = model_of(study, setting, training_section(study, changes))
    study.require(model.folder)
    folder = study.root / model.folder
    if not folder.is_dir():
        raise ConfigurationError(
            f"model {model.name} is not trained",
            next_step=f"Run `cta-data train --setting {setting}`",
        )
    wanted = sorted(folder.glob("fold_*/*.pth"))
    fetch(study.root, [path.relative_to(study.root).as_posix() for path in wanted])
    return folder


def _brain(study: Study | None, *, stripped: bool) -> BrainOptions:
    """Return how to extract the brain: as the study does, or by default; never twice."""
    from cta_data.pipeline.extract_brain import backend_options
    from cta_data.training.predict_folder import BrainOptions

    if stripped:
        return BrainOptions()
    if study is None:
        return BrainOptions("morphology")
    if not study.configuration.build.skull_stripped:
        return BrainOptions()
    settings = study.configuration.brain_extraction
    if settings.backend in ("provided", "none"):
        raise ConfigurationError(
            f"the study's brain extraction is {settings.backend!r}, which has no mask for these",
            next_step="Give images of the brain alone, and say so with --stripped",
        )
    return BrainOptions(settings.backend, backend_options(settings.model_dump()))


def _forget(folder: Path) -> None:
    import shutil

    shutil.rmtree(folder, ignore_errors=True)
