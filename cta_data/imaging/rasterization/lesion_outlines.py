"""Lesions of a label image as outlines on its slices."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from cta_data.errors import DataRefused
from cta_data.imaging.lesions.components import connected_parts
from cta_data.imaging.lesions.label_values import whole_numbers
from cta_data.imaging.lesions.mask_lesions import MOST_LESIONS
from cta_data.imaging.rasterization.voxel_outlines import VoxelOutline, outlines_of_slices

INSTANCES = ("auto", "components", "values")
"""What a lesion is in a mask; see `lesion_numbers`."""


@dataclass(frozen=True, eq=False)
class OutlinedLesion:
    """A lesion, or a part of one that empty slices divide from its other parts.

    Attributes
    ----------
    number
        The lesion's.
    part
        From 1; 0 where the lesion is whole.
    slices
        Outlines by slice, in voxels of the image (column, row).
    n_voxels
        Voxels inside.
    """

    number: int
    part: int
    slices: dict[int, list[VoxelOutline]]
    n_voxels: int


def lesion_numbers(mask: NDArray[np.generic], instances: str = "auto") -> NDArray[np.integer]:
    """Return the number of the lesion in every voxel of a mask.

    Parameters
    ----------
    mask
        (third, second, first axis). Lesions are found in this order of its voxels.
    instances
        `values` (each value but 0 is a lesion), `components` (26-connected parts of all that is
        not 0) or `auto`: components of a mask of one value alone.

    Raises
    ------
    DataRefused
        The mask holds fractions or negative numbers, or values that are not finite.
    """
    values = whole_numbers(mask)
    lowest, highest = (int(values.min()), int(values.max())) if values.size else (0, 0)
    if lowest < 0 or highest > MOST_LESIONS:
        value = lowest if lowest < 0 else highest
        raise DataRefused("lesion_number_impossible", value=value, most_lesions=MOST_LESIONS)
    binary = not np.any((values != 0) & (values != highest))
    if instances == "values" or (instances == "auto" and not binary):
        return values.astype(np.uint16)
    labels, count = connected_parts(values != 0)
    if count > MOST_LESIONS:
        raise DataRefused("mask_lesions_too_many", n_parts=count, most_lesions=MOST_LESIONS)
    return np.asarray(labels, np.uint16)


def outlined_lesions(labels: NDArray[np.integer]) -> list[OutlinedLesion]:
    """Return the outlines of all lesions, by number and part.

    Contours on slices 3 and 5 alone would be read as drawn on every other slice, and filled
    between. A lesion with empty slices within is therefore divided there.

    Parameters
    ----------
    labels
        (slice, row, column), lesion numbers; 0 elsewhere.
    """
    found: list[OutlinedLesion] = []
    for number, box in enumerate(ndimage.find_objects(labels.astype(np.int32)), start=1):
        if box is not None:
            found += _parts(number, labels[box] == number, [one.start for one in box])
    return found


def _parts(number: int, voxels: NDArray[np.bool_], start: list[int]) -> Iterator[OutlinedLesion]:
    filled = np.flatnonzero(voxels.any(axis=(1, 2)))
    runs = np.split(filled, np.flatnonzero(np.diff(filled) > 1) + 1)
    for part, run in enumerate(runs, start=1):
        own = voxels[run[0] : run[-1] + 1]
        slices = {
            int(k + run[0] + start[0]): [one.moved(start[2], start[1]) for one in outlines]
            for k, outlines in outlines_of_slices(own).items()
        }
        yield OutlinedLesion(number, part if len(runs) > 1 else 0, slices, int(own.sum()))
