"""From annotations to delineated lesions, with ids that do not depend on a grid.

Two parts of an ROI are one lesion when their contours come within half a plane spacing of each
other on the same plane or on neighbouring planes; otherwise they are two. Lesions are numbered
from 1 in the order of ROI numbers, and within an ROI from its lowest part upwards, so the ids
depend on the annotation alone and never on the grid that it is brought to.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from cta_data.imaging.lesions.lesion_stack import LesionStack, stack_of_planes
from cta_data.imaging.rasterization.contour_planes import DrawnPlanes, planes_of_rois
from cta_data.imaging.rasterization.contours import Roi

_LINK_SHARE = 0.5
_TOUCHING_MM = 1e-6


@dataclass(frozen=True, eq=False)
class DrawnLesion:
    """One lesion as it was annotated.

    ``volume_mm3`` is contour area times the extent of its plane, or the mask's voxels;
    ``source_roi`` is the ROI's number (or the mask's value) and ``component`` counts from 1.
    ``voxels`` are those of a mask: where voxels of a target grid lie on them, one on one, they
    are taken as they are; anywhere else ``stack`` is the shape.
    """

    id: int
    source_roi: int
    source_name: str
    component: int
    stack: LesionStack
    volume_mm3: float
    centroid_lps_mm: NDArray[np.float64]
    voxels: LesionStack | None = None


@dataclass(frozen=True, eq=False)
class DrawnLesions:
    """All lesions of an annotation, and the ROIs that gave none, each with its reason."""

    lesions: tuple[DrawnLesion, ...]
    without_lesion: tuple[tuple[Roi, str], ...] = ()
    notes: tuple[str, ...] = ()


def lesions_from_contours(rois: Sequence[Roi], *, spacing_mm: Sequence[float]) -> DrawnLesions:
    """Take the lesions out of ROIs, each ROI on its own planes.

    Parameters
    ----------
    rois
        The ROIs that are lesions, in any order.
    spacing_mm
        Spacing of the image that they were delineated on, along the patient's x, y and z, whatever
        the order of its axes (`spacing_along_axes`). It is used where an ROI does not tell how far
        apart its planes are.

    Raises
    ------
    DataRefused
        If the contours of an ROI cannot be trusted, with the cause.
    """
    ordered = sorted(rois, key=lambda roi: (roi.number, roi.name))
    lesions: list[DrawnLesion] = []
    without: list[tuple[Roi, str]] = []
    notes: list[str] = []
    for roi, drawn in zip(ordered, planes_of_rois(ordered, spacing_mm), strict=True):
        if drawn is None:
            why = "no closed contour"
            without.append((roi, why))
            notes.append(f"ROI {roi.number} {roi.name!r} gives no lesion: {why}")
            continue
        notes.extend(drawn.notes)
        lesions += lesions_of_planes(roi, drawn, first_id=len(lesions) + 1)
    return DrawnLesions(tuple(lesions), tuple(without), tuple(notes))


def lesions_of_planes(roi: Roi, drawn: DrawnPlanes, *, first_id: int = 1) -> list[DrawnLesion]:
    """The separate lesions of one ROI, numbered from ``first_id`` upwards."""
    stack = stack_of_planes(drawn)
    scale = drawn.volume_mm3 / stack.volume_mm3
    return [
        DrawnLesion(
            first_id + component - 1,
            roi.number,
            roi.name,
            component,
            part,
            part.volume_mm3 * scale,
            part.centroid_lps_mm,
        )
        for component, part in enumerate(components_of_stack(stack, drawn.spacing_mm), start=1)
    ]


def components_of_stack(stack: LesionStack, spacing: float) -> list[LesionStack]:
    """The separate parts of a stack, from the lowest upwards (then by row, then by column)."""
    pixel = 1 / float(np.linalg.norm(stack.to_local[0]))
    reach = _LINK_SHARE * spacing / pixel
    labels = np.zeros(stack.layers.shape, np.int64)
    count = 0
    links: list[NDArray[np.int64]] = []
    for index, layer in enumerate(stack.layers):
        found, parts = ndimage.label(layer, np.ones((3, 3)))
        labels[index] = np.where(layer, found + count, 0)
        count += parts
        if parts > 1:
            links.append(_links_within(labels[index], reach))
        if index and stack.bottom[index] - stack.top[index - 1] <= _TOUCHING_MM:
            links.append(_links_between(labels[index - 1], labels[index], reach))
    if count == 1:
        return [stack.restricted_to(stack.layers)]
    pairs = np.concatenate(links, axis=1) if links else np.empty((2, 0), np.int64)
    graph = coo_array((np.ones(pairs.shape[1]), (pairs[0] - 1, pairs[1] - 1)), (count, count))
    total, component = connected_components(graph, directed=False)
    of_pixel = np.concatenate([[-1], component])[labels]
    parts_of_stack = [stack.restricted_to(of_pixel == part) for part in range(total)]
    return sorted(parts_of_stack, key=_position_key)


def _position_key(stack: LesionStack) -> tuple[float, ...]:
    """Lowest slab, then centre of mass, rounded so that the order is stable."""
    centre = stack.centroid_lps_mm
    return (round(float(stack.bottom[0]), 3), *(round(float(c), 3) for c in centre[::-1]))


def _links_within(labels: NDArray[np.int64], reach: float) -> NDArray[np.int64]:
    """Pairs of parts of one plane that are within ``reach`` pixels of each other."""
    near = ndimage.distance_transform_edt(labels == 0) <= reach / 2
    regions, _ = ndimage.label(near, np.ones((3, 3)))
    inside = labels > 0
    pairs = np.unique(np.stack([regions[inside], labels[inside]]), axis=1)
    same = pairs[0, 1:] == pairs[0, :-1]
    return np.stack([pairs[1, :-1][same], pairs[1, 1:][same]])


def _links_between(
    below: NDArray[np.int64], above: NDArray[np.int64], reach: float
) -> NDArray[np.int64]:
    """Pairs of parts of two neighbouring planes that overlap or come within ``reach`` pixels."""
    both = (below > 0) & (above > 0)
    overlap = np.unique(np.stack([below[both], above[both]]), axis=1)
    wanted = np.unique(below[below > 0]).size, np.unique(above[above > 0]).size
    if (np.unique(overlap[0]).size, np.unique(overlap[1]).size) == wanted and 1 in wanted:
        return overlap
    distance, nearest = ndimage.distance_transform_edt(below == 0, return_indices=True)
    close = (above > 0) & (distance <= reach)
    pairs = np.stack([below[nearest[0][close], nearest[1][close]], above[close]])
    return np.unique(pairs, axis=1)
