"""Rows of the table `rois` about the regions of masks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cta_data.imaging.lesions.mask_lesions import MaskLesions
from cta_data.reasons import Reason
from cta_data.study.session_id import SessionId
from cta_data.study.tables import RoiRow


@dataclass(frozen=True)
class RegionSource:
    """Where the regions of masks come from: the columns that all of them share.

    `number` is that of the annotation within the session, in place of a structure set's.
    """

    session: SessionId
    number: int
    annotation: str | None
    drawn_on: str | None
    frame: int


def region_rows(
    source: RegionSource, lesions: MaskLesions, rules: Mapping[str, str] | None = None
) -> list[RoiRow]:
    """Return a row for every region of the masks of an annotation.

    `rules` are the patterns that chose masks by their names; without one a value decided.
    """
    chosen = rules or {}
    return [
        RoiRow(
            session=source.session,
            structure_set=source.number,
            roi_number=region.number,
            source_roi=region.name,
            annotation=source.annotation,
            drawn_on=source.drawn_on,
            frame=source.frame,
            n_contours=0,
            n_voxels=region.n_voxels,
            selected=region.lesion,
            selected_by=chosen.get(region.name, "masks.lesion_values") if region.lesion else None,
            **rejected_columns(region.reason),
        )
        for region in lesions.regions
    ]


def rejected_columns(reason: Reason | None) -> dict[str, Any]:
    """Return the columns of the table `rois` that say why an ROI is not taken."""
    return {
        "rejected_reason": str(reason) if reason else None,
        "rejected_code": reason.finding.code if reason else None,
    }


def rejected_row(
    source: RegionSource, number: int, name: str, reason: Reason, *, rule: str = ""
) -> RoiRow:
    """Return the row of a region of a mask that is no lesion by the card's rules on names."""
    return RoiRow(
        session=source.session,
        structure_set=source.number,
        roi_number=number,
        source_roi=name,
        annotation=source.annotation,
        drawn_on=source.drawn_on,
        frame=source.frame,
        n_contours=0,
        selected=False,
        selected_by=rule or None,
        **rejected_columns(reason),
    )
