"""Contours as drawn: the types that carry a structure set through the package.

Everything here is data in memory; :mod:`cta_data.formats.rtstruct` reads it from DICOM and
:mod:`cta_data.formats.contours_json` keeps it without identity.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FILLED_TYPES = frozenset({"CLOSED_PLANAR", "CLOSEDPLANAR_XOR"})


@dataclass(frozen=True, eq=False)
class Contour:
    """One polygon of a region of interest.

    Parameters
    ----------
    points_lps_mm
        Vertices, shape (n, 3), float64, LPS, mm. The last vertex is not repeated.
    geometric_type
        Contour Geometric Type as delivered (``CLOSED_PLANAR``, ``POINT``, …).
    referenced_sop_uid
        SOP Instance UID of the image that it was drawn on, where it says so.
    """

    points_lps_mm: NDArray[np.float64]
    geometric_type: str = "CLOSED_PLANAR"
    referenced_sop_uid: str | None = None

    @property
    def encloses_area(self) -> bool:
        """Whether this contour is one that is filled: closed, with three vertices or more."""
        return self.geometric_type in FILLED_TYPES and len(self.points_lps_mm) >= 3


@dataclass(frozen=True, eq=False)
class Roi:
    """A region of interest as delivered: its number, name, type and contours."""

    number: int
    name: str
    interpreted_type: str | None = None
    frame_of_reference_uid: str | None = None
    contours: tuple[Contour, ...] = ()

    @property
    def closed_contours(self) -> tuple[Contour, ...]:
        """The contours that enclose an area."""
        return tuple(contour for contour in self.contours if contour.encloses_area)


@dataclass(frozen=True, eq=False)
class StructureSet:
    """A structure set: its regions of interest and the images that it refers to.

    ``notes`` says, one sentence each, what was tolerated while reading.
    """

    rois: tuple[Roi, ...]
    label: str = ""
    name: str = ""
    description: str = ""
    series_description: str = ""
    date: str = ""
    time: str = ""
    frame_of_reference_uids: tuple[str, ...] = ()
    referenced_series_uids: tuple[str, ...] = ()
    referenced_sop_uids: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class ImageIdentity:
    """The DICOM identity of an image, against which a structure set's references are checked."""

    series_uid: str
    frame_of_reference_uid: str | None
    sop_instance_uids: frozenset[str]


def without_duplicates(contours: Iterable[Contour]) -> tuple[tuple[Contour, ...], int]:
    """Drop contours that repeat another one exactly, and say how many there were.

    An even-odd fill would cancel a contour that was stored twice. Two contours are the same when
    they have the same vertices (to 0.1 µm) in the same or the opposite order, from any start.
    """
    seen: set[bytes] = set()
    kept: list[Contour] = []
    duplicates = 0
    for contour in contours:
        key = _canonical_vertices(contour.points_lps_mm)
        if key in seen:
            duplicates += 1
            continue
        seen.add(key)
        kept.append(contour)
    return tuple(kept), duplicates


def _canonical_vertices(points: NDArray[np.float64]) -> bytes:
    """The vertices as bytes, started at the smallest one and turned the same way round."""
    rounded = np.round(points, 4) + 0.0  # + 0.0 turns -0.0 into 0.0
    start = int(np.lexsort(rounded.T[::-1])[0])
    forward = np.roll(rounded, -start, axis=0)
    backward = np.roll(forward[::-1], 1, axis=0)
    return min(forward.tobytes(), backward.tobytes())
