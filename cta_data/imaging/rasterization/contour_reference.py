"""Which image do contours belong to? Checked by UID, else by frame of reference and planes.

Messages from here name no UID, since reasons are kept in tables that are shared.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cta_data.errors import DataRefused
from cta_data.imaging.rasterization.contours import ImageIdentity, Roi, StructureSet

# Without any UID, planes must meet slices within this share of the slice spacing.
_PLANE_TOLERANCE = 0.1
# Two exports of one contour differ by less.
_SAME_POINT_MM = 0.01
DRAWN_ON_IT = ("sop_instance", "series")
"""Matches that show that contours were delineated on the image itself."""


@dataclass(frozen=True)
class ReferenceMatch:
    """How contours were found to belong to an image: ``kind`` and, in words, why it holds.

    ``kind`` is ``sop_instance``, ``series``, ``frame_of_reference``, ``plane_position`` or
    ``unchecked``.
    """

    kind: str
    note: str = ""


def match_reference(
    structure_set: StructureSet, rois: Sequence[Roi], identity: ImageIdentity
) -> ReferenceMatch:
    """Find out that ``rois`` were delineated on the image, or in its frame of reference.

    In this order: the contours' SOP Instance UIDs (all of them must be in the image if any is),
    the series UID, the frame of reference. Real structure sets may carry SOP Instance UIDs that
    match no image while the series and the frame of reference do.

    Raises
    ------
    DataRefused
        If the image lacks slices that contours refer to, or nothing connects the two.
    """
    drawn_on = {
        contour.referenced_sop_uid
        for roi in rois
        for contour in roi.closed_contours
        if contour.referenced_sop_uid
    }
    if drawn_on & identity.sop_instance_uids:
        return _all_slices_present(drawn_on, identity)
    strangers = f"none of the {len(drawn_on)} slices they refer to is in the image; "
    if identity.series_uid in structure_set.referenced_series_uids:
        return ReferenceMatch("series", (strangers if drawn_on else "") + "the series is the same")
    frames = {roi.frame_of_reference_uid for roi in rois} - {None}
    frames = frames or set(structure_set.frame_of_reference_uids)
    if frames == {identity.frame_of_reference_uid}:
        note = "drawn on another series in the same frame of reference"
        return ReferenceMatch("frame_of_reference", note)
    known = "a different" if frames else "no"
    raise DataRefused(
        "structure_set_of_another_image",
        where=structure_set.label or "structure set",
        n_referenced_series_uids=len(structure_set.referenced_series_uids),
        known=known,
    )


def _all_slices_present(drawn_on: set[str], identity: ImageIdentity) -> ReferenceMatch:
    missing = drawn_on - identity.sop_instance_uids
    if not missing:
        return ReferenceMatch("sop_instance")
    raise DataRefused("contoured_slices_missing", n_missing=len(missing), n_drawn_on=len(drawn_on))


def same_contours(first: Roi, second: Roi) -> bool:
    """Whether two ROIs have the same contours, point by point to a hundredth of a millimetre."""
    pairs = [
        (a.points_lps_mm, b.points_lps_mm)
        for a, b in zip(first.contours, second.contours, strict=False)
    ]
    return len(first.contours) == len(second.contours) and all(
        a.shape == b.shape and np.allclose(a, b, rtol=0, atol=_SAME_POINT_MM) for a, b in pairs
    )


def two_versions(first: Roi, second: Roi) -> bool:
    """Whether two ROIs of one name meet in space: one lesion, outlined twice."""
    if first.name.strip().lower() != second.name.strip().lower():
        return False
    boxes = [
        np.concatenate([c.points_lps_mm for c in roi.closed_contours]) for roi in (first, second)
    ]
    low, high = [box.min(axis=0) for box in boxes], [box.max(axis=0) for box in boxes]
    return bool((np.maximum(*low) <= np.minimum(*high)).all())


def match_planes(plane_indices: Sequence[float], slices: int) -> ReferenceMatch:
    """Check by position alone that contour planes lie on an image's slices.

    ``plane_indices`` are positions along the slice axis, in slices. Nine of ten planes of those
    inside the image must meet a slice centre within a tenth of the spacing.

    Raises
    ------
    DataRefused
        If they do not, with the offset that was measured.
    """
    inside = np.array([p for p in plane_indices if -0.5 <= p <= slices - 0.5], dtype=np.float64)
    if len(inside) == 0:
        return ReferenceMatch("plane_position", "no contour plane lies inside the image")
    offset = np.abs(inside - np.round(inside))
    if float(np.mean(offset <= _PLANE_TOLERANCE)) >= 0.9:
        return ReferenceMatch("plane_position", "no UIDs to compare; the planes lie on slices")
    raise DataRefused("contour_planes_off_slices", median=np.median(offset))
