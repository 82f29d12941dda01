"""Contours on disk without identity: no UID, no date, nothing that identifies a person.

The file is JSON with one contour a line, so that versions of it can be compared. Numbers are
written as the shortest decimals that give the same float64 back, so a round trip is exact.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cta_data.errors import DataRefused
from cta_data.files import written_whole
from cta_data.imaging.rasterization.contours import AcquiredSlices, Contour, Roi

SCHEMA = "cta_data/contours"
SCHEMA_VERSION = 1


def write_contours(rois: Sequence[Roi], path: Path) -> None:
    """Write ROIs to ``path``, in the order of their numbers; the same ROIs give the same bytes.

    The file is written under a temporary name and then renamed.
    """
    with written_whole(path) as unfinished:
        unfinished.write_text(contours_to_json(rois), encoding="utf-8", newline="\n")


def read_contours(path: Path) -> tuple[Roi, ...]:
    """Read ROIs that :func:`write_contours` wrote; contours are LPS, mm.

    Raises
    ------
    DataRefused
        If the file is missing, not of this schema, or of a newer version.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataRefused("contours_file_unreadable", where=path, error=str(error)) from error
    return contours_from_json(text, where=str(path))


def contours_to_json(rois: Sequence[Roi]) -> str:
    """The text of a contours file: ROIs in the order of their numbers, one contour a line.

    Raises
    ------
    DataRefused
        If a coordinate is not finite.
    """
    ordered = sorted(rois, key=lambda roi: (roi.number, roi.name))
    body = ",\n".join(_roi_to_json(roi) for roi in ordered)
    return (
        f'{{"schema": "{SCHEMA}", "schema_version": {SCHEMA_VERSION}, '
        f'"coordinates": "LPS", "unit": "mm", "rois": [\n{body}\n]}}\n'
    )


def _roi_to_json(roi: Roi) -> str:
    head = json.dumps(
        {"number": roi.number, "name": roi.name, "interpreted_type": roi.interpreted_type},
        ensure_ascii=False,
    )
    if roi.acquired_slices:
        slices = {
            "normal": roi.acquired_slices.normal.tolist(),
            "heights": roi.acquired_slices.heights_mm.tolist(),
        }
        head = f'{head[:-1]}, "acquired_slices": {json.dumps(slices)}}}'
    contours = ",\n".join(_contour_to_json(contour, roi.name) for contour in roi.contours)
    return f'{head[:-1]}, "contours": [\n{contours}\n]}}'


def _contour_to_json(contour: Contour, roi_name: str) -> str:
    try:
        return json.dumps(
            {
                "geometric_type": contour.geometric_type,
                "points": contour.points_lps_mm.tolist(),
            },
            allow_nan=False,
            separators=(",", ":"),
        )
    except ValueError as error:
        raise DataRefused("contour_not_finite", where=f"ROI {roi_name!r}") from error


def contours_from_json(text: str, *, where: str = "contours") -> tuple[Roi, ...]:
    """Parse the text of a contours file.

    Raises
    ------
    DataRefused
        If it is not of this schema, or of a newer version.
    """
    try:
        content: Any = json.loads(text)
    except (json.JSONDecodeError, RecursionError) as error:
        raise DataRefused("contours_not_json", where=where, error=str(error)) from error
    if not isinstance(content, dict) or content.get("schema") != SCHEMA:
        raise DataRefused("contours_schema_unknown", where=where)
    if content.get("schema_version") != SCHEMA_VERSION:
        raise DataRefused(
            "contours_version_unsupported",
            where=where,
            schema_version=content.get("schema_version"),
            supported_version=SCHEMA_VERSION,
        )
    try:
        return tuple(_roi_from_json(item) for item in content["rois"])
    except (KeyError, TypeError, ValueError) as error:
        raise DataRefused(
            "contours_file_damaged", where=where, error_type=type(error).__name__, error=error
        ) from error


def _roi_from_json(item: dict[str, Any]) -> Roi:
    contours = tuple(
        Contour(
            np.asarray(contour["points"], dtype=np.float64).reshape(-1, 3),
            contour["geometric_type"],
        )
        for contour in item["contours"]
    )
    slices = item.get("acquired_slices")
    acquired = None
    if slices:
        acquired = AcquiredSlices(np.asarray(slices["normal"]), np.asarray(slices["heights"]))
    return Roi(
        item["number"],
        item["name"],
        item["interpreted_type"],
        contours=contours,
        acquired_slices=acquired,
    )
