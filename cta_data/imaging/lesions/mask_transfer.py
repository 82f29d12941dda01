"""Bring a mask from one technique to another, by the way that contours go: lesion by lesion."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray
from scipy import ndimage

from cta_data.errors import DataRefused
from cta_data.imaging.geometry.grid import Grid, Placed, describe_grid_difference, same_grid
from cta_data.imaging.lesions.drawn_lesions import DrawnLesion
from cta_data.imaging.lesions.label_transfer import TransferredLesion, transfer_lesions
from cta_data.imaging.lesions.mask_lesions import require_whole_numbers
from cta_data.imaging.lesions.voxel_stack import shape_of_voxels, stack_of_voxels

LesionName = tuple[int, str, int]
"""Number and name of the ROI of a lesion, and its component within the ROI."""
_NEIGHBOURS = np.ones((3, 3, 3), bool)


@dataclass(frozen=True, eq=False)
class MaskTransfer:
    """A transferred mask, with the values and the pixel type of the one that was given.

    ``per_lesion`` has a row for every 26-connected component of every value; ``source_roi`` is
    the value.
    """

    mask: sitk.Image
    per_lesion: tuple[TransferredLesion, ...]


def transfer_mask(
    mask: sitk.Image, moving: sitk.Image, fixed: sitk.Image, transform: sitk.Transform
) -> MaskTransfer:
    """Bring ``mask``, delineated on ``moving``, to the grid of ``fixed``.

    Parameters
    ----------
    mask
        Labels on the grid of ``moving``; every value but 0 is kept.
    transform
        ITK's resampling direction: points of ``fixed`` to points of ``moving`` (LPS, mm).

    Raises
    ------
    DataRefused
        If the mask holds fractions, or does not lie on the grid of ``moving``.
    """
    lesions = lesions_drawn_on(mask, moving)
    result = transfer_lesions(lesions, transform, fixed)
    values = np.zeros(max((lesion.id for lesion in lesions), default=0) + 1, np.float64)
    for lesion in lesions:
        values[lesion.id] = lesion.source_roi
    carried = values[sitk.GetArrayViewFromImage(result.labels)]
    image = sitk.Cast(sitk.GetImageFromArray(carried), mask.GetPixelID())
    image.CopyInformation(fixed)
    return MaskTransfer(image, result.per_lesion)


def lesions_drawn_on(mask: sitk.Image, moving: Placed) -> tuple[DrawnLesion, ...]:
    """The lesions of a mask that has to lie on the grid of an image; see `lesions_from_mask`.

    Raises
    ------
    DataRefused
        If it does not, or is no mask.
    """
    if not same_grid(mask, moving):
        raise DataRefused("mask_off_moving_grid", difference=describe_grid_difference(mask, moving))
    return lesions_from_mask(mask)


def lesions_from_mask(mask: sitk.Image) -> tuple[DrawnLesion, ...]:
    """The 26-connected components of every value of a mask, as lesions.

    Ids are 1 to n by value, and within a value from inferior upwards.

    Raises
    ------
    DataRefused
        If the mask is not scalar, or holds fractions or values that are not finite.
    """
    voxels, grid = _towards_ras(require_whole_numbers(sitk.GetArrayViewFromImage(mask)), mask)
    lesions: list[DrawnLesion] = []
    for value in np.unique(voxels[voxels != 0]).tolist():
        labels, _ = ndimage.label(voxels == value, _NEIGHBOURS)
        # Labels are given in raster order, so the first component is the one with the lowest z.
        for component, box in enumerate(ndimage.find_objects(labels), start=1):
            name = (int(value), f"label {int(value)}", component)
            part = labels[box] == component
            lesions.append(_lesion(len(lesions) + 1, name, part, box, grid))
    return tuple(lesions)


def lesions_from_labels(labels: sitk.Image, names: Mapping[int, LesionName]) -> list[DrawnLesion]:
    """The lesions of an image of lesion ids, each whole whatever its parts.

    Parameters
    ----------
    labels
        Lesion ids; 0 elsewhere.
    names
        Of every id: number and name of its ROI, and its component. An
        id without a voxel gives no lesion.
    """
    voxels, grid = _towards_ras(sitk.GetArrayViewFromImage(labels), labels)
    lesions: list[DrawnLesion] = []
    for value, box in enumerate(ndimage.find_objects(voxels), start=1):
        if box is None:
            continue
        lesions.append(_lesion(value, names[value], voxels[box] == value, box, grid))
    return lesions


def _towards_ras(
    voxels: NDArray[np.integer], image: sitk.Image
) -> tuple[NDArray[np.integer], Grid]:
    """The voxels (z, y, x) of an image, and its grid, in one order whatever that of the file."""
    grid = Grid.of(image)
    order = grid.towards_ras()
    return order.apply(voxels), grid.arranged(order)


def _lesion(
    number: int,
    name: LesionName,
    voxels: NDArray[np.bool_],
    box: tuple[slice, slice, slice],
    grid: Grid,
) -> DrawnLesion:
    """A lesion of voxels, (z, y, x), that lie in a box of a grid."""
    start = (box[2].start, box[1].start, box[0].start)
    own = stack_of_voxels(voxels, start, grid)
    shape = shape_of_voxels(voxels, start, grid)
    return DrawnLesion(number, *name, shape, own.volume_mm3, own.centroid_lps_mm, own)
