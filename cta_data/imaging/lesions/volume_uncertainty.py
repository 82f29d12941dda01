"""How well the volume of a lesion is known: what voxels cut off, and where its outline was put.

Two errors, taken as independent, of standard deviations

- *voxels*: √(E · S), where S is the surface in mm² and E depends on the spacing (a, b, c) alone:
  E = 1 / (8π³) · Σ (i²/a² + j²/b² + k²/c²)⁻² over all whole numbers i, j, k but (0, 0, 0). It is
  the spread of the number of grid points in a sphere that lies anywhere on the grid (the mean over
  its radius, by Parseval's theorem): 0.0667 h⁴ for cubes of edge h;
- *outline*: o · h · S, where h is the edge of a cube of the size of a voxel, and o the standard
  deviation by which the whole outline is drawn too far out or in, in voxels. With o = 0.25, 95 % of
  outlines lie within half a voxel of the surface.

The surface is two thirds of the area of the outer voxel faces, their mean over all directions.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from cta_data.imaging.lesions.change_limits import OUTLINE_SD_VOXELS

NORMAL_95 = 1.959964
"""Standard deviations on each side that hold 95 % of a normal distribution."""
_FACES_TO_SURFACE = 2 / 3
_LARGEST_TERM = 24


def volume_sds(
    labels: NDArray[np.integer],
    spacing_mm: Sequence[float],
    outline_sd_voxels: float = OUTLINE_SD_VOXELS,
) -> dict[int, float]:
    """Return the standard deviation of the volume (mm³) of each lesion.

    Parameters
    ----------
    labels
        (z, y, x); 0 is background, every other value the id of a lesion.
    spacing_mm
        Along x, y, z.
    outline_sd_voxels
        See the module; 0 leaves the error of voxels alone.
    """
    return {
        number: volume_sd(labels[box] == number, spacing_mm, outline_sd_voxels)
        for number, box in enumerate(ndimage.find_objects(labels), start=1)
        if box is not None
    }


def volume_sd(
    lesion: NDArray[np.bool_],
    spacing_mm: Sequence[float],
    outline_sd_voxels: float = OUTLINE_SD_VOXELS,
) -> float:
    """Return the standard deviation of the volume (mm³) of one lesion of voxels (z, y, x)."""
    x, y, z = (float(mm) for mm in spacing_mm)
    padded = np.pad(lesion, 1)
    faces = [int(np.count_nonzero(np.diff(padded, axis=axis))) for axis in range(3)]
    surface_mm2 = _FACES_TO_SURFACE * float(np.dot(faces, (x * y, x * z, y * z)))
    # Rounded: spacings of one scanner differ in their last digits.
    of_voxels = math.sqrt(_lattice_mm4(round(x, 3), round(y, 3), round(z, 3)) * surface_mm2)
    of_outline = outline_sd_voxels * math.cbrt(x * y * z) * surface_mm2
    return math.hypot(of_voxels, of_outline)


@cache
def _lattice_mm4(x: float, y: float, z: float) -> float:
    """Return E of the module for a spacing; the rest of the sum is that of an integral."""
    n = np.arange(-_LARGEST_TERM, _LARGEST_TERM + 1) ** 2
    largest = max(x, y, z)
    # Terms within a ball of the frequencies that all axes reach.
    squared = n[:, None, None] / x**2 + n[:, None] / y**2 + n / z**2
    radius = _LARGEST_TERM / largest
    inside = (squared > 0) & (squared <= radius**2)
    rest = 4 * math.pi * x * y * z / radius
    return float((squared[inside] ** -2.0).sum() + rest) / (8 * math.pi**3)
