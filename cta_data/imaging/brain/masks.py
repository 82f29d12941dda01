"""What a brain mask does to the lesions, and applying it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk
from scipy.spatial import KDTree

from cta_data.errors import DataRefused
from cta_data.imaging.geometry.surfaces import surface_voxels

MOST_BRAIN = 0.95
"""Largest share of an image that a brain can fill."""


@dataclass(frozen=True)
class CutLesion:
    """A lesion with voxels outside a brain mask; ``fraction`` is the part that is outside."""

    lesion_id: int
    n_voxels: int
    n_outside: int
    fraction: float


def lesions_cut_by_mask(labels: sitk.Image, mask: sitk.Image) -> list[CutLesion]:
    """List every lesion of ``labels`` (0 = background) with a voxel outside ``mask``, by id.

    Raises
    ------
    DataRefused
        The two do not have the same size.
    """
    _require_same_size(labels, mask)
    ids = sitk.GetArrayViewFromImage(labels)
    lesions = ids > 0
    outside = lesions & (sitk.GetArrayViewFromImage(mask) == 0)
    known, sizes = np.unique(ids[lesions], return_counts=True)
    total = dict(zip(known.tolist(), sizes.tolist(), strict=True))
    cut, counts = np.unique(ids[outside], return_counts=True)
    return [
        CutLesion(int(lesion), total[lesion], count, count / total[lesion])
        for lesion, count in zip(cut.tolist(), counts.tolist(), strict=True)
    ]


def depths_in_mask(
    mask: sitk.Image, points_ras_mm: Sequence[tuple[float, float, float]]
) -> list[float]:
    """Return how deep each point (RAS mm) lies in a brain mask, mm.

    It is the distance to the centre of the nearest voxel at the surface of the mask, and 0 for a
    point that is not in the mask.
    """
    voxels = sitk.GetArrayViewFromImage(mask) > 0
    spacing = np.array(mask.GetSpacing())
    tree = KDTree(np.argwhere(surface_voxels(voxels))[:, ::-1] * spacing) if voxels.any() else None
    depths = []
    for x, y, z in points_ras_mm:
        index = np.array(mask.TransformPhysicalPointToContinuousIndex((-x, -y, z)))
        nearest = np.rint(index).astype(int)
        held = (nearest >= 0).all() and (nearest < mask.GetSize()).all()
        is_inside = tree is not None and held and voxels[tuple(nearest[::-1])]
        depths.append(float(tree.query(index * spacing)[0]) if tree and is_inside else 0.0)
    return depths


def delivered_mask(image: sitk.Image) -> sitk.Image:
    """Return the brain (uint8) of an image that was delivered without the skull: what is not zero.

    Zero voxels that are enclosed, such as a ventricle or a dark vessel, belong to it.

    Raises
    ------
    DataRefused
        Nothing was taken away, or nothing is left.
    """
    voxels = sitk.GetArrayViewFromImage(image)
    inside = np.nan_to_num(voxels) != 0 if voxels.dtype.kind == "f" else voxels != 0
    share = float(inside.mean())
    if not 0 < share <= MOST_BRAIN:
        raise DataRefused("image_not_skull_stripped", share_percent=100 * share)
    mask = sitk.GetImageFromArray(inside.astype(np.uint8))
    mask.CopyInformation(image)
    return sitk.BinaryFillhole(mask, fullyConnected=False, foregroundValue=1)


def protect_lesions(mask: sitk.Image, labels: sitk.Image, margin_mm: float = 0.0) -> sitk.Image:
    """Return ``mask`` (uint8) with every lesion and ``margin_mm`` around it added.

    Raises
    ------
    DataRefused
        The two do not have the same size.
    ValueError
        The margin is negative.
    """
    if margin_mm < 0:
        raise ValueError(f"a margin cannot be negative, this one is {margin_mm} mm")
    _require_same_size(labels, mask)
    lesions = sitk.Cast(labels > 0, sitk.sitkUInt8)
    lesions.CopyInformation(mask)
    if margin_mm > 0 and sitk.GetArrayViewFromImage(lesions).any():
        lesions = _within(lesions, margin_mm)
    return sitk.Or(sitk.Cast(mask != 0, sitk.sitkUInt8), lesions)


def apply_mask(image: sitk.Image, mask: sitk.Image, outside_value: float = 0.0) -> sitk.Image:
    """Return ``image`` with ``outside_value`` wherever ``mask`` is 0; its pixel type is kept.

    Raises
    ------
    DataRefused
        The two do not have the same size.
    """
    _require_same_size(image, mask)
    values = sitk.GetArrayFromImage(image)
    values[sitk.GetArrayViewFromImage(mask) == 0] = outside_value
    masked = sitk.GetImageFromArray(values)
    masked.CopyInformation(image)
    return masked


def _within(lesions: sitk.Image, margin_mm: float) -> sitk.Image:
    # Distances only near the lesions: a whole volume would cost a second for a few voxels.
    statistics = sitk.LabelShapeStatisticsImageFilter()
    statistics.Execute(lesions)
    box = statistics.GetBoundingBox(1)
    reach = [math.ceil(margin_mm / step) + 1 for step in lesions.GetSpacing()]
    start = [max(0, first - r) for first, r in zip(box[:3], reach, strict=True)]
    stop = [
        min(n, first + length + r)
        for n, first, length, r in zip(lesions.GetSize(), box[:3], box[3:], reach, strict=True)
    ]
    size = [b - a for a, b in zip(start, stop, strict=True)]
    part = sitk.RegionOfInterest(lesions, size, start)
    distance = sitk.SignedMaurerDistanceMap(
        part, insideIsPositive=False, squaredDistance=False, useImageSpacing=True
    )
    near = sitk.Cast(distance <= margin_mm, sitk.sitkUInt8)
    return sitk.Paste(lesions, near, size, [0, 0, 0], start)


def _require_same_size(first: sitk.Image, second: sitk.Image) -> None:
    if first.GetSize() != second.GetSize():
        raise DataRefused(
            "image_grids_differ", first_size=str(first.GetSize()), second_size=str(second.GetSize())
        )
