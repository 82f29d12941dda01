"""The planes of an ROI: their positions, their spacing, and the contours on each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from cta_data.errors import DataRefused
from cta_data.imaging.rasterization.contour_faults import NO_AREA, fault_of
from cta_data.imaging.rasterization.contour_orientation import (
    LEAST_AREA_MM2,
    mean_normal,
    plane_axes,
)
from cta_data.imaging.rasterization.contour_outlines import (
    ROUNDING_MM,
    first_of_doubles,
    group_into_outlines,
)
from cta_data.imaging.rasterization.contours import (
    EXCLUSIVE_TYPE,
    INTERPOLATED_TYPE,
    AcquiredSlices,
    Contour,
    Roi,
)
from cta_data.imaging.rasterization.polygon_fill import Polygon, outlines_area

# Contours closer than this share of the spacing lie on one plane; rounding in a file is smaller.
_SAME_PLANE_SHARE = 0.05
# Neighbouring planes up to this many regular spacings apart belong together; the next whole
# multiple means that a plane was left out.
GAP_FACTOR = 1.5
# Planes that are this many slices apart, or fewer, can be neighbours whatever is on them.
_FEW_SLICES = 2.5
# Gaps that differ by this share are one.
_ALIKE = 0.1
_SAME_DIRECTION = 0.9998  # cosine of about one degree

Points = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ContourPlane:
    """All outlines of an ROI on one plane.

    ``position_mm`` is along the planes' normal. Each outline is the union of its contours' points,
    (n, 3), LPS, mm; outlines go together by the even-odd rule.
    """

    position_mm: float
    outlines: tuple[tuple[Points, ...], ...]

    @property
    def points_lps_mm(self) -> Points:
        """All vertices."""
        return np.concatenate([points for outline in self.outlines for points in outline])

    def polygons(self, axes: NDArray[np.float64]) -> list[list[Polygon]]:
        """The outlines in the plane (mm): columns along the first row of ``axes``, rows along
        the second.
        """
        return [[points @ axes[:2].T for points in outline] for outline in self.outlines]


@dataclass(frozen=True, eq=False)
class DrawnPlanes:
    """The planes of one ROI, ascending along their normal.

    Parameters
    ----------
    axes
        3 × 3, rows: two unit vectors in the plane and the normal (LPS).
    spacing_mm
        Usual distance between neighbouring planes.
    joined
        For each plane but the last, whether the next one is its neighbour.
    notes
        What was tolerated, one sentence each.
    """

    planes: tuple[ContourPlane, ...]
    axes: NDArray[np.float64]
    spacing_mm: float
    joined: NDArray[np.bool_]
    notes: tuple[str, ...] = ()

    @property
    def positions_mm(self) -> NDArray[np.float64]:
        """Where the planes lie along the normal."""
        return np.array([plane.position_mm for plane in self.planes])

    @cached_property
    def volume_mm3(self) -> float:
        """Area inside the contours times the extent of their planes, mm³."""
        areas = np.array([outlines_area(plane.polygons(self.axes)) for plane in self.planes])
        bottom, top = slab_limits(self.positions_mm, self.spacing_mm, self.joined)
        return float(np.sum(areas * (top - bottom)))


def planes_of_rois(rois: Sequence[Roi], spacing_mm: Sequence[float]) -> list[DrawnPlanes | None]:
    """The planes of each ROI; None for one without a contour that is filled.

    One or two planes hardly tell how far apart planes are drawn: for them ROIs that face the same
    way tell it, and where there are none, the slices of the image.

    Parameters
    ----------
    spacing_mm
        Spacing of the image that they were delineated on, along the patient's x, y and z.

    Raises
    ------
    DataRefused
        If the contours of an ROI cannot be trusted, with the cause.
    """
    grouped = [_grouped(roi, spacing_mm) for roi in rois]
    telling = [
        (one.axes[2], spacing)
        for one in grouped
        if one is not None
        and len(one.planes) > 2
        and (spacing := _told_spacing(one.planes, one.axes, one.slice_spacing))
    ]
    return [
        None if one is None else _drawn(roi, one, telling)
        for roi, one in zip(rois, grouped, strict=True)
    ]


def require_readable(roi: Roi) -> None:
    """Refuse an ROI whose contours cannot be trusted.

    Raises
    ------
    DataRefused
        With the cause.
    """
    why = roi.unreadable or fault_of(roi.contours)
    if why:
        raise _refused(roi, why)


def _refused(roi: Roi, why: str) -> DataRefused:
    return DataRefused("roi_contours_unreadable", where=f"ROI {roi.number} {roi.name!r}", why=why)


@dataclass(frozen=True, eq=False)
class _Grouped:
    """The planes of an ROI before their spacing is known."""

    planes: tuple[ContourPlane, ...]
    axes: NDArray[np.float64]
    slice_spacing: float
    doubles: int


def _grouped(roi: Roi, spacing_mm: Sequence[float]) -> _Grouped | None:
    require_readable(roi)
    normal = mean_normal(roi.closed_contours)
    if normal is None:
        return None
    # The image's axes lie near x, y and z, in this order.
    slice_spacing = float(spacing_mm[int(np.argmax(np.abs(normal)))])
    axes = plane_axes(normal)
    groups = _on_one_plane(roi.closed_contours, normal, slice_spacing)
    found = [_plane(group, axes) for group in groups]
    planes = tuple(plane for plane, _ in found)
    return _Grouped(planes, axes, slice_spacing, sum(count for _, count in found))


def _drawn(
    roi: Roi, grouped: _Grouped, telling: Sequence[tuple[NDArray[np.float64], float]]
) -> DrawnPlanes:
    planes, axes = grouped.planes, grouped.axes
    alike = [gap for normal, gap in telling if abs(float(normal @ axes[2])) >= _SAME_DIRECTION]
    others = lower_median(alike) if alike else grouped.slice_spacing
    spacing = _told_spacing(planes, axes, grouped.slice_spacing)
    spacing = spacing or _told_spacing(planes, axes, others) or others
    joined = _joined(planes, spacing, roi.acquired_slices, axes[2])
    drawn = DrawnPlanes(planes, axes, spacing, joined, _notes(roi, grouped, spacing))
    if drawn.volume_mm3 <= LEAST_AREA_MM2 * spacing:
        raise _refused(roi, f"its contours {NO_AREA}: each is cut out of another")
    return drawn


def _notes(roi: Roi, grouped: _Grouped, spacing: float) -> tuple[str, ...]:
    """What was tolerated, or read into the contours."""
    where = f"ROI {roi.number} {roi.name!r}"
    notes = []
    if grouped.doubles:
        notes.append(f"{where}: {grouped.doubles} contours stored twice, used once")
    interpolated = sum(c.geometric_type == INTERPOLATED_TYPE for c in roi.closed_contours)
    if interpolated:
        notes.append(f"{where}: {interpolated} contours interpolated by the planning system")
    if spacing > GAP_FACTOR * grouped.slice_spacing:
        apart = f"{spacing:.2f} mm apart on slices of {grouped.slice_spacing:.2f} mm"
        notes.append(f"{where}: planes {apart}, filled between them")
    return tuple(notes)


def _on_one_plane(
    contours: Sequence[Contour], normal: NDArray[np.float64], slice_spacing: float
) -> list[list[Contour]]:
    """Bring contours together that lie on one plane, in the order of their positions."""
    nearest = max(_SAME_PLANE_SHARE * slice_spacing, ROUNDING_MM) + 1e-6
    groups: list[list[Contour]] = []
    last = -np.inf
    for contour in sorted(contours, key=lambda contour: _height(contour.points_lps_mm, normal)):
        height = _height(contour.points_lps_mm, normal)
        if height - last <= nearest:
            groups[-1].append(contour)
        else:
            groups.append([contour])
        last = height
    return groups


def _height(points: Points, normal: NDArray[np.float64]) -> float:
    return float((points @ normal).mean())


def _plane(contours: Sequence[Contour], axes: NDArray[np.float64]) -> tuple[ContourPlane, int]:
    """The outlines of one plane, and how many contours repeated another one."""
    local = [contour.points_lps_mm @ axes[:2].T for contour in contours]
    kept = first_of_doubles(local)
    exclusive = [contours[index].geometric_type == EXCLUSIVE_TYPE for index in kept]
    groups = group_into_outlines([local[index] for index in kept], exclusive)
    points = [contours[index].points_lps_mm for index in kept]
    outlines = tuple(tuple(points[index] for index in group) for group in groups)
    position = float(np.mean([_height(one, axes[2]) for one in points]))
    return ContourPlane(position, outlines), len(contours) - len(kept)


def _told_spacing(
    planes: Sequence[ContourPlane], axes: NDArray[np.float64], slice_spacing: float
) -> float | None:
    """Usual distance between neighbouring planes; None if they are not conclusive.

    The lower median of the gaps between planes that can be neighbours, which neither a plane that
    was left out nor a second lesion farther on changes. Two planes can be neighbours when few
    slices lie between them, or when they are parts of one body. Other planes tell it when all gaps
    are alike.
    """
    gaps = np.diff([plane.position_mm for plane in planes])
    near = [
        float(gap)
        for gap, below, above in zip(gaps, planes[:-1], planes[1:], strict=True)
        if gap <= _FEW_SLICES * slice_spacing or _one_body(below, above, axes)
    ]
    if near:
        return lower_median(near)
    alike = len(gaps) > 1 and np.ptp(gaps) <= _ALIKE * gaps.min()
    return lower_median(gaps.tolist()) if alike else None


def _one_body(below: ContourPlane, above: ContourPlane, axes: NDArray[np.float64]) -> bool:
    """Whether two planes lie over each other, no farther apart than they are wide on average."""
    first, second = (plane.points_lps_mm @ axes[:2].T for plane in (below, above))
    low = np.maximum(first.min(axis=0), second.min(axis=0))
    high = np.minimum(first.max(axis=0), second.max(axis=0))
    widths = [np.ptp(points, axis=0).max() for points in (first, second)]
    gap = above.position_mm - below.position_mm
    return bool(np.all(high > low) and gap <= np.mean(widths))


def lower_median(values: Sequence[float]) -> float:
    """The middle value, and of two the lower."""
    return float(sorted(values)[(len(values) - 1) // 2])


def _joined(
    planes: Sequence[ContourPlane],
    spacing: float,
    acquired: AcquiredSlices | None,
    normal: NDArray[np.float64],
) -> NDArray[np.bool_]:
    """Whether each plane and the next are neighbours.

    They are when they are at most 1.5 spacings apart, or lie on slices that were acquired one
    after the other.
    """
    gaps = np.diff([plane.position_mm for plane in planes])
    joined = gaps <= GAP_FACTOR * spacing + 1e-6
    if acquired is None or abs(float(acquired.normal @ normal)) < _SAME_DIRECTION:
        return joined
    heights = np.array([_height(plane.points_lps_mm, acquired.normal) for plane in planes])
    apart = np.abs(heights[:, None] - acquired.heights_mm)
    slices = apart.argmin(axis=1)
    on_slice = apart.min(axis=1) <= ROUNDING_MM
    in_turn = (np.abs(np.diff(slices)) == 1) & on_slice[:-1] & on_slice[1:]
    return np.asarray(joined | in_turn)


def slab_limits(
    positions: NDArray[np.float64], spacing: float, joined: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Bottom and top of the slab around each plane: half way to a neighbour, else half a spacing.

    In the unit of the positions. ``joined`` is as in :class:`DrawnPlanes`. No slab reaches into
    the next.
    """
    gaps = np.diff(positions)
    reach = np.where(joined, gaps, np.minimum(gaps, spacing)) / 2
    end = np.array([spacing / 2])
    bottom = positions - np.concatenate([end, reach])
    return bottom, positions + np.concatenate([reach, end])
