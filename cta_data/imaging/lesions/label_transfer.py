"""Bring lesions to another grid, each as itself: none lost, none moved, none swollen.

A lesion is sampled in physical space with sub-voxel coverage of every target voxel. It then gets
the k voxels that it covers most, where k is its delineated volume (scaled by the transform) in
voxels, so its volume is kept whatever the grid. Where two lesions want one voxel, the larger
coverage has it and the other takes its next best.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray
from scipy import ndimage

from cta_data.errors import DataRefused
from cta_data.imaging.geometry.grid import Grid
from cta_data.imaging.lesions.coverage import Coverage, PointMap, coverage_of
from cta_data.imaging.lesions.drawn_lesions import DrawnLesion
from cta_data.imaging.lesions.voxel_allocation import Claim, allocate

_LEAST_INSIDE = 0.1
_WHOLLY_INSIDE = 0.99
_MOST_LESIONS = 65_535


@dataclass(frozen=True)
class TransferredLesion:
    """What became of one lesion.

    Volumes are mm³. ``volume_drawn_mm3`` is as annotated; ``volume_ratio`` compares the result
    with it, scaled by the transform and by ``fraction_inside`` (of the target's field of view).
    ``centroid_shift_mm`` is between the result and the annotation transformed exactly.
    ``flags``: ``below_one_voxel``, ``partly_outside``, ``several_components``,
    ``overlaps_lesion_<id>``, ``volume_not_reached``. A lost lesion has no voxel and a reason.
    """

    id: int
    source_roi: int
    source_name: str
    volume_drawn_mm3: float
    volume_mm3: float
    n_voxels: int
    volume_ratio: float
    volume_scale: float
    centroid_shift_mm: float
    fraction_inside: float
    flags: tuple[str, ...]
    lost_reason: str | None


@dataclass(frozen=True, eq=False)
class TransferResult:
    """Instance labels (uint16, value = lesion id, 0 elsewhere) and one row per lesion."""

    labels: sitk.Image
    per_lesion: tuple[TransferredLesion, ...]


@dataclass(frozen=True, eq=False)
class _Arrival:
    """A lesion seen from the target grid, before voxels are given out."""

    lesion: DrawnLesion
    coverage: Coverage | None
    fraction_inside: float
    volume_scale: float
    centre: NDArray[np.float64]  # where the centroid should be, LPS, mm
    claim: Claim | None
    flags: tuple[str, ...]


def transfer_lesions(
    lesions: Sequence[DrawnLesion], transform: sitk.Transform, target: sitk.Image | Grid
) -> TransferResult:
    """Bring lesions to the grid of ``target``.

    Parameters
    ----------
    transform
        ITK's resampling direction: points of the target to points of the image that the lesions
        were delineated on (LPS, mm). Any kind: linear, deformation field, composite.
    target
        3-D image, or its geometry, which is all that is used.

    Raises
    ------
    DataRefused
        If a linear transform mirrors space, or there are more lesions than labels.
    """
    if max((lesion.id for lesion in lesions), default=0) > _MOST_LESIONS:
        raise DataRefused("lesions_too_many", n_lesions=len(lesions), most_lesions=_MOST_LESIONS)
    given_grid = target if isinstance(target, Grid) else Grid.of(target)
    # Of voxels that a lesion covers alike, the order decides: never that of the file.
    order = given_grid.towards_ras()
    grid = given_grid.arranged(order)
    point_map = PointMap(transform, grid)
    ordered = sorted(lesions, key=lambda lesion: lesion.id)
    arrivals = [_arrive(lesion, point_map) for lesion in ordered]
    given = allocate([a.claim for a in arrivals if a.claim is not None], grid.size)
    voxels = np.zeros(grid.size[::-1], np.uint16)
    flat = voxels.reshape(-1)
    for number, indices in given.voxels.items():
        flat[indices] = number
    rows = [
        _row(
            arrival,
            given.voxels.get(arrival.lesion.id, np.empty(0, np.int64)),
            given.flags.get(arrival.lesion.id, ()),
            grid,
        )
        for arrival in arrivals
    ]
    labels, _ = order.undo(voxels, (0, 0, 0), given_grid.size)
    return TransferResult(given_grid.image(labels), tuple(rows))


def as_drawn(
    lesions: Sequence[DrawnLesion], labels: sitk.Image, flags: Mapping[int, tuple[str, ...]]
) -> TransferResult:
    """Lesions given as voxels, on their source grid: unchanged.

    Parameters
    ----------
    labels
        Lesion ids on that grid.
    flags
        What is known of lesions already, by id.
    """
    counts = np.bincount(sitk.GetArrayViewFromImage(labels).ravel())
    rows = [
        TransferredLesion(
            id=lesion.id,
            source_roi=lesion.source_roi,
            source_name=lesion.source_name,
            volume_drawn_mm3=lesion.volume_mm3,
            volume_mm3=lesion.volume_mm3,
            n_voxels=int(counts[lesion.id]),
            volume_ratio=1.0,
            volume_scale=1.0,
            centroid_shift_mm=0.0,
            fraction_inside=1.0,
            flags=flags.get(lesion.id, ()),
            lost_reason=None,
        )
        for lesion in lesions
    ]
    return TransferResult(sitk.Cast(labels, sitk.sitkUInt16), tuple(rows))


def _arrive(lesion: DrawnLesion, point_map: PointMap) -> _Arrival:
    grid = point_map.target
    whole = lesion.voxels is not None and point_map.meets_voxels(lesion.voxels)
    stack = lesion.voxels if whole and lesion.voxels is not None else lesion.stack
    coverage = coverage_of(stack, point_map)
    if coverage is None or not coverage.values.any():
        nowhere = np.full(3, np.nan)
        return _Arrival(lesion, None, 0.0, np.nan, nowhere, None, ())
    inside, start = _inside_image(coverage, grid.size)
    covered = float(coverage.values.sum())
    fraction = float(inside.sum()) / covered
    scale = _volume_scale(lesion, covered, point_map)
    exact = point_map.to_target(lesion.centroid_lps_mm)
    if exact is None or fraction < _WHOLLY_INSIDE:
        values, at = (inside, start) if inside.any() else (coverage.values, coverage.start)
        exact = _weighted_centre(values, at, grid)
    if fraction < _LEAST_INSIDE:
        return _Arrival(lesion, coverage, fraction, scale, exact, None, ())
    volume = lesion.volume_mm3 * scale * (fraction if fraction < _WHOLLY_INSIDE else 1.0)
    share = volume / grid.voxel_volume_mm3
    flags: tuple[str, ...] = ("partly_outside",) if fraction < _WHOLLY_INSIDE else ()
    flags += ("below_one_voxel",) if share < 1 - 1e-6 else ()
    claim = _claim(lesion.id, inside, start, exact, grid, max(1, int(np.floor(share + 0.5))))
    return _Arrival(lesion, coverage, fraction, scale, exact, claim, flags)


def _volume_scale(lesion: DrawnLesion, covered_voxels: float, point_map: PointMap) -> float:
    """Volume in the target per delineated volume: exact for linear maps, else as sampled."""
    if point_map.linear is not None:
        return 1 / float(np.linalg.det(point_map.linear[0]))
    return covered_voxels * point_map.target.voxel_volume_mm3 / lesion.stack.volume_mm3


def _inside_image(
    coverage: Coverage, size: tuple[int, int, int]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """The part of a coverage box inside the image, and its first voxel (x, y, z)."""
    extent = np.array(coverage.values.shape[::-1])
    low = np.clip(coverage.start, 0, size)
    end = np.maximum(np.clip(coverage.start + extent, 0, size), low)
    box = tuple(
        slice(a, b) for a, b in zip(low - coverage.start, end - coverage.start, strict=True)
    )
    return coverage.values[box[::-1]], low


def _weighted_centre(
    values: NDArray[np.float64], start: NDArray[np.int64], grid: Grid
) -> NDArray[np.float64]:
    centre = np.array(ndimage.center_of_mass(values))[::-1] + start
    return grid.to_point(centre[None])[0]


def _claim(
    number: int,
    inside: NDArray[np.float64],
    start: NDArray[np.int64],
    centre: NDArray[np.float64],
    grid: Grid,
    quota: int,
) -> Claim:
    """The voxels that a lesion covers, best first: by coverage, then nearness to its centre."""
    z, y, x = np.nonzero(inside)
    index = np.stack([x, y, z], axis=1) + start
    distance = np.linalg.norm(grid.to_point(index.astype(np.float64)) - centre, axis=1)
    covered = inside[z, y, x]
    flat = index[:, 0] + grid.size[0] * (index[:, 1] + grid.size[1] * index[:, 2])
    order = np.lexsort((flat, np.round(distance, 3), -np.round(covered, 9)))
    return Claim(number, flat[order], covered[order], quota)


def _row(
    arrival: _Arrival, voxels: NDArray[np.int64], extra: tuple[str, ...], grid: Grid
) -> TransferredLesion:
    lesion = arrival.lesion
    volume = len(voxels) * grid.voxel_volume_mm3
    fraction = arrival.fraction_inside
    expected = lesion.volume_mm3 * arrival.volume_scale
    expected *= fraction if fraction < _WHOLLY_INSIDE else 1.0
    lost = None
    shift = ratio = float("nan")
    if len(voxels) == 0:
        lost = f"outside the target's field of view (fraction inside {fraction:.2f})"
        if arrival.claim is not None:
            lost = "every voxel that it covers belongs to another lesion that covers it more"
    else:
        x, rest = voxels % grid.size[0], voxels // grid.size[0]
        index = np.stack([x, rest % grid.size[1], rest // grid.size[1]], axis=1)
        mean = grid.to_point(index.mean(axis=0)[None])[0]
        shift = float(np.linalg.norm(mean - arrival.centre))
        ratio = volume / expected
    return TransferredLesion(
        id=lesion.id,
        source_roi=lesion.source_roi,
        source_name=lesion.source_name,
        volume_drawn_mm3=lesion.volume_mm3,
        volume_mm3=volume,
        n_voxels=len(voxels),
        volume_ratio=ratio,
        volume_scale=arrival.volume_scale,
        centroid_shift_mm=shift,
        fraction_inside=fraction,
        flags=arrival.flags + extra,
        lost_reason=lost,
    )
