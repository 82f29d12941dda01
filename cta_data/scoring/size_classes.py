"""Classes of size: the lower limit is in a class, the upper one is not.

The volume of a voxel of an oblique image is 0.99999998 mm³ where its edges are 1 mm: directions are
kept in single precision. A size that is below a limit by no more than that has reached it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

ROUNDING = 1e-6
"""Share of a limit that a size may be below it by rounding alone."""


def reached(limit: float) -> float:
    """Return the least size that counts as the limit or more."""
    return limit * (1 - ROUNDING)


def sizes_within(sizes: NDArray[np.float64], low: float, high: float) -> NDArray[np.bool_]:
    """Return which sizes are in the class from `low` to `high`."""
    return np.asarray((sizes >= reached(low)) & (sizes < reached(high)))


def is_within(size: float, low: float, high: float) -> bool:
    """Return whether a size is in the class from `low` to `high`."""
    return reached(low) <= size < reached(high)
