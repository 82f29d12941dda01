"""Lesion ids of labels that came back from an editor: what a lesion was, it stays."""

from __future__ import annotations

from collections.abc import Collection

import cc3d
import numpy as np
from numpy.typing import NDArray

from cta_data.errors import DataRefused
from cta_data.imaging.lesions.components import CONNECTIVITY
from cta_data.imaging.lesions.corrected_labels import most_shared
from cta_data.imaging.lesions.mask_lesions import MOST_LESIONS, require_whole_numbers


def edited_labels(
    edited: NDArray[np.generic], before: NDArray[np.integer], used: Collection[int] = ()
) -> NDArray[np.integer]:
    """Return the lesion ids of edited labels, on the rule that a lesion is one connected instance.

    - What touches the earlier voxels of its own value stays that lesion, in however many parts.
    - A part that touches none of them is a lesion of its own: it gets the id of the earlier lesion
      that it shares most voxels with if that is not in the labels any more (its value was changed),
      else its own value if no earlier lesion has or had it, else the next free id.

    Parameters
    ----------
    edited, before
        (z, y, x) on one grid; `before` are the labels that were given to the editor.
    used
        Ids of lesions that `before` does not show: without a voxel on this grid, or deleted in an
        earlier version. No new lesion gets one of them.

    Raises
    ------
    DataRefused
        A value is not a whole number, is negative, or is too large for an id.
    """
    ids = require_whole_numbers(edited, "the edited labels").astype(np.int64)
    lowest, highest = int(ids.min(initial=0)), int(ids.max(initial=0))
    if lowest < 0 or highest > MOST_LESIONS:
        raise DataRefused("correction_ids_invalid", lowest=lowest, highest=highest)
    known = {*np.unique(before[before > 0]).tolist(), *used}
    parts, n_parts = cc3d.connected_components(ids, connectivity=CONNECTIVITY, return_N=True)
    boxes = cc3d.statistics(parts)["bounding_boxes"]
    own: dict[int, int] = {}
    strangers: list[int] = []
    for part in range(1, n_parts + 1):
        inside = parts[boxes[part]] == part
        value = int(ids[boxes[part]][inside][0])
        if value in known and (before[boxes[part]][inside] == value).any():
            own[part] = value
        else:
            strangers.append(part)
    taken = set(own.values())
    for part in strangers:
        inside = parts[boxes[part]] == part
        value = int(ids[boxes[part]][inside][0])
        earlier = most_shared(before[boxes[part]][inside])
        if earlier and earlier not in taken:
            own[part] = earlier
        elif value not in known and value not in taken:
            own[part] = value
        else:
            own[part] = max([*taken, *known]) + 1
        taken.add(own[part])
    lookup = np.zeros(n_parts + 1, np.int64)
    for part, number in own.items():
        lookup[part] = number
    return lookup[parts].astype(np.min_scalar_type(int(lookup.max(initial=0))))
