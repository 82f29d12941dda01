"""What a transfer did to each lesion, measured afresh, and whether that is within limits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray
from scipy import ndimage

from cta_data.errors import DataRefused
from cta_data.imaging.geometry.grid import Grid
from cta_data.imaging.geometry.inverse import inverse_of
from cta_data.imaging.lesions.coverage import PointMap
from cta_data.imaging.lesions.drawn_lesions import DrawnLesion
from cta_data.imaging.lesions.label_transfer import (
    TransferredLesion,
    TransferResult,
    transfer_lesions,
)
from cta_data.imaging.lesions.mask_transfer import lesions_from_labels
from cta_data.imaging.lesions.surface_distance import largest_surface_distance_mm
from cta_data.imaging.lesions.transfer_limits import TransferLimits
from cta_data.reasons import Reason

_NEIGHBOURS = np.ones((3, 3, 3), bool)


@dataclass(frozen=True)
class TransferCheck:
    """One lesion on one grid.

    Attributes
    ----------
    volume_ratio
        Volume on the grid over delineated volume (times `volume_scale`); what was cut off by the
        field of view counts as lost. 0 for a lesion that is lost.
    volume_scale
        How much the transform itself swells the lesion; 1 for a rigid one.
    centroid_shift_mm
        Between the result and the annotation transformed exactly.
    surface_distance_mm
        Largest distance between the surfaces of the two (Hausdorff distance).
    dice_there_and_back
        Dice of the lesion on the source grid after transfer forward and back.
        None where the transform cannot be inverted.
    components_drawn, components_arrived
        26-connected parts on the source grid, and on this one.
    reasons
        What is outside the limits; empty for a lesion that passes.
    """

    lesion_id: int
    volume_ratio: float
    volume_scale: float
    centroid_shift_mm: float | None
    surface_distance_mm: float | None
    dice_there_and_back: float | None
    components_drawn: int
    components_arrived: int
    reasons: tuple[Reason, ...]


def check_transfer(
    lesions: Sequence[DrawnLesion],
    result: TransferResult,
    transform: sitk.Transform,
    drawn_on: Grid,
    limits: TransferLimits,
) -> tuple[TransferCheck, ...]:
    """Measure what became of each lesion.

    Parameters
    ----------
    lesions
        Delineated lesions.
    result
        What they became on the target grid.
    transform
        The transform that brought them there: target points to points of ``drawn_on`` (LPS, mm).
    drawn_on
        The source grid.
    """
    original = transfer_lesions(lesions, sitk.Transform(3, sitk.sitkIdentity), drawn_on).labels
    back = _carried_back(lesions, result, transform, drawn_on)
    point_map = PointMap(transform, Grid.of(result.labels))
    by_id = {lesion.id: lesion for lesion in lesions}
    voxels, there = _by_lesion(result.labels), _by_lesion(original)
    returned = _by_lesion(back) if back is not None else None
    checks = []
    for row in result.per_lesion:
        own = voxels.get(row.id)
        dice = None if returned is None else _dice(there.get(row.id), returned.get(row.id))
        measured = TransferCheck(
            lesion_id=row.id,
            volume_ratio=_ratio(row),
            volume_scale=row.volume_scale,
            centroid_shift_mm=None if own is None else row.centroid_shift_mm,
            surface_distance_mm=(
                None
                if own is None
                else largest_surface_distance_mm(by_id[row.id].stack, point_map, *own)
            ),
            dice_there_and_back=dice,
            components_drawn=_components(there.get(row.id)),
            components_arrived=_components(own),
            reasons=(),
        )
        checks.append(_judged(measured, row, limits, point_map.target))
    return tuple(checks)


def untouched(result: TransferResult) -> tuple[TransferCheck, ...]:
    """Return the checks of lesions given as voxels on their source grid."""
    voxels = _by_lesion(result.labels)
    return tuple(
        TransferCheck(row.id, 1.0, 1.0, 0.0, 0.0, 1.0, parts, parts, ())
        for row in result.per_lesion
        for parts in [_components(voxels.get(row.id))]
    )


_Box = tuple[NDArray[np.bool_], tuple[int, int, int]]


def _carried_back(
    lesions: Sequence[DrawnLesion],
    result: TransferResult,
    transform: sitk.Transform,
    drawn_on: Grid,
) -> sitk.Image | None:
    try:
        inverse = inverse_of(transform)
    except DataRefused:  # a deformation that folds: there is no way back to compare with
        return None
    names = {one.id: (one.source_roi, one.source_name, one.component) for one in lesions}
    arrived = lesions_from_labels(result.labels, names)
    return transfer_lesions(arrived, inverse, drawn_on).labels


def _by_lesion(labels: sitk.Image) -> dict[int, _Box]:
    """Return the voxels of each lesion in its box (z, y, x), and where the box starts (x, y, z)."""
    array = sitk.GetArrayViewFromImage(labels)
    return {
        number: (array[box] == number, (box[2].start, box[1].start, box[0].start))
        for number, box in enumerate(ndimage.find_objects(array), start=1)
        if box is not None
    }


def _dice(first: _Box | None, second: _Box | None) -> float:
    if first is None or second is None:
        return 0.0
    low = np.maximum(first[1], second[1])
    ends = [np.add(start, voxels.shape[::-1]) for voxels, start in (first, second)]
    high = np.minimum(*ends)
    shared = 0
    if (high > low).all():
        parts = []
        for voxels, start in (first, second):
            box = [slice(a - s, b - s) for a, b, s in zip(low, high, start, strict=True)]
            parts.append(voxels[tuple(box[::-1])])
        shared = int((parts[0] & parts[1]).sum())
    return 2 * shared / int(first[0].sum() + second[0].sum())


def _components(box: _Box | None) -> int:
    return 0 if box is None else int(ndimage.label(box[0], _NEIGHBOURS)[1])


def _ratio(row: TransferredLesion) -> float:
    # A lesion's own ratio leaves out what the field of view cut off: here that counts as lost.
    expected = row.volume_drawn_mm3 * row.volume_scale
    return row.volume_mm3 / expected if row.n_voxels and expected > 0 else 0.0


def _judged(
    check: TransferCheck, row: TransferredLesion, limits: TransferLimits, grid: Grid
) -> TransferCheck:
    if row.lost_reason:
        reasons = [Reason("lesion_lost", text=row.lost_reason)]
    else:
        reasons = list(_out_of_limits(check, row, limits, grid))
    return replace(check, reasons=tuple(reasons))


def _out_of_limits(
    check: TransferCheck, row: TransferredLesion, limits: TransferLimits, grid: Grid
) -> list[Reason]:
    diagonal = float(np.linalg.norm(grid.spacing))
    expected = row.volume_drawn_mm3 * row.volume_scale
    off_by = abs(row.volume_mm3 - expected) / grid.voxel_volume_mm3
    reasons: list[Reason] = []
    kept = limits.least_volume_ratio <= check.volume_ratio <= limits.most_volume_ratio
    # One voxel is what rounding may cost, and what a lesion below a voxel is given.
    if not kept and off_by > 1 + 1e-6:
        inside = f" ({row.fraction_inside:.0%} in the field of view)"
        where = inside if row.fraction_inside < 1 else ""
        least, most = limits.least_volume_ratio, limits.most_volume_ratio
        found = {"ratio": check.volume_ratio, "inside": where}
        reasons.append(Reason("volume_ratio_out_of_limits", **found, least=least, most=most))
    least, most = limits.least_volume_scale, limits.most_volume_scale
    if not least <= check.volume_scale <= most:
        scale = check.volume_scale
        reasons.append(Reason("volume_scale_out_of_limits", scale=scale, least=least, most=most))
    shift, distance = check.centroid_shift_mm, check.surface_distance_mm
    for code, value, diagonals in (
        ("centroid_shift_too_large", shift, limits.most_centroid_shift_diagonals),
        ("surface_distance_too_large", distance, limits.most_surface_distance_diagonals),
    ):
        if value is not None and value > diagonals * diagonal:
            reasons.append(Reason(code, distance_mm=value, limit_mm=diagonals * diagonal))
    dice = check.dice_there_and_back
    enough = min(row.n_voxels, row.volume_drawn_mm3 / grid.voxel_volume_mm3) >= limits.least_voxels
    if dice is not None and enough and dice < limits.least_dice_there_and_back:
        limit = limits.least_dice_there_and_back
        reasons.append(Reason("dice_there_and_back_too_small", dice=dice, limit=limit))
    if check.components_arrived > max(1, check.components_drawn):
        reasons.append(
            Reason(
                "lesion_split", n_drawn=check.components_drawn, n_arrived=check.components_arrived
            )
        )
    return reasons
