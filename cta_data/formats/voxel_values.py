"""Values of an image that can be worked with: finite, plausibly scaled, and not all alike."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cta_data.errors import DataRefused

SMALLEST_SCALE, LARGEST_SCALE = 1e-12, 1e9
"""Slopes of real images lie between, and so does what is added to their values."""
AGAIN = "Export the image again"


@dataclass(frozen=True)
class NotFinite:
    """What a user says of voxels that are NaN or infinite.

    Attributes
    ----------
    replacement
        The value that takes their place; None refuses the image.
    setting
        What the user can do to say it, for the message; empty where there is nothing.
    """

    replacement: float | None = None
    setting: str = ""


REFUSED = NotFinite()


def require_plausible_scale(slope: float, intercept: float, *, where: str) -> None:
    """Refuse a slope or intercept that makes no values, such as NaN, 0 or 1e30.

    Raises
    ------
    DataRefused
        With what was found.
    """
    whole = math.isfinite(slope) and math.isfinite(intercept)
    if not whole or not (
        SMALLEST_SCALE <= abs(slope) <= LARGEST_SCALE and abs(intercept) <= LARGEST_SCALE
    ):
        raise DataRefused(
            "intensity_scaling_implausible", where=where, slope=slope, intercept=intercept
        )


def usable_values(
    voxels: NDArray[np.generic], not_finite: NotFinite = REFUSED, *, where: str = ""
) -> tuple[NDArray[np.generic], str]:
    """Return the values of an image, and what was replaced among them (empty: nothing).

    Raises
    ------
    DataRefused
        Some are not finite and nobody said what takes their place, none is finite, or all are
        alike. The message has what was found.
    """
    unusable = count_not_finite(voxels)
    found = f"{unusable} of {voxels.size} voxels are NaN or infinite"
    replacement = not_finite.replacement
    if unusable == voxels.size or (unusable and replacement is None):
        step = f"{AGAIN}, or {not_finite.setting}" if not_finite.setting else AGAIN
        raise DataRefused("intensities_not_finite", where=where, why=found, step=step)
    if replacement is not None and unusable:
        voxels = np.where(np.isfinite(voxels), voxels, voxels.dtype.type(replacement))
    if voxels.min() == voxels.max():
        raise DataRefused("intensities_constant", where=where, value=voxels.min())
    return voxels, f"{found}: replaced by {replacement:g}" if unusable else ""


def count_not_finite(voxels: NDArray[np.generic]) -> int:
    """Number of voxels that are NaN or infinite."""
    if voxels.dtype.kind != "f":
        return 0
    return int(voxels.size - np.count_nonzero(np.isfinite(voxels)))
