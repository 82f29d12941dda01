"""Contours to masks on an image's own grid.

The rules, in voxels of the image:

* A voxel is inside when its centre is, by the even-odd rule over all contours of its slice.
* A slice takes the contour plane nearest to it within half a slice.
* Between two neighbouring planes that are at most 1.5 regular spacings apart (the larger of the
  ROI's own plane spacing and the slice spacing), slices without a plane of their own are
  interpolated by signed distance (Herman et al. 1992, shape-based interpolation). Wider gaps
  stay empty and are noted.
* Where planes are regularly coarser than slices, the outermost plane also fills the slices
  within half a plane spacing beyond it, so that volume stays area times plane spacing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray
from scipy import ndimage

from cta_data.errors import ConfigurationError, DataRefused
from cta_data.imaging.contour_planes import (
    GAP_FACTOR,
    Plane,
    area_vector,
    distinct_contours,
    group_into_planes,
    regular_spacing,
    require_flat,
)
from cta_data.imaging.contour_reference import ReferenceMatch, match_planes, match_reference
from cta_data.imaging.contours import ImageIdentity, Roi, StructureSet
from cta_data.imaging.grid import Arrangement, Grid
from cta_data.imaging.polygon_fill import even_odd_area, fill_even_odd

# Contours may leave their slice by this share of the slice spacing.
_FLATNESS_SHARE = 0.1
_FINER = 3  # odd, so that every pixel centre is the centre of a finer one
_LARGEST_FILL = 20_000  # pixels along one side; more is a coordinate that cannot be meant


@dataclass(frozen=True, eq=False)
class RasterizedRoi:
    """The mask of one ROI, kept as the box that it fills.

    ``region`` is bool (z, y, x) and starts at voxel ``start`` (x, y, z) of the image.
    ``status`` is ``ok``, ``no_contours``, ``outside`` (nothing inside the image) or
    ``no_voxel`` (drawn, but no voxel centre is inside). Volumes are mm³; ``volume_drawn_mm3``
    is contour area times plane spacing.
    """

    number: int
    name: str
    interpreted_type: str | None
    status: str
    region: NDArray[np.bool_]
    start: tuple[int, int, int]
    n_voxels: int
    volume_mm3: float
    volume_drawn_mm3: float
    fraction_inside: float
    reference: ReferenceMatch
    notes: tuple[str, ...]

    def mask(self, image: sitk.Image) -> sitk.Image:
        """The mask on the whole grid of ``image``: uint8, 1 inside."""
        size = image.GetSize()
        voxels = np.zeros(size[::-1], np.uint8)
        low = self.start[::-1]
        box = tuple(slice(a, a + n) for a, n in zip(low, self.region.shape, strict=True))
        voxels[box] = self.region
        mask = sitk.GetImageFromArray(voxels)
        mask.CopyInformation(image)
        return mask


def rasterize_structure_set(
    structure_set: StructureSet,
    image: sitk.Image,
    image_uids: ImageIdentity | None,
    roi_pattern: str = ".*",
    *,
    check_reference: bool = True,
) -> list[RasterizedRoi]:
    """Rasterise every ROI whose name contains ``roi_pattern`` on the grid of ``image``.

    Parameters
    ----------
    image_uids
        The image's UIDs, or None for an image without any (NIfTI): the planes are checked then.
    roi_pattern
        Regular expression, searched in the name, case-insensitive.
    check_reference
        False trusts the caller that the contours belong to this frame of reference.

    Raises
    ------
    DataRefused
        If no ROI matches, the structure set belongs to another image, or contours are not
        parallel to the slices.
    ConfigurationError
        If the pattern is not a regular expression.
    """
    try:
        pattern = re.compile(roi_pattern, re.IGNORECASE)
    except re.error as error:
        raise ConfigurationError(
            f"not a regular expression: {roi_pattern!r}", why=str(error)
        ) from error
    rois = [roi for roi in structure_set.rois if pattern.search(roi.name)]
    if not rois:
        names = ", ".join(repr(roi.name) for roi in structure_set.rois) or "none"
        raise DataRefused(
            f"no ROI matches {roi_pattern!r}",
            where=structure_set.label or "structure set",
            why=f"its ROIs are: {names}",
            next_step="Change the pattern",
        )
    reference = ReferenceMatch("unchecked")
    if check_reference and image_uids is not None:
        reference = match_reference(structure_set, rois, image_uids)
    elif check_reference:
        reference = _match_by_position(rois, Grid.of(image))
    return [rasterize_roi(roi, image, reference) for roi in rois]


def _match_by_position(rois: Sequence[Roi], grid: Grid) -> ReferenceMatch:
    """Compare the planes of all ROIs with the slices that they are parallel to."""
    working = grid.arranged(_arrangement(rois, grid))
    heights = [
        float(working.to_index(contour.points_lps_mm)[:, 2].mean())
        for roi in rois
        for contour in roi.closed_contours
    ]
    return match_planes(heights, working.size[2])


def _arrangement(rois: Sequence[Roi], grid: Grid) -> Arrangement:
    """Slices as the contours lie, axes towards +LPS: a mask never depends on the voxel order."""
    areas = [area_vector(contour) for roi in rois for contour in roi.closed_contours]
    turned = [area * np.sign(area[np.argmax(np.abs(area))]) for area in areas]
    return grid.facing(np.sum(turned, axis=0) if turned else grid.slice_normal)


def rasterize_roi(
    roi: Roi, image: sitk.Image, reference: ReferenceMatch | None = None
) -> RasterizedRoi:
    """Rasterise one ROI on the grid of ``image``; its references are not looked at.

    Raises
    ------
    DataRefused
        If a contour is not parallel to the slices (with the angle), or has impossible extents.
    """
    whole = Grid.of(image)
    arrangement = _arrangement([roi], whole)
    grid = whole.arranged(arrangement)
    planes, notes = _planes_in_image(roi, grid)
    reference = reference or ReferenceMatch("unchecked")
    if not planes:
        empty = np.zeros((0, 0, 0), bool)
        return RasterizedRoi(
            roi.number, roi.name, roi.interpreted_type, "no_contours", empty, (0, 0, 0),
            0, 0.0, 0.0, 0.0, reference, (*notes, "it has no closed contour"),
        )  # fmt: skip
    spacing = regular_spacing([plane.position for plane in planes], 1.0)
    corner, shape = _box(planes, roi)
    layers, gaps = _layers(planes, spacing, corner, shape)
    voxels, start, total = _crop(layers, corner, shape, grid.size)
    voxels, start = arrangement.undo(voxels, start, whole.size)
    inside = int(voxels.sum())
    area = sum(even_odd_area(plane.polygons) for plane in planes)
    status = "ok" if inside else "outside" if total or _is_outside(planes, grid) else "no_voxel"
    return RasterizedRoi(
        roi.number, roi.name, roi.interpreted_type, status, voxels, start,
        inside, inside * grid.voxel_volume_mm3, area * spacing * grid.voxel_volume_mm3,
        inside / total if total else 0.0, reference, (*notes, *gaps),
    )  # fmt: skip


def _planes_in_image(roi: Roi, grid: Grid) -> tuple[tuple[Plane, ...], tuple[str, ...]]:
    """The ROI's planes in voxels of the image, and what was noted."""
    require_flat(roi, grid.slice_normal, _FLATNESS_SHARE * grid.spacing[2])
    contours, notes = distinct_contours(roi)
    indices = [grid.to_index(contour.points_lps_mm) for contour in contours]
    # The fourth decimal of a slice is beyond what a file keeps; a plane half way stays half way.
    polygons = [(round(float(index[:, 2].mean()), 4), index[:, :2]) for index in indices]
    return group_into_planes(polygons, 1.0), notes


