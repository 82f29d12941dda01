"""Skull stripping with HD-BET 2 (Isensee et al. 2019), by its own predictor, in this process.

Nothing is ever downloaded: the weights are looked for in a folder, and an error says what to put
there. HD-BET's command starts a dozen processes and works on files; its predictor on an array gives
the same mask without either, also inside a worker that may not start processes.

The weights are read by torch as a pickle, which can run code: take them from HD-BET's authors.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from contextlib import redirect_stdout
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk

from cta_data.errors import ConfigurationError
from cta_data.imaging.brain.result import BrainExtraction, Options
from cta_data.imaging.geometry.resampling import resample

OPTIONS = ("weights_folder", "device", "test_time_augmentation")
DEFAULT_WEIGHTS = Path("~/hd-bet_params/release_2.0.0")
_NEEDED = ("dataset.json", "plans.json", "fold_all/checkpoint_final.pth")
_OPERATOR_SCHEMA = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
_OPERATORS = ("nms", "qnms")
_kept: list[Any] = []  # the definitions live as long as the object that made them


def extract(image: sitk.Image, options: Options) -> BrainExtraction:
    """Return HD-BET's mask.

    Options: ``weights_folder`` (default ``~/hd-bet_params/release_2.0.0``), ``device`` (``cpu`` or
    ``cuda``, default ``cpu``), ``test_time_augmentation`` (default off: eight times faster).

    Raises
    ------
    ConfigurationError
        The extra ``brain`` is not installed, the weights are not there, or the device is not.
    """
    folder = require(options)
    device = str(options.get("device", "cpu"))
    mirroring = bool(options.get("test_time_augmentation", False))
    oriented = sitk.DICOMOrient(sitk.Cast(image, sitk.sitkFloat32), "RAS")
    labels = _predict(oriented, folder, device, mirroring)
    found = sitk.GetImageFromArray((np.asarray(labels) > 0).astype(np.uint8))
    found.CopyInformation(oriented)
    # The same voxels in another order: nearest neighbour puts each back where it came from.
    mask = resample(found, image, interpolation="nearest")
    notes = (f"device {device}", f"test-time augmentation {'on' if mirroring else 'off'}")
    return BrainExtraction(mask, "hd-bet", version("hd-bet"), notes)


def require(options: Options) -> Path:
    """Return the folder of the weights, once it is sure that package and weights are there.

    Raises
    ------
    ConfigurationError
        The extra ``brain`` is not installed, or the weights are not there.
    """
    if importlib.util.find_spec("HD_BET") is None:
        raise ConfigurationError("hd_bet_not_installed")
    folder = Path(str(options.get("weights_folder", DEFAULT_WEIGHTS))).expanduser()
    missing = [name for name in _NEEDED if not (folder / name).is_file()]
    if missing:
        raise ConfigurationError("hd_bet_weights_missing", where=folder, missing=tuple(missing))
    return folder


def _predict(image: sitk.Image, folder: Path, device: str, mirroring: bool) -> Any:
    torch = importlib.import_module("torch")
    if device.startswith("cuda") and not torch.cuda.is_available():
        raise ConfigurationError("cuda_unavailable_for_hd_bet")
    _make_torchvision_importable()
    # Importing it replaces sys.stdout; whoever captures the output keeps it.
    with redirect_stdout(sys.stdout):
        prediction = importlib.import_module("HD_BET.hd_bet_prediction")
    threads = torch.get_num_threads()
    try:
        predictor = _predictor(prediction, folder, torch.device(device), mirroring)
        # HD-BET takes all cores for itself; here the number stays what the caller set.
        torch.set_num_threads(threads)
        properties = {"spacing": list(image.GetSpacing())[::-1]}
        values = sitk.GetArrayFromImage(image)[None]
        return predictor.predict_single_npy_array(values, properties)
    finally:
        torch.set_num_threads(threads)


def _make_torchvision_importable() -> None:
    """Import torchvision; where that fails for missing operators, declare them and try again.

    The CPU build of torch and the torchvision of the package index do not belong together:
    torchvision then stops at its import, over operators that segmentation never calls. nnU-Net
    imports it while it looks up a trainer by name, so that no model could be loaded.

    Raises
    ------
    ImportError
        torchvision is not installed.
    RuntimeError
        It cannot be imported for another reason.
    """
    try:
        importlib.import_module("torchvision")
    except RuntimeError as error:
        if "torchvision::nms does not exist" not in str(error):
            raise
        torch = importlib.import_module("torch")
        library = torch.library.Library("torchvision", "DEF")
        for name in _OPERATORS:
            library.define(f"{name}{_OPERATOR_SCHEMA}")
        _kept.append(library)
        for name in [n for n in sys.modules if n.split(".")[0] == "torchvision"]:
            del sys.modules[name]
        importlib.import_module("torchvision")


def _predictor(prediction: Any, folder: Path, device: Any, mirroring: bool) -> Any:
    """Make HD-BET's predictor from our folder: it knows only its module's own variable."""
    default = prediction.folder_with_parameter_files
    try:
        prediction.folder_with_parameter_files = str(folder)
        return prediction.get_hdbet_predictor(use_tta=mirroring, device=device, verbose=False)
    finally:
        prediction.folder_with_parameter_files = default
