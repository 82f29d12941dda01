"""Distances between the surfaces of matched lesions and of whole masks.

Defined as in DeepMind's surface-distance (Nikolov et al. 2021, J Med Internet Res 23:e26151), and
equal to it: elements of the surface count by their area. Distances between voxels at the surface,
which count the same each, are for conventions that are defined by them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

from cta_data.imaging.geometry.surface_elements import element_areas, surface_elements
from cta_data.imaging.geometry.surfaces import Distances, surface_distances
from cta_data.scoring.instances import Instances

Box = tuple[NDArray[np.int64], NDArray[np.int64]]
Spacing = Sequence[float] | NDArray[np.float64]
_ROUNDING_MM = 1e-9


@dataclass(frozen=True)
class SurfaceDistances:
    """Distances between two surfaces; NaN where one of the two is empty.

    Attributes
    ----------
    hausdorff_mm
        The largest distance of an element of one surface to the nearest one of the other.
    hausdorff95_mm
        Of each surface, the distance that 95 % of its area stay within; the larger of the two.
    mean_surface_mm
        The mean over the area of each surface; the mean of the two.
    surface_dice_0_5mm, surface_dice_1mm
        Normalised surface Dice: area of both surfaces that lies within 0.5 or 1 mm of the other,
        limit included, over all area of both.
    """

    hausdorff_mm: float
    hausdorff95_mm: float
    mean_surface_mm: float
    surface_dice_0_5mm: float
    surface_dice_1mm: float


DISTANCES = tuple(field.name for field in fields(SurfaceDistances))
NOTHING = SurfaceDistances(*[math.nan] * len(DISTANCES))


def lesion_distances(
    reference: Instances,
    predicted: Instances,
    pair: tuple[int, int],
    spacing_mm: Spacing,
) -> SurfaceDistances:
    """Return the distances of two instances (numbers from 0); ``spacing_mm`` is along x, y, z."""
    return _measured(*_runs_of_pair(reference, predicted, pair), spacing_mm)


def distances_of_pair(
    reference: Instances,
    predicted: Instances,
    pair: tuple[int, int],
    spacing_mm: Spacing,
) -> tuple[Distances, Distances]:
    """Return the distance (mm) of each surface voxel of two instances to the other, both ways."""
    return _between(*_runs_of_pair(reference, predicted, pair), spacing_mm)


def mask_distances(
    reference: Instances, predicted: Instances, spacing_mm: Spacing
) -> SurfaceDistances:
    """Return the distances of two whole masks."""
    first, second = _all_runs(reference), _all_runs(predicted)
    if not first.shape[1] or not second.shape[1]:
        return NOTHING
    return _measured(first, second, spacing_mm)


def distances_of_masks(
    reference: Instances, predicted: Instances, spacing_mm: Spacing
) -> tuple[Distances, Distances] | None:
    """Return the distance (mm) of each surface voxel of a mask to the other, both ways.

    None where one of the masks is empty.
    """
    first, second = _all_runs(reference), _all_runs(predicted)
    if not first.shape[1] or not second.shape[1]:
        return None
    return _between(first, second, spacing_mm)


def _measured(
    first: NDArray[np.int64], second: NDArray[np.int64], spacing_mm: Spacing
) -> SurfaceDistances:
    """Return the distances of two masks, given as runs, neither of them empty."""
    step = np.array([float(mm) for mm in spacing_mm])[::-1]
    areas = element_areas(step)
    elements = [surface_elements(mask) for mask in _in_box(first, second)]
    points = [places * step for places, _ in elements]
    weights = [areas[codes] for _, codes in elements]
    far = [KDTree(points[1 - n]).query(points[n])[0] for n in (0, 1)]
    near = [
        sum(float(weights[n][far[n] <= mm + _ROUNDING_MM].sum()) for n in (0, 1))
        for mm in (0.5, 1.0)
    ]
    whole = sum(float(weight.sum()) for weight in weights)
    return SurfaceDistances(
        float(max(distances.max() for distances in far)),
        max(
            _within(distances, weight, 0.95) for distances, weight in zip(far, weights, strict=True)
        ),
        float(np.mean([np.average(far[n], weights=weights[n]) for n in (0, 1)])),
        near[0] / whole,
        near[1] / whole,
    )


def _within(distances: Distances, areas: NDArray[np.float64], share: float) -> float:
    """Return the distance that a share of the area stays within."""
    order = np.argsort(distances, kind="stable")
    reached = np.cumsum(areas[order]) / areas.sum()
    return float(distances[order][min(int(np.searchsorted(reached, share)), len(order) - 1)])


def _runs_of_pair(
    reference: Instances, predicted: Instances, pair: tuple[int, int]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    return (
        _runs(reference, reference.of_run == pair[0]),
        _runs(predicted, predicted.of_run == pair[1]),
    )


def _all_runs(instances: Instances) -> NDArray[np.int64]:
    return _runs(instances, np.ones(len(instances.of_run), bool))


def _runs(instances: Instances, chosen: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Index z, y, first x and last x of some runs, (4, n)."""
    z, y, x = (place[chosen] for place in instances.runs.places)
    return np.stack([z, y, x, x + instances.runs.lengths[chosen] - 1])


def _between(
    first: NDArray[np.int64], second: NDArray[np.int64], spacing_mm: Spacing
) -> tuple[Distances, Distances]:
    step = [float(mm) for mm in spacing_mm][::-1]
    return surface_distances(*_in_box(first, second), step)


def _in_box(
    first: NDArray[np.int64], second: NDArray[np.int64]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return two masks in the box around both, from their runs."""
    both = np.concatenate([first, second], axis=1)
    low, high = both[:3].min(axis=1), both[[0, 1, 3]].max(axis=1) + 1
    return _filled(first, low, high), _filled(second, low, high)


def _filled(
    runs: NDArray[np.int64], low: NDArray[np.int64], high: NDArray[np.int64]
) -> NDArray[np.bool_]:
    mask = np.zeros(high - low, bool)
    for z, y, begin, end in (runs - low[[0, 1, 2, 2], None]).T.tolist():
        mask[z, y, begin : end + 1] = True
    return mask
