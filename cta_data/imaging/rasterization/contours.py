"""Contours as delineated: the types that represent a structure set.

Everything here is data in memory; :mod:`cta_data.formats.dicom.rtstruct` reads it from DICOM and
:mod:`cta_data.formats.contours_json` keeps it without identity.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

EXCLUSIVE_TYPE = "CLOSEDPLANAR_XOR"
INTERPOLATED_TYPE = "INTERPOLATED_PLANAR"
"""Not in the standard: a closed planar contour interpolated by a planning system."""
FILLED_TYPES = frozenset({"CLOSED_PLANAR", EXCLUSIVE_TYPE, INTERPOLATED_TYPE})
OPEN_TYPES = frozenset({"OPEN_PLANAR", "OPEN_NONPLANAR"})
KNOWN_TYPES = FILLED_TYPES | OPEN_TYPES | {"POINT"}
"""Contour Geometric Types of DICOM PS3.3 C.8.8.6.1, and INTERPOLATED_PLANAR."""


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
        SOP Instance UID of the image that it was delineated on, where it says so.
    """

    points_lps_mm: NDArray[np.float64]
    geometric_type: str = "CLOSED_PLANAR"
    referenced_sop_uid: str | None = None

    @property
    def encloses_area(self) -> bool:
        """Whether this contour is one that is filled: closed, with three vertices or more."""
        return self.geometric_type in FILLED_TYPES and len(self.points_lps_mm) >= 3

    @cached_property
    def area_vector_mm2(self) -> NDArray[np.float64]:
        """Vector area of the polygon: its length is the area, its direction the normal (Newell)."""
        relative = self.points_lps_mm - self.points_lps_mm.mean(axis=0)
        following = np.roll(relative, -1, axis=0)
        return np.asarray(np.cross(relative, following).sum(axis=0) / 2)


@dataclass(frozen=True, eq=False)
class AcquiredSlices:
    """Where the slices of an image with uneven steps were acquired.

    ``normal`` is a unit vector (LPS) across the slices; ``heights_mm`` are their positions along
    it, ascending.
    """

    normal: NDArray[np.float64]
    heights_mm: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Roi:
    """A region of interest as delivered: its number, name, type and contours.

    Parameters
    ----------
    unreadable
        Why its contours cannot be trusted; empty where they can. An unreadable ROI keeps the
        contours that could be read, and is neither filled nor taken for an empty one.
    acquired_slices
        The slices that it was delineated on, where their steps are uneven.
    """

    number: int
    name: str
    interpreted_type: str | None = None
    frame_of_reference_uid: str | None = None
    contours: tuple[Contour, ...] = ()
    unreadable: str = ""
    acquired_slices: AcquiredSlices | None = None

    @property
    def closed_contours(self) -> tuple[Contour, ...]:
        """The contours that enclose an area."""
        return tuple(contour for contour in self.contours if contour.encloses_area)


@dataclass(frozen=True, eq=False)
class StructureSet:
    """A structure set: its regions of interest and the images that it refers to.

    ``orphans`` are numbers under which there are contours and no ROI. ``notes`` says, one sentence
    each, what was tolerated while reading.
    """

    rois: tuple[Roi, ...]
    orphans: tuple[int, ...] = ()
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
