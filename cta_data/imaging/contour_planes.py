"""The planes that contours lie on: where they are, how far apart, and which way they face."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cta_data.errors import DataRefused
from cta_data.imaging.contours import Contour, Roi, without_duplicates
from cta_data.imaging.polygon_fill import Polygon

# Contours closer than this share of the spacing lie on one plane; rounding in a file is smaller.
_SAME_PLANE_SHARE = 0.05
# Neighbouring planes up to this many regular spacings apart belong together; the next whole
# multiple means that a plane was left out.
GAP_FACTOR = 1.5
# Less than a hundredth of a millimetre squared is a line, not an area.
LEAST_AREA_MM2 = 1e-4
# A contour may leave its plane by this much before it counts as tilted.
_FLATNESS_MM = 0.1


@dataclass(frozen=True, eq=False)
class Plane:
    """All polygons of an ROI on one plane.

    ``position`` is along the planes' normal; ``polygons`` have shape (n, 2) in the plane's axes.
    The units are the caller's: voxels of an image, or mm.
    """

    position: float
    polygons: tuple[Polygon, ...]


def group_into_planes(
    polygons: Sequence[tuple[float, Polygon]], spacing: float
) -> tuple[Plane, ...]:
    """Bring polygons together that lie on one plane, in the order of their positions.

    ``polygons`` are (position, polygon); positions within a twentieth of ``spacing`` of the
    one before are one plane, at their mean.
    """
    ordered = sorted(polygons, key=lambda item: item[0])
    groups: list[list[tuple[float, Polygon]]] = []
    for item in ordered:
        if groups and item[0] - groups[-1][-1][0] <= _SAME_PLANE_SHARE * spacing:
            groups[-1].append(item)
        else:
            groups.append([item])
    return tuple(
        Plane(float(np.mean([position for position, _ in group])), tuple(p for _, p in group))
        for group in groups
    )


def regular_spacing(positions: Iterable[float], fallback: float) -> float:
    """Distance between neighbouring planes as they are usually drawn.

    The lower median of the gaps, which neither a plane that was left out nor a second lesion
    farther on changes. One plane has no gap, and a single gap larger than two and a half times
    ``fallback`` says nothing: both give ``fallback``.
    """
    gaps = np.sort(np.diff(np.sort(np.asarray(list(positions), dtype=np.float64))))
    if len(gaps) == 0 or (len(gaps) == 1 and gaps[0] > 2.5 * fallback):
        return fallback
    return float(gaps[(len(gaps) - 1) // 2])


def common_normal(rois: Sequence[Roi]) -> NDArray[np.float64]:
    """Unit normal (LPS) of the planes that these ROIs were drawn on.

    The mean of the contours' area vectors, turned to point along its largest component, and
    snapped to an axis within 1e-5.

    Raises
    ------
    DataRefused
        If no contour encloses an area, or one is tilted against the others.
    """
    contours = [contour for roi in rois for contour in roi.closed_contours]
    areas = [area_vector(contour) for contour in contours]
    turned = [
        area * np.sign(area[np.argmax(np.abs(area))])
        for area in areas
        if np.linalg.norm(area) > LEAST_AREA_MM2
    ]
    if not turned:
        raise DataRefused(
            "no contour encloses an area",
            where=", ".join(repr(roi.name) for roi in rois),
            next_step="Leave these ROIs out, or have them drawn as closed planar contours",
        )
    normal = np.sum(turned, axis=0)
    normal /= np.linalg.norm(normal)
    axis = int(np.argmax(np.abs(normal)))
    if np.linalg.norm(np.delete(normal, axis)) < 1e-5:
        normal = np.eye(3)[axis]
    for roi in rois:
        require_flat(roi, normal, _FLATNESS_MM)
    return np.asarray(normal, dtype=np.float64)


def area_vector(contour: Contour) -> NDArray[np.float64]:
    """Vector area of a polygon, mm²: its length is the area, its direction the normal (Newell)."""
    relative = contour.points_lps_mm - contour.points_lps_mm.mean(axis=0)
    following = np.roll(relative, -1, axis=0)
    return np.asarray(np.cross(relative, following).sum(axis=0) / 2)


def require_flat(roi: Roi, normal: NDArray[np.float64], tolerance_mm: float) -> None:
    """Refuse an ROI with a contour that leaves the plane across ``normal``.

    Raises
    ------
    DataRefused
        With the angle between the contour and the planes, and how far it leaves them.
    """
    for contour in roi.closed_contours:
        height = contour.points_lps_mm @ normal
        leaves = float(np.ptp(height)) / 2
        if leaves <= tolerance_mm:
            continue
        relative = contour.points_lps_mm - contour.points_lps_mm.mean(axis=0)
        own_normal = np.linalg.svd(relative, full_matrices=False)[2][2]
        angle = np.degrees(np.arccos(min(1.0, abs(float(own_normal @ normal)))))
        raise DataRefused(
            "a contour is not parallel to the planes that it should lie on",
            where=f"ROI {roi.number} {roi.name!r}",
            why=f"angle {angle:.2f}°, up to {leaves:.2f} mm out of the plane",
            next_step="Give the image that the contours were drawn on, or transfer the contours "
            "to this image's grid instead",
        )


def distinct_contours(roi: Roi) -> tuple[tuple[Contour, ...], tuple[str, ...]]:
    """The ROI's contours that are filled, each once, and a note if some were stored twice."""
    contours, duplicates = without_duplicates(roi.closed_contours)
    note = f"ROI {roi.number} {roi.name!r}: {duplicates} contours stored twice, used once"
    return contours, ((note,) if duplicates else ())
