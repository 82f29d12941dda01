"""Where steps keep what other steps read, apart from what a table names."""

from __future__ import annotations

from cta_data.bids.names import BidsName, variant_name
from cta_data.engine import UnitId

DRAWN = "drawn"
"""Label after `desc-` of lesions on the grid that they were drawn on."""


def drawn_path(unit: UnitId, technique: str) -> str:
    """Return where the lesions go, on the grid of the image that they were drawn on."""
    name = variant_name(unit.subject, unit.session, space=technique, description=DRAWN)
    return f"datasets/{unit.cohort}/derivatives/cta/{name.path}"


def registration_path(unit: UnitId, fixed: int, moving: int) -> str:
    """Return where the transform between two frames, taken from a DICOM object, is kept."""
    entities = {
        "sub": unit.subject,
        "ses": unit.session,
        "from": f"frame{moving}",
        "to": f"frame{fixed}",
        "mode": "image",
        "desc": "dicom",
    }
    name = BidsName(entities, "xfm", ".tfm")
    return f"datasets/{unit.cohort}/derivatives/cta/{name.path}"


def report_path(unit: UnitId, quality: str, grid: str) -> str:
    """Return where the account of one transfer is kept."""
    entities = {"sub": unit.subject, "ses": unit.session, "space": grid, "desc": quality}
    name = BidsName(entities, "transfer", ".json")
    return f"datasets/{unit.cohort}/derivatives/cta/{name.path}"
