"""Lesions of a label volume: one instance per id, whatever its connectivity."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cta_data.imaging.lesions.label_values import whole_numbers
from cta_data.scoring.instances import Instances, instances_of_runs
from cta_data.scoring.runs import Positions, Runs, in_order_of_appearance, nonzero_voxels, runs_of


@dataclass(frozen=True, eq=False)
class LabelledLesions:
    """The lesions of a label volume.

    ``instances`` are numbered from 0 in raster order of their first voxels, so that the numbers
    depend on positions alone; ``ids`` are their values in the volume.
    """

    ids: Positions
    instances: Instances


def labelled_lesions(labels: NDArray[np.generic]) -> LabelledLesions:
    """Find the lesions of a label volume.

    Unlike `instances_by_value`, voxels of one value are one lesion even if they do not touch.

    Parameters
    ----------
    labels
        (z, y, x); 0 is background, every other whole number the id of a lesion.

    Raises
    ------
    DataRefused
        A value is not finite or not a whole number.
    ValueError
        The array does not have three axes, or holds negative values.
    """
    if labels.ndim != 3:
        raise ValueError(f"a label volume has three axes, not {labels.ndim}")
    z, y, x = labels.shape
    flat = np.ascontiguousarray(whole_numbers(labels)).reshape(-1)
    index, values = nonzero_voxels(flat)
    if len(values) and values.min() < 0:
        raise ValueError(f"lesion ids are positive: {values.min()}")
    order = np.argsort(values, kind="stable")
    kinds, begin = np.unique(values[order], return_index=True)
    # Runs are found per lesion: where two lesions touch along x, a run would join them.
    parts = [runs_of(part, (z, y, x)) for part in np.split(index[order], begin[1:])]
    first = np.concatenate([part.first for part in parts])
    last = np.concatenate([part.last for part in parts])
    number = np.repeat(np.arange(len(parts)), [len(part.first) for part in parts])
    ascending = np.argsort(first)
    joined = Runs((z, y, x), 1, first[ascending], last[ascending])
    number = number[ascending]
    appearance = np.sort(np.unique(number, return_index=True)[1])
    ids = kinds[number[appearance]].astype(np.int64)
    return LabelledLesions(ids, instances_of_runs(joined, in_order_of_appearance(number)))
