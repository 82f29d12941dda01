"""Rows of the table `annotations`: every region as delivered, and what was decided about it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cta_data.engine import UnitId
from cta_data.imaging.lesions.mask_lesions import MaskLesions


def annotation_row(
    unit: UnitId,
    number: int,
    name: str,
    *,
    drawn_on: str | None,
    frame: int | None,
    selected: bool,
    structure_set: int = 1,
    **more: Any,
) -> dict[str, Any]:
    """Return the row of one region; `more` are further columns of the table."""
    return {
        **unit.session.columns(),
        "structure_set": structure_set,
        "roi_number": number,
        "source_roi": name,
        "drawn_on": drawn_on,
        "frame": frame,
        "n_contours": 0,
        "selected": selected,
    } | more


def region_rows(
    unit: UnitId,
    lesions: MaskLesions,
    drawn_on: str | None,
    frame: int,
    rules: Mapping[str, str] | None = None,
) -> list[dict[str, Any]]:
    """Return a row for every region of a session's masks.

    `rules` are the patterns that chose masks by their names; without one a value decided.
    """
    chosen = rules or {}
    return [
        annotation_row(
            unit,
            region.number,
            region.name,
            drawn_on=drawn_on,
            frame=frame,
            selected=region.lesion,
            n_voxels=region.n_voxels,
            selected_by=chosen.get(region.name, "masks.lesion_values") if region.lesion else None,
            rejected_reason=region.reason or None,
        )
        for region in lesions.regions
    ]
