"""What an edit changed, lesion by lesion."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Change = Literal["unchanged", "changed", "new", "deleted", "not on this grid"]


@dataclass(frozen=True)
class LesionEdit:
    """One lesion before and after: voxels and volume (mm³), and voxels that are in one alone."""

    id: int
    name: str
    change: Change
    voxels_before: int
    voxels_after: int
    differing_voxels: int
    volume_before_mm3: float
    volume_after_mm3: float


def lesion_edits(
    before: NDArray[np.integer],
    after: NDArray[np.integer],
    names: Mapping[int, str],
    voxel_mm3: float,
) -> list[LesionEdit]:
    """Return every lesion of either side, by id.

    Parameters
    ----------
    before, after
        Lesion ids (z, y, x) on one grid.
    names
        Of the lesions that the annotation has; one of them that is on neither side had no voxel on
        this grid, and a correction made here does not have it.
    """
    sides = _count(before), _count(after)
    differs = before != after
    differing = _count(before[differs]), _count(after[differs])
    made = []
    for number in sorted({*sides[0], *sides[1], *names} - {0}):
        old, new = (side.get(number, 0) for side in sides)
        changed = sum(side.get(number, 0) for side in differing)
        name = names.get(number, f"lesion {number}")
        volumes = (old * voxel_mm3, new * voxel_mm3)
        made.append(
            LesionEdit(number, name, _change(old, new, changed), old, new, changed, *volumes)
        )
    return made


def _count(values: NDArray[np.integer]) -> dict[int, int]:
    found, counts = np.unique(values, return_counts=True)
    return dict(zip(found.tolist(), counts.tolist(), strict=True))


def _change(before: int, after: int, differing: int) -> Change:
    if not before and not after:
        return "not on this grid"
    if not before:
        return "new"
    if not after:
        return "deleted"
    return "changed" if differing else "unchanged"
