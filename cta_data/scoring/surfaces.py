"""Surface distances of matched lesions and of whole masks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cta_data.imaging.geometry.surfaces import Distances, surface_distances
from cta_data.scoring.instances import Instances

Box = tuple[NDArray[np.int64], NDArray[np.int64]]


@dataclass(frozen=True)
class SurfaceDistances:
    """Distances between two surfaces, mm; NaN where one of the two is empty.

    A voxel is at the surface where a face neighbour is outside; distances are between voxel
    centres, from each surface to the other, and taken together.

    Attributes
    ----------
    hausdorff_mm
        The largest.
    hausdorff95_mm
        The larger of the two directions' 95th percentiles.
    mean_surface_mm
        Average symmetric surface distance: the mean over the surface voxels of both.
    """

    hausdorff_mm: float
    hausdorff95_mm: float
    mean_surface_mm: float


NOTHING = SurfaceDistances(math.nan, math.nan, math.nan)


def lesion_distances(
    reference: Instances,
    predicted: Instances,
    pair: tuple[int, int],
    spacing_mm: Sequence[float] | NDArray[np.float64],
) -> SurfaceDistances:
    """Return the distances of two instances (numbers from 0); ``spacing_mm`` is along x, y, z."""
    return summary_of(*distances_of_pair(reference, predicted, pair, spacing_mm))


def distances_of_pair(
    reference: Instances,
    predicted: Instances,
    pair: tuple[int, int],
    spacing_mm: Sequence[float] | NDArray[np.float64],
) -> tuple[Distances, Distances]:
    """Return the distance (mm) of each surface voxel of two instances to the other, both ways."""
    return _between(
        _runs(reference, reference.of_run == pair[0]),
        _runs(predicted, predicted.of_run == pair[1]),
        spacing_mm,
    )


def mask_distances(
    reference: Instances, predicted: Instances, spacing_mm: Sequence[float] | NDArray[np.float64]
) -> SurfaceDistances:
    """Return the distances of two whole masks."""
    found = distances_of_masks(reference, predicted, spacing_mm)
    return summary_of(*found) if found else NOTHING


def distances_of_masks(
    reference: Instances, predicted: Instances, spacing_mm: Sequence[float] | NDArray[np.float64]
) -> tuple[Distances, Distances] | None:
    """Return the distance (mm) of each surface voxel of a mask to the other, both ways.

    None where one of the masks is empty.
    """
    every = (_runs(one, np.ones(len(one.of_run), bool)) for one in (reference, predicted))
    first, second = every
    if not first.shape[1] or not second.shape[1]:
        return None
    return _between(first, second, spacing_mm)


def summary_of(there: Distances, back: Distances) -> SurfaceDistances:
    """Return the figures of distances from a surface to another and back; neither is empty."""
    together = np.concatenate([there, back])
    return SurfaceDistances(
        float(together.max()),
        float(max(np.percentile(there, 95), np.percentile(back, 95))),
        float(together.mean()),
    )


def _runs(instances: Instances, chosen: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Index z, y, first x and last x of some runs, (4, n)."""
    z, y, x = (place[chosen] for place in instances.runs.places)
    return np.stack([z, y, x, x + instances.runs.lengths[chosen] - 1])


def _between(
    first: NDArray[np.int64],
    second: NDArray[np.int64],
    spacing_mm: Sequence[float] | NDArray[np.float64],
) -> tuple[Distances, Distances]:
    both = np.concatenate([first, second], axis=1)
    low, high = both[:3].min(axis=1), both[[0, 1, 3]].max(axis=1) + 1
    step = [float(mm) for mm in spacing_mm][::-1]
    return surface_distances(_filled(first, low, high), _filled(second, low, high), step)


def _filled(
    runs: NDArray[np.int64], low: NDArray[np.int64], high: NDArray[np.int64]
) -> NDArray[np.bool_]:
    mask = np.zeros(high - low, bool)
    for z, y, begin, end in (runs - low[[0, 1, 2, 2], None]).T.tolist():
        mask[z, y, begin : end + 1] = True
    return mask
