"""Which way contours face, and how far they leave a plane."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cta_data.imaging.rasterization.contours import Contour

# Less than a hundredth of a millimetre squared is a line, not an area.
LEAST_AREA_MM2 = 1e-4
# A contour may leave its plane by this much before it counts as tilted.
FLATNESS_MM = 0.1


def mean_normal(contours: Sequence[Contour]) -> NDArray[np.float64] | None:
    """Unit normal (LPS) that contours face on average; None where none encloses an area.

    The mean of the contours' area vectors, turned to point along its largest component, and
    snapped to an axis within 1e-5.
    """
    areas = [contour.area_vector_mm2 for contour in contours]
    turned = [
        area * np.sign(area[np.argmax(np.abs(area))])
        for area in areas
        if np.linalg.norm(area) > LEAST_AREA_MM2
    ]
    if not turned:
        return None
    normal = np.sum(turned, axis=0)
    normal /= np.linalg.norm(normal)
    axis = int(np.argmax(np.abs(normal)))
    if np.linalg.norm(np.delete(normal, axis)) < 1e-5:
        normal = np.eye(3)[axis]
    return np.asarray(normal, dtype=np.float64)


def own_normal(contour: Contour) -> NDArray[np.float64]:
    """Unit normal (LPS) of the plane that fits a contour's vertices best."""
    relative = contour.points_lps_mm - contour.points_lps_mm.mean(axis=0)
    return np.asarray(np.linalg.svd(relative, full_matrices=False)[2][2])


def leaves_plane_mm(contour: Contour, normal: NDArray[np.float64]) -> float:
    """How far a contour leaves its mid-plane across ``normal``, mm."""
    return float(np.ptp(contour.points_lps_mm @ normal)) / 2


def angle_degrees(contour: Contour, normal: NDArray[np.float64]) -> float:
    """Angle between a contour's own plane and the planes across ``normal``."""
    cosine = abs(float(own_normal(contour) @ normal))
    return float(np.degrees(np.arccos(min(1.0, cosine))))


def plane_axes(normal: NDArray[np.float64]) -> NDArray[np.float64]:
    """Two unit vectors in the plane and the normal, as rows."""
    start = np.eye(3)[int(np.argmin(np.abs(normal)))]
    first = start - (start @ normal) * normal
    first /= np.linalg.norm(first)
    return np.stack([first, np.cross(normal, first), normal])
