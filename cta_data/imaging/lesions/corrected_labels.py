"""Lesion ids of a mask that somebody corrected: lesions keep the ids that they had."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray

from cta_data.errors import DataRefused
from cta_data.imaging.lesions.components import connected_parts
from cta_data.imaging.lesions.mask_lesions import MOST_LESIONS, require_whole_numbers


def corrected_labels(
    corrected: NDArray[np.generic], before: NDArray[np.integer], used: Collection[int] = ()
) -> NDArray[np.integer]:
    """Return the lesion ids of a corrected volume.

    A volume of several values holds the ids already. A binary mask (one value, whichever) is
    divided into 26-connected components: each is the lesion that it shares most voxels with, and
    one that shares none a new lesion, with the next free id. So a lesion in two parts stays one.

    Parameters
    ----------
    corrected, before
        (z, y, x) on one grid; `before` holds the ids of the corrected annotation.
    used
        Ids of lesions that `before` does not show; no new lesion gets one of them.

    Raises
    ------
    DataRefused
        A value is not a whole number, is negative, or is too large for an id.
    """
    values = require_whole_numbers(corrected, "the corrected labels")
    lowest, highest = int(values.min(initial=0)), int(values.max(initial=0))
    present = np.unique(values[values > 0])
    if lowest < 0 or (highest > MOST_LESIONS and len(present) > 1):
        raise DataRefused("correction_ids_invalid", lowest=lowest, highest=highest)
    if len(present) > 1:
        return values
    parts, count = connected_parts(values > 0)
    ids = np.zeros(count + 1, np.int64)
    new = max([int(before.max(initial=0)), *used])
    for part in range(1, count + 1):
        ids[part] = most_shared(before[parts == part])
        if ids[part] == 0:
            new += 1
            ids[part] = new
    return ids[parts].astype(np.min_scalar_type(int(ids.max(initial=0))))


def most_shared(values: NDArray[np.integer]) -> int:
    """Return the id that is most often among values, the lowest of equals; 0 without any."""
    found, counts = np.unique(values[values > 0], return_counts=True)
    return int(found[counts.argmax()]) if found.size else 0


def share_changed(before: NDArray[np.integer], after: NDArray[np.integer]) -> float:
    """Return how much of an annotation a correction changed: 0 for nothing, 1 for all of it.

    Parameters
    ----------
    before, after
        Lesion ids (z, y, x) on one grid.
    """
    differs = before != after
    differing = np.count_nonzero(before[differs]) + np.count_nonzero(after[differs])
    total = np.count_nonzero(before) + np.count_nonzero(after)
    return differing / total if total else 0.0
