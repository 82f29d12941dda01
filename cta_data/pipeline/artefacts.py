"""Where steps keep what other steps read, apart from what a table names."""

from __future__ import annotations

from cta_data.bids.names import BidsName, variant_name
from cta_data.study.session_id import SessionId

DRAWN = "drawn"
"""Label after `desc-` of lesions on the grid that they were drawn on."""


def drawn_path(session: SessionId, technique: str) -> str:
    """Return where the lesions go, on the grid of the image that they were drawn on."""
    name = variant_name(session.subject, session.session, space=technique, description=DRAWN)
    return f"datasets/{session.cohort}/derivatives/cta/{name.path}"


def registration_path(session: SessionId, fixed: int, moving: int) -> str:
    """Return where the transform between two frames, taken from a DICOM object, is kept."""
    entities = {
        "sub": session.subject,
        "ses": session.session,
        "from": f"frame{moving}",
        "to": f"frame{fixed}",
        "mode": "image",
        "desc": "dicom",
    }
    name = BidsName(entities, "xfm", ".tfm")
    return f"datasets/{session.cohort}/derivatives/cta/{name.path}"


def report_path(session: SessionId, quality: str, grid: str) -> str:
    """Return where the account of one transfer is kept."""
    entities = {"sub": session.subject, "ses": session.session, "space": grid, "desc": quality}
    name = BidsName(entities, "transfer", ".json")
    return f"datasets/{session.cohort}/derivatives/cta/{name.path}"
