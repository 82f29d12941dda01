"""Lesion ids of a mask that somebody corrected: lesions keep the ids that they had."""

from __future__ import annotations

from collections.abc import Sequence

import cc3d
import numpy as np
from numpy.typing import NDArray

from cta_data.imaging.lesions.mask_lesions import CONNECTIVITY, require_whole_numbers


def corrected_labels(
    corrected: NDArray[np.generic], before: NDArray[np.integer]
) -> NDArray[np.integer]:
    """Return the lesion ids of a corrected volume.

    A volume of several values, or of one that is a lesion's alone, holds the ids already. A binary
    mask is divided into 26-connected components; each takes the id of the lesion that it shares
    most voxels with, the largest component first, and a new lesion the next free id.

    Parameters
    ----------
    corrected, before
        (z, y, x) on one grid; `before` holds the ids of the corrected annotation.

    Raises
    ------
    DataRefused
        A value is not a whole number.
    """
    values = require_whole_numbers(corrected, "the corrected labels")
    if set(np.unique(values).tolist()) - {0, 1}:
        return values
    parts, count = cc3d.connected_components(values > 0, connectivity=CONNECTIVITY, return_N=True)
    sizes = np.bincount(parts.ravel(), minlength=count + 1)
    order = sorted(range(1, count + 1), key=lambda part: (-int(sizes[part]), part))
    ids = np.zeros(count + 1, np.int64)
    taken: set[int] = set()
    highest = int(before.max(initial=0))
    for part in order:
        own = _most_shared(before[parts == part], taken)
        if own == 0:
            highest += 1
            own = highest
        taken.add(own)
        ids[part] = own
    return ids[parts].astype(np.min_scalar_type(int(ids.max(initial=0))))


def _most_shared(values: NDArray[np.integer], taken: set[int]) -> int:
    """Return the id that is most often among values and was not taken; 0 where there is none."""
    found, counts = np.unique(values[values > 0], return_counts=True)
    free: Sequence[tuple[int, int]] = [
        (-count, lesion)
        for lesion, count in zip(found.tolist(), counts.tolist(), strict=True)
        if lesion not in taken
    ]
    return min(free)[1] if free else 0
