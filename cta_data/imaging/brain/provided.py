"""A brain mask that the user supplies, taken only when it lies on the image's own grid."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import SimpleITK as sitk

from cta_data.errors import ConfigurationError, DataRefused
from cta_data.imaging.brain.result import BrainExtraction, Options

VERSION = "1"
_TOLERANCE_VOXELS = 1e-2


def extract(image: sitk.Image, options: Options) -> BrainExtraction:
    """Return ``options["mask"]`` (path or ``SimpleITK.Image``) as uint8 0/1.

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
    difference = _grid_difference(mask, image)
    if difference:
        raise DataRefused(
            "the brain mask does not lie on the image's grid",
            where=where,
            why=difference,
            next_step="Resample the mask to the image with nearest neighbour",
        )
    binary = sitk.Cast(mask != 0, sitk.sitkUInt8)
    binary.CopyInformation(image)
    if not sitk.GetArrayViewFromImage(binary).any():
        raise DataRefused("the brain mask is empty", where=where)
    return BrainExtraction(binary, "provided", VERSION)


def _read(given: object) -> sitk.Image:
    if not isinstance(given, (str, Path)):
        raise ConfigurationError(
            "the back end 'provided' needs a mask",
            next_step="Give the option mask: the path of a mask on the image's grid",
        )
    if not Path(given).is_file():
        raise ConfigurationError("the brain mask does not exist", where=str(given))
    try:
        return sitk.ReadImage(str(given))
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[-1]
        raise DataRefused("the brain mask cannot be read", where=str(given), why=reason) from error


def _grid_difference(mask: sitk.Image, image: sitk.Image) -> str:
    """Say how two grids differ by more than rounding, or nothing."""
    if mask.GetSize() != image.GetSize():
        return f"size {mask.GetSize()} instead of {image.GetSize()}"
    corners = [(0,) * 3, tuple(n - 1 for n in image.GetSize())]
    corners += [
        tuple((n - 1) * (a == axis) for a, n in enumerate(image.GetSize())) for axis in (0, 1, 2)
    ]
    apart = max(
        float(
            np.abs(
                np.subtract(
                    mask.TransformIndexToPhysicalPoint(corner),
                    image.TransformIndexToPhysicalPoint(corner),
                )
            ).max()
        )
        for corner in corners
    )
    if apart > _TOLERANCE_VOXELS * min(image.GetSpacing()):
        return f"corners up to {apart:.3g} mm apart"
    return ""
