"""Predict a folder of images with any model: of a study, or of anyone's nnU-Net."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import SimpleITK as sitk

from cta_data.errors import ConfigurationError, CtaError, DataRefused
from cta_data.formats.nifti.image import read_image, write_image
from cta_data.formats.voxel_values import usable_values
from cta_data.given_paths import require_given_folder
from cta_data.imaging.brain import extract_brain
from cta_data.imaging.brain.masks import apply_mask
from cta_data.imaging.geometry.grid import describe_grid_difference, same_grid
from cta_data.names import hidden_character, shown
from cta_data.study.layout import CHECKPOINT, PROBABILITIES
from cta_data.training.machine import Machine
from cta_data.training.nnunet.archive import import_model
from cta_data.training.nnunet.jobs import CaseToPredict, PredictJob
from cta_data.training.nnunet.model_facts import read_model_facts, require_single_stage
from cta_data.training.nnunet.plans import TRAINER
from cta_data.training.nnunet.prediction_files import (
    INSTANCES,
    LESIONS,
    PREVIEWS,
    write_lesion_table,
)
from cta_data.training.operating_points import operating_options, read_ensemble_card
from cta_data.training.predict import run_prediction
from cta_data.versioning.keys import content_key

ENDING = ".nii.gz"
ENDINGS = (ENDING, ".nii")
OTHER_IMAGES = (".nrrd", ".nhdr", ".mha", ".mhd", ".img", ".hdr", ".mgz", ".mgh", ".dcm", ".png")
_NUMBERED = re.compile(r"(.+)_(\d{4})")
"""nnU-Net's name of a channel's file."""


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
            "model_not_found" if not found else "model_ambiguous", where=path, n_found=len(found)
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
        raise DataRefused("model_without_folds", where=model.name)
    return [name.removeprefix("fold_") for name in names]


@dataclass(frozen=True)
class FolderContent:
    """What a folder holds.

    Attributes
    ----------
    cases
        By case, the files of each channel.
    unreadable
        Images in another format, by name, with the reason.
    others
        Names of files that are no images.
    """

    cases: dict[str, dict[int, list[Path]]]
    unreadable: dict[str, str]
    others: tuple[str, ...]


def folder_content(folder: Path) -> FolderContent:
    """Return the files of each case by channel, by nnU-Net's names or plain ones, and all others.

    `case_0001.nii.gz` is a second channel where there is a `case_0000.nii.gz`, else a name. The
    ending may be `.nii`, and in capitals.

    Raises
    ------
    ConfigurationError
        There is no such folder, or no NIfTI image in it.
    """
    require_given_folder(folder, "the images")
    stems: dict[str, list[Path]] = {}
    unreadable: dict[str, str] = {}
    others: list[str] = []
    for path in sorted(folder.iterdir()):
        name = path.name.lower()
        ending = next((end for end in ENDINGS if name.endswith(end)), "")
        if path.name.startswith(".") or path.is_dir():
            continue
        if ending and hidden_character(path.name):
            unreadable[shown(path.name)] = "its name has a character that no path may have"
        elif ending:
            stems.setdefault(path.name[: -len(ending)], []).append(path)
        elif name.endswith(OTHER_IMAGES):
            unreadable[path.name] = "images are read as NIfTI (.nii, .nii.gz): convert it first"
        else:
            others.append(path.name)
    cases: dict[str, dict[int, list[Path]]] = {}
    for stem, paths in stems.items():
        numbered = _NUMBERED.fullmatch(stem)
        if numbered and f"{numbered[1]}_0000" not in stems:
            numbered = None
        case, channel = (numbered[1], int(numbered[2])) if numbered else (stem, 0)
        cases.setdefault(case, {}).setdefault(channel, []).extend(paths)
    if not cases:
        raise ConfigurationError("input_images_missing", where=folder, endings=tuple(ENDINGS))
    return FolderContent(cases, unreadable, tuple(others))


def output_names(content: FolderContent) -> list[str]:
    """Return the names of all that a prediction of a folder may write."""
    of_cases = [name for case in content.cases for name in _outputs_of(case)]
    return [*of_cases, LESIONS, ".work", ".model"]


def _outputs_of(case: str) -> list[str]:
    """Return the files of a case: mask, instances, preview, probability."""
    instances, picture = f"{INSTANCES}/{case}_dseg{ENDING}", f"{PREVIEWS}/{case}.png"
    return [f"{case}{ENDING}", instances, picture, f"{PROBABILITIES}/{case}{ENDING}"]


def predict_folder(
    model: Path,
    source: Path,
    out: Path,
    machine: Machine,
    *,
    brain: BrainOptions,
    lesions: Sequence[str] = (),
    mirroring: bool = True,
    tile_step: float = 0.5,
    probabilities: bool = False,
    level: float | None = None,
    calibrated: bool = False,
    trainer: str = TRAINER,
    note: Callable[[str], None] = lambda text: None,
) -> FolderPrediction:
    """Predict every image of a folder; one that cannot be used costs itself alone.

    Parameters
    ----------
    lesions
        Names of the model's labels that are lesion, where it predicts more than one.
    level
        False positives per case whose threshold in the model's card is used; None for the mask of
        the network.
    calibrated
        Whether kept probabilities are scaled by the temperature in the model's card.

    Raises
    ------
    ConfigurationError
        There is no image, or it is not known what the model's labels mean.
    DataRefused
        The model cannot be loaded, or has no such operating point.
    """
    content = folder_content(source)
    for name in content.others:
        note(f"skipped, no image: {name}")
    require_single_stage(model)
    folds, facts = folds_of(model), read_model_facts(model)
    asked = partial(
        PredictJob,
        model=model.absolute(),
        folds=tuple(folds),
        trainer=trainer,
        lesion_values=facts.lesion_values(lesions),
        postprocessing=_postprocessing(model) if level is None else None,
        mirroring=mirroring,
        tile_step=tile_step,
        probabilities=probabilities,
        device=machine.device,
        threads=machine.threads,
        **_operating(model, folds, level, calibrated=calibrated),
    )
    with _emptied(out / ".work") as work:
        ready, failed = _prepare_all(content, work, facts.channels, brain, note)
        if ready:
            failed |= run_prediction(asked(cases=_cases(ready, out)), work, "job", machine).failed
    predicted = [case for case in ready if case not in failed]
    _remove_earlier(out, content.cases, predicted, probabilities=probabilities)
    n_lesions = write_lesion_table(out, predicted) if predicted else 0
    return FolderPrediction(predicted, failed, n_lesions)


def _remove_earlier(
    out: Path, cases: Iterable[str], predicted: Collection[str], *, probabilities: bool
) -> None:
    """Remove what an earlier prediction left of these cases and this one did not write anew.

    A mask of a case that failed, or the probabilities of another mask, would be taken for new ones.
    """
    stale = [LESIONS] if not predicted else []
    for case in cases:
        *masks, probability = _outputs_of(case)
        stale += masks if case not in predicted else []
        stale += [probability] if case not in predicted or not probabilities else []
    for name in stale:
        (out / name).unlink(missing_ok=True)


@contextmanager
def _emptied(folder: Path) -> Iterator[Path]:
    """Make a folder that holds nothing, and remove it afterwards."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _cases(ready: Mapping[str, tuple[Path, ...]], out: Path) -> tuple[CaseToPredict, ...]:
    return tuple(CaseToPredict(case=c, images=images, output=out) for c, images in ready.items())