def _box(planes: Sequence[Plane], roi: Roi) -> tuple[NDArray[np.int64], tuple[int, int]]:
    """First column and row of the box around all polygons, and its shape (rows, columns)."""
    vertices = np.concatenate([polygon for plane in planes for polygon in plane.polygons])
    low = np.floor(vertices.min(axis=0)).astype(np.int64)
    extent = np.ceil(vertices.max(axis=0)).astype(np.int64) - low + 1
    if extent.max() > _LARGEST_FILL:
        raise DataRefused(
            "a contour is impossibly large",
            where=f"ROI {roi.number} {roi.name!r}",
            why=f"{extent.max()} pixels of the image across",
            next_step="Have the ROI drawn again, or leave it out",
        )
    return low, (int(extent[1]), int(extent[0]))


def _layers(
    planes: Sequence[Plane], spacing: float, corner: NDArray[np.int64], shape: tuple[int, int]
) -> tuple[dict[int, NDArray[np.bool_]], tuple[str, ...]]:
    """Filled box of every slice that the ROI reaches, inside the image or not."""
    filled = [fill_even_odd([p - corner for p in plane.polygons], shape) for plane in planes]
    layers: dict[int, NDArray[np.bool_]] = {}
    nearest: dict[int, float] = {}
    for plane, area in zip(planes, filled, strict=True):
        index = int(np.floor(plane.position + 0.5))
        distance = abs(plane.position - index)
        if index not in layers or distance < nearest[index]:
            layers[index], nearest[index] = area, distance
    widest = GAP_FACTOR * max(spacing, 1.0)
    notes: list[str] = []
    for below, above in zip(range(len(planes)), range(1, len(planes)), strict=False):
        first, last = planes[below].position, planes[above].position
        between = [k for k in range(int(np.ceil(first)), int(np.ceil(last))) if k not in layers]
        if last - first > widest + 1e-6:
            notes.append(f"no contours on {len(between)} slices from {first:.2f} to {last:.2f}")
            continue
        if not between:
            continue
        ends = [_signed_distance(planes[i], corner, shape) for i in (below, above)]
        for k in between:
            weight = (k - first) / (last - first)
            layers[k] = (1 - weight) * ends[0] + weight * ends[1] > 0
    _extend_ends(layers, planes, filled, spacing)
    return layers, tuple(notes)


