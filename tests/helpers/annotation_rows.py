"""Rows of the table `annotations` from the few columns that a test is about."""

from __future__ import annotations

from typing import Any

TECHNIQUES = {"NAQ": "MPRAGE", "HAQ": "SPACE"}


def annotation_columns(quality: str, **more: Any) -> dict[str, Any]:
    """Return the columns of an annotation of a quality, as delivered, by an unknown reader."""
    technique = TECHNIQUES.get(quality, "MPRAGE")
    about = {"annotation": quality, "quality": quality, "drawn_on": technique, "space": technique}
    place = {"form": "contours", "n_lesions": 2, "path": f"{quality}_contours.json"}
    state = {"reader": "unknown", "version": 1, "origin": "delivered", "status": "current"}
    return about | place | state | more
