"""What a network for patches may be given: the images of each input, by technique and phase."""

from __future__ import annotations

from typing import NamedTuple

LATEST = ""
"""Stands for the latest phase after contrast."""


class Channel(NamedTuple):
    """One image of an input."""

    technique: str
    phase: str = LATEST

    @property
    def name(self) -> str:
        """Name for people and records."""
        return f"{self.technique}-{self.phase}" if self.phase else self.technique


INPUTS: dict[str, tuple[Channel, ...]] = {
    "MPRAGE-late": (Channel("MPRAGE"),),
    "MPRAGE-phases": (
        Channel("MPRAGE", "none"),
        Channel("MPRAGE", "early"),
        Channel("MPRAGE"),
    ),
    "SPACE": (Channel("SPACE"),),
}
QUALITY = "HAQ"
GRID = "SPACE"
"""Technique whose grid the places lie on: HAQ lesions are delineated there."""
