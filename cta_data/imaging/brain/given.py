"""Brain masks that are not searched for: one that the user supplies, or the whole image."""

from __future__ import annotations

from pathlib import Path

import SimpleITK as sitk

from cta_data.errors import ConfigurationError, DataRefused
from cta_data.imaging.brain.result import BrainExtraction, Options
from cta_data.imaging.geometry.grid import describe_grid_difference, same_grid

VERSION = "1"
OPTIONS = ("mask",)


def extract_supplied(image: sitk.Image, options: Options) -> BrainExtraction:
    """Return ``options["mask"]`` (path or ``SimpleITK.Image``), on the image's grid, as uint8 0/1.

    Raises
    ------
    ConfigurationError
        No mask is given, or its file does not exist.
    DataRefused
        The mask cannot be read, is empty, or lies on another grid.
    """
    given = options.get("mask")
    where = "" if isinstance(given, sitk.Image) else str(given)
    mask = given if isinstance(given, sitk.Image) else _read(given)
    volume = mask.GetDimension() == 3
    if not volume or not same_grid(mask, image):
        raise DataRefused(
            "brain_mask_off_grid",
            where=where,
            why=describe_grid_difference(mask, image) if volume else "it is no volume",
        )
    binary = sitk.Cast(mask != 0, sitk.sitkUInt8)
    binary.CopyInformation(image)
    if not sitk.GetArrayViewFromImage(binary).any():
        raise DataRefused("brain_mask_empty", where=where)
    return BrainExtraction(binary, "provided", VERSION)


def whole_image(image: sitk.Image, options: Options) -> BrainExtraction:
    """Return a mask of ones on the grid of ``image``."""
    mask = sitk.Image(image.GetSize(), sitk.sitkUInt8) + 1
    mask.CopyInformation(image)
    return BrainExtraction(mask, "none", "1", ("the whole image is taken as brain",))


def _read(given: object) -> sitk.Image:
    if not isinstance(given, (str, Path)):
        raise ConfigurationError("brain_mask_not_given")
    if not Path(given).is_file():
        raise ConfigurationError("brain_mask_not_found", where=given)
    try:
        return sitk.ReadImage(str(given))
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[-1]
        raise DataRefused("brain_mask_unreadable", where=given, reason=reason) from error