def _extend_ends(
    layers: dict[int, NDArray[np.bool_]],
    planes: Sequence[Plane],
    filled: Sequence[NDArray[np.bool_]],
    spacing: float,
) -> None:
    """Where planes are coarser than slices, fill half a plane spacing beyond every open end."""
    if spacing <= 1.0 + 1e-3:
        return
    positions = np.array([plane.position for plane in planes])
    gaps = np.diff(positions) > GAP_FACTOR * spacing + 1e-6
    bottoms = np.concatenate([[True], gaps])
    tops = np.concatenate([gaps, [True]])
    for position, area, bottom, top in zip(positions, filled, bottoms, tops, strict=True):
        low = position - spacing / 2 if bottom else position
        high = position + spacing / 2 if top else position
        for k in range(int(np.ceil(low)), int(np.ceil(high))):
            layers.setdefault(k, area)


def _signed_distance(
    plane: Plane, corner: NDArray[np.int64], shape: tuple[int, int]
) -> NDArray[np.float64]:
    """Distance of every pixel centre to the outlines, positive inside; in finer pixels.

    Measured on pixels of a third of the size, since distances between whole pixels are too
    coarse for a small lesion.
    """
    centre = (_FINER - 1) / 2
    polygons = [(polygon - corner) * _FINER + centre for polygon in plane.polygons]
    area = fill_even_odd(polygons, (shape[0] * _FINER, shape[1] * _FINER))
    start = int(centre)
    if not area.any():
        return np.full(shape, -float(sum(area.shape)))
    framed = np.pad(area, 1)  # the box's edge is an outline too
    inside = ndimage.distance_transform_edt(framed)[1:-1, 1:-1]
    outside = ndimage.distance_transform_edt(~area)
    return np.asarray((inside - outside)[start::_FINER, start::_FINER])


def _crop(
    layers: dict[int, NDArray[np.bool_]],
    corner: NDArray[np.int64],
    shape: tuple[int, int],
    size: tuple[int, int, int],
) -> tuple[NDArray[np.bool_], tuple[int, int, int], int]:
    """The part inside the image, where it starts (x, y, z), and the voxels there would be."""
    total = int(sum(int(layer.sum()) for layer in layers.values()))
    low = np.clip([corner[0], corner[1], min(layers)], 0, size)
    end = [corner[0] + shape[1], corner[1] + shape[0], max(layers) + 1]
    high = np.maximum(np.clip(end, 0, size), low)
    voxels = np.zeros((high - low)[::-1], bool)
    column, row = low[:2] - corner
    for k, layer in layers.items():
        if voxels.size and low[2] <= k < high[2]:
            part = layer[row : row + voxels.shape[1], column : column + voxels.shape[2]]
            voxels[k - low[2]] = part
    return voxels, (int(low[0]), int(low[1]), int(low[2])), total


def _is_outside(planes: Sequence[Plane], grid: Grid) -> bool:
    """Whether the box around all vertices misses the image."""
    vertices = np.concatenate([polygon for plane in planes for polygon in plane.polygons])
    low = np.array([*vertices.min(axis=0), planes[0].position])
    high = np.array([*vertices.max(axis=0), planes[-1].position])
    return bool(np.any(high < -0.5) or np.any(low > np.array(grid.size) - 0.5))