def _operating(
    model: Path, folds: Sequence[str], level: float | None, *, calibrated: bool
) -> dict[str, Any]:
    if level is None and not calibrated:
        return {}
    keys = {fold: content_key(model / f"fold_{fold}" / CHECKPOINT) or "" for fold in folds}
    cards = sorted(model.glob("crossval_results_folds_*/card.json"))
    found = [card for card in map(read_ensemble_card, cards) if card and card.checkpoints == keys]
    card = found[0] if found else read_ensemble_card(cards[0]) if cards else None
    return operating_options(card, keys, model.name, level, calibrated=calibrated)


def _postprocessing(model: Path) -> Path | None:
    found = sorted(model.glob("crossval_results_folds_*/postprocessing.json"))
    return found[-1].absolute() if found else None


def _prepare_all(
    content: FolderContent,
    folder: Path,
    channels: Sequence[str],
    brain: BrainOptions,
    note: Callable[[str], None],
) -> tuple[dict[str, tuple[Path, ...]], dict[str, str]]:
    """Return the files of each case as the model takes them, and why others are not used."""
    ready: dict[str, tuple[Path, ...]] = {}
    failed: dict[str, str] = {}
    for case, files in content.cases.items():
        try:
            ready[case] = _prepared(case, files, folder, channels, brain)
        except CtaError as error:
            failed[case] = str(error)
        else:
            note(f"read: {case}")
    return ready, failed | content.unreadable


def _prepared(
    case: str,
    files: dict[int, list[Path]],
    folder: Path,
    channels: Sequence[str],
    brain: BrainOptions,
) -> tuple[Path, ...]:
    """Return the images as the model takes them, a file a channel, of the brain alone.

    The brain is found in the first channel.
    """
    names = [f"{case}_{number:04}{ENDING}" for number in range(len(channels))]
    if sorted(files) != list(range(len(channels))):
        raise DataRefused(
            "input_channels_missing",
            where=case,
            n_files=len(files),
            n_channels=len(channels),
            channels=tuple(channels),
            names=tuple(names),
        )
    doubled = [path.name for same in files.values() if len(same) > 1 for path in same]
    if doubled:
        raise DataRefused("input_channel_repeated", where=case, doubled=tuple(doubled))
    paths = [files[number][0] for number in range(len(channels))]
    images = [_read(path) for path in paths]
    for path, image in zip(paths, images, strict=True):
        if not same_grid(images[0], image):
            raise DataRefused(
                "input_channel_grids_differ",
                where=path.name,
                difference=describe_grid_difference(images[0], image),
                name=paths[0].name,
            )
    if brain.backend:
        mask = extract_brain(images[0], brain.backend, brain.options).mask
        images = [apply_mask(image, mask) for image in images]
    for image, name in zip(images, names, strict=True):
        write_image(image, folder / name)
    return tuple(folder / name for name in names)


def _read(path: Path) -> sitk.Image:
    image = read_image(path)
    usable_values(sitk.GetArrayViewFromImage(image), where=path.name)
    return image
