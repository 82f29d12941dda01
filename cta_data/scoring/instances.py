"""Instances of a mask: its connected components, with or without dilation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cta_data.scoring.conventions import Convention
from cta_data.scoring.runs import (
    Positions,
    Runs,
    component_of_runs,
    in_order_of_appearance,
    joined_by_dilation,
    nonzero_voxels,
    overlapping,
    runs_of,
)


@dataclass(frozen=True, eq=False)
class Instances:
    """The instances of one mask, numbered from 0 in raster order of their first voxels.

    ``of_run`` is the instance of each run; ``voxels`` their sizes; ``centroids`` are indices
    (x, y, z), fractional.
    """

    runs: Runs
    of_run: Positions
    voxels: Positions
    centroids: NDArray[np.float64]

    @property
    def count(self) -> int:
        """Number of instances."""
        return len(self.voxels)


def find_instances(mask: NDArray[np.generic], convention: Convention) -> Instances:
    """Find the instances of a mask.

    Parameters
    ----------
    mask
        (z, y, x); every value but 0 is lesion. Contiguous arrays are not copied.
    """
    if mask.ndim != 3:
        raise ValueError(f"a mask has three axes, not {mask.ndim}")
    flat = np.ascontiguousarray(mask).reshape(-1)
    z, y, x = mask.shape
    index, _ = nonzero_voxels(flat)
    return instances_of_voxels(index, (z, y, x), convention)


def instances_of_voxels(
    index: Positions, shape: tuple[int, int, int], convention: Convention
) -> Instances:
    """Find the instances of the voxels with these flat indices (x fastest), ascending."""
    return instances_of_runs(*_components(index, shape, convention))


def instances_by_value(
    index: Positions,
    values: NDArray[np.generic],
    shape: tuple[int, int, int],
    convention: Convention,
) -> Instances:
    """Find the instances where only voxels of one value belong together.

    Parameters
    ----------
    values
        Of every voxel of ``index``: lesions of different values stay apart though they touch.
    """
    kinds = np.unique(values).tolist()
    if not kinds:
        return instances_of_voxels(index, shape, convention)
    parts = [_components(index[values == kind], shape, convention) for kind in kinds]
    before = np.cumsum([0, *(int(of_run.max()) + 1 for _, of_run in parts[:-1])])
    first = np.concatenate([runs.first for runs, _ in parts])
    last = np.concatenate([runs.last for runs, _ in parts])
    numbers = np.concatenate([of_run + n for (_, of_run), n in zip(parts, before, strict=True)])
    order = np.argsort(first)
    joined = Runs(shape, parts[0][0].pad, first[order], last[order])
    return instances_of_runs(joined, in_order_of_appearance(numbers[order]))


def _components(
    index: Positions, shape: tuple[int, int, int], convention: Convention
) -> tuple[Runs, Positions]:
    """The runs of voxels, and the component of each."""
    radius = convention.dilate_voxels
    runs = runs_of(index, shape, 2 * radius + 1)
    if not radius:
        return runs, component_of_runs(runs, convention.connectivity)
    # Voxels that touch by a corner are one after any dilation: only components are to be joined.
    parts = component_of_runs(runs, 26)
    return runs, joined_by_dilation(runs, parts, convention.connectivity, radius)


def instances_of_runs(runs: Runs, of_run: Positions) -> Instances:
    """Return the instances that runs are made of; ``of_run`` is numbered by first appearance."""
    count = int(of_run.max()) + 1 if len(of_run) else 0
    lengths = runs.lengths
    voxels = np.bincount(of_run, lengths, count).astype(np.int64)
    z, y, x = runs.places
    means = [
        np.bincount(of_run, lengths * place, count) / np.maximum(voxels, 1)
        for place in (x + (lengths - 1) / 2, y, z)
    ]
    return Instances(runs, of_run, voxels, np.stack(means, axis=1))


class Overlaps(NamedTuple):
    """Pairs of instances that share voxels, and how many they share."""

    reference: Positions
    predicted: Positions
    voxels: Positions


def intersections(reference: Instances, predicted: Instances) -> Overlaps:
    """Return the pairs of instances that share voxels."""
    a, b = overlapping(reference.runs, predicted.runs)
    first = np.maximum(reference.runs.first[a], predicted.runs.first[b])
    last = np.minimum(reference.runs.last[a], predicted.runs.last[b])
    key = reference.of_run[a] * max(predicted.count, 1) + predicted.of_run[b]
    pairs, place = np.unique(key, return_inverse=True)
    shared = np.bincount(place, last - first + 1, len(pairs)).astype(np.int64)
    return Overlaps(*np.divmod(pairs, max(predicted.count, 1)), shared)
