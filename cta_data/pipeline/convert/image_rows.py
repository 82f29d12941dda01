"""What the images of a session share, whatever they were delivered as: names, rows, places."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import nibabel as nib
import pydicom

from cta_data.bids.names import BidsName, raw_name
from cta_data.cohorts.series_roles import Role
from cta_data.engine.sessions import DOSE
from cta_data.imaging.geometry.grid import Placed, ras_affine
from cta_data.imaging.rasterization.contours import AcquiredSlices
from cta_data.study.session_id import SessionId
from cta_data.study.tables import ImageRow

TWO_VALUES = "holds two values alone: is it a mask?"
SUFFIX_OF_MODALITY = {"CT": "ct", DOSE: "dose"}


@dataclass(frozen=True)
class RawSeries:
    """One series of a session: its datasets, in the order of its tar."""

    kind: str
    identifier: str
    datasets: list[pydicom.Dataset]
    header: dict[str, str]


@dataclass
class RawSession:
    """All series of a session."""

    series: list[RawSeries]

    def of_kind(self, *kinds: str) -> list[RawSeries]:
        """Return the series of some kinds."""
        return [one for one in self.series if one.kind in kinds]


@dataclass(frozen=True)
class PlacedImage:
    """An image that was written, with what the structure sets need to know of it.

    `space` names its space in later steps: the technique, and the phase where another is worked on.
    `acquired_slices` are those of a series whose steps are uneven.
    """

    technique: str
    frame: int
    frame_uid: str
    series_uid: str
    sop_uids: frozenset[str]
    grid: Placed
    slice_spacing_mm: float
    phase: str = ""
    space: str = ""
    acquired_slices: AcquiredSlices | None = None

    @property
    def name(self) -> str:
        """The image in words."""
        return f"{self.technique} ({self.phase})" if self.phase else self.technique


@dataclass
class ConvertedImages:
    """Images of a session and their rows; `missing` names images that were not delivered."""

    placed: list[PlacedImage] = field(default_factory=list)
    rows: list[ImageRow] = field(default_factory=list)
    person: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)

    def frame_of(self, uid: str | None) -> int | None:
        """Return the number of a frame of reference within the session."""
        return next((image.frame for image in self.placed if image.frame_uid == uid), None)

    def frame_uids(self) -> dict[int, str]:
        """Return the frames of reference by their numbers."""
        return {image.frame: image.frame_uid for image in self.placed}


def image_name(
    session: SessionId, role: Role, modality: str, *, acquisition: str = "", space: str = ""
) -> BidsName:
    """Return the BIDS name of an image.

    BIDS has no entity for the contrast phase: it is joined to the technique after `acq-`.
    """
    if modality in SUFFIX_OF_MODALITY:
        suffix = SUFFIX_OF_MODALITY[modality]
        return raw_name(session.subject, session.session, suffix, space=space)
    contrast = "" if role.phase == "none" else "gadolinium"
    named = str(role.technique).lower() + (role.phase.capitalize() if contrast else "")
    return raw_name(
        session.subject,
        session.session,
        role.suffix,
        acquisition=acquisition or named,
        contrast_agent=contrast,
        space=space,
    )


def grid_columns(image: Placed) -> dict[str, Any]:
    """Return the columns of the table `images` that describe a grid."""
    return {
        "shape": tuple(image.GetSize()),
        "spacing_mm": tuple(round(value, 6) for value in image.GetSpacing()),
        "orientation": "".join(nib.aff2axcodes(ras_affine(image))),
    }
