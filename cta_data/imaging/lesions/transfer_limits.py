"""What a transfer may do to a lesion before a person has to look at it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class TransferLimits:
    """Limits of what was measured of a lesion; every one can be set in a study's configuration.

    A rounding of one voxel is always allowed: a lesion of three voxels cannot keep its volume
    better than that. `least_voxels` is the size from which shape can be judged at all, by
    `least_dice_there_and_back`. Distances are in diagonals of a voxel of the target grid.
    """

    least_volume_ratio: float = 0.85
    most_volume_ratio: float = 1.15
    least_volume_scale: float = 0.8
    most_volume_scale: float = 1.25
    most_centroid_shift_diagonals: float = 0.5
    most_surface_distance_diagonals: float = 1.25
    least_dice_there_and_back: float = 0.5
    least_voxels: int = 10


def limits_of(named: Mapping[str, float]) -> TransferLimits:
    """Return the limits, with those that are named in place of the usual ones."""
    return TransferLimits(**named)  # type: ignore[arg-type]
