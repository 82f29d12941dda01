"""What keeps the contours of a region from being filled.

A region with such a fault is refused as a whole. To leave the contour out instead would change the
lesion without a word.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import count

import numpy as np
from numpy.typing import NDArray

from cta_data.imaging.rasterization.contour_orientation import (
    FLATNESS_MM,
    LEAST_AREA_MM2,
    angle_degrees,
    leaves_plane_mm,
    mean_normal,
    own_normal,
    plane_axes,
)
from cta_data.imaging.rasterization.contours import KNOWN_TYPES, OPEN_TYPES, Contour
from cta_data.imaging.rasterization.polygon_fill import outlines_area

NO_AREA = "enclose no area"


def fault_of(contours: Iterable[Contour], numbers: Iterable[int] | None = None) -> str:
    """Say why the contours of one region cannot be filled; empty where they can.

    Points, and closed contours of one or two vertices, enclose no area and are no fault: they are
    markers. A closed contour of three vertices or more was meant to enclose one.

    Parameters
    ----------
    numbers
        What the contours are called in the answer; without it they are counted from 1.
    """
    named = list(zip(count(1) if numbers is None else numbers, contours, strict=False))
    for number, contour in named:
        fault = _own_fault(contour)
        if fault:
            return f"contour {number} {fault}"
    filled = [(number, contour) for number, contour in named if contour.encloses_area]
    return _no_area(filled) or _tilt(filled) or _contradiction(filled)


def _own_fault(contour: Contour) -> str:
    kind = contour.geometric_type
    if kind not in KNOWN_TYPES:
        return "has an unknown geometric type" if kind else "has no geometric type"
    if kind in OPEN_TYPES:
        return f"is open ({kind}), so its area is not known"
    if not contour.encloses_area:
        return ""
    leaves = leaves_plane_mm(contour, own_normal(contour))
    return f"is not planar (up to {leaves:.2f} mm out of its plane)" if leaves > FLATNESS_MM else ""


def _no_area(filled: Sequence[tuple[int, Contour]]) -> str:
    """Whether nothing is inside the contours that are to be filled, or inside one of them."""
    if not filled:
        return ""
    normal = mean_normal([contour for _, contour in filled])
    if normal is None:
        return f"its contours {NO_AREA}: their vertices lie on a line, or their turns cancel"
    axes = plane_axes(normal)[:2].T
    for number, contour in filled:
        # A contour that crosses itself can have loops whose turns cancel: they are areas still.
        if np.linalg.norm(contour.area_vector_mm2) <= LEAST_AREA_MM2:
            area = outlines_area([(contour.points_lps_mm @ axes,)])
            if area <= LEAST_AREA_MM2:
                return f"contour {number} encloses no area: its vertices lie on a line"
    return ""


def _tilt(filled: Sequence[tuple[int, Contour]]) -> str:
    """The first contour that is tilted against the others of its region."""
    normal = mean_normal([contour for _, contour in filled])
    if normal is None:
        return ""
    for number, contour in filled:
        leaves = leaves_plane_mm(contour, normal)
        if leaves > FLATNESS_MM:
            angle = angle_degrees(contour, normal)
            return (
                f"contour {number} is tilted against the others of its region "
                f"(angle {angle:.2f}°, up to {leaves:.2f} mm out of the plane)"
            )
    return ""


def _contradiction(filled: Sequence[tuple[int, Contour]]) -> str:
    """Two contours of one place that their types combine by different rules."""
    if len({contour.geometric_type for _, contour in filled}) < 2:
        return ""
    normal = mean_normal([contour for _, contour in filled])
    axes = plane_axes(np.array([0.0, 0.0, 1.0]) if normal is None else normal)
    places = [(number, contour, contour.points_lps_mm @ axes.T) for number, contour in filled]
    places.sort(key=lambda place: float(place[2][:, 2].mean()))
    for index, (first, one, points) in enumerate(places):
        for second, other, others in places[index + 1 :]:
            if others[:, 2].mean() - points[:, 2].mean() > FLATNESS_MM:
                break
            if one.geometric_type != other.geometric_type and _boxes_meet(points, others):
                return (
                    f"contours {first} and {second} lie over each other and have different types "
                    f"({one.geometric_type}, {other.geometric_type})"
                )
    return ""


def _boxes_meet(first: NDArray[np.float64], second: NDArray[np.float64]) -> bool:
    """Whether the boxes around two contours of one plane meet."""
    low = np.maximum(first.min(axis=0), second.min(axis=0))[:2]
    high = np.minimum(first.max(axis=0), second.max(axis=0))[:2]
    return bool(np.all(high > low))
