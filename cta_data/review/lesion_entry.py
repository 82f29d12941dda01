"""A lesion on one grid as a list of transfers has it, and how far its transfer is from perfect."""

from __future__ import annotations

from dataclasses import dataclass

RATIO_UNIT = 0.08
SHIFT_UNIT_MM = 0.25
"""A lesion whose volume ratio or centroid is so far off has the score 1."""
Lesion = tuple[str, int]
"""A lesion of a session: its annotation, and its id."""


@dataclass(frozen=True)
class LesionEntry:
    """A lesion of one variant, as in the table `lesions`; `drawn` tells whether it is pictured.

    `failed` is what is outside its limits.
    """

    lesion_id: int
    annotation: str
    grid: str
    volume_cm3: float
    transfer_volume_ratio: float | None
    centroid_shift_mm: float | None
    flags: tuple[str, ...] = ()
    lost_reason: str = ""
    drawn: bool = True
    failed: tuple[str, ...] = ()

    @property
    def lesion(self) -> Lesion:
        """The lesion, whatever the grid."""
        return self.annotation, self.lesion_id

    @property
    def score(self) -> float:
        """How far the transfer is from perfect; 1 is at the limit of what is good."""
        ratio = self.transfer_volume_ratio
        off = abs(ratio - 1) / RATIO_UNIT if ratio is not None else 0.0
        shift = (self.centroid_shift_mm or 0.0) / SHIFT_UNIT_MM
        return max(off, shift) + len(self.flags)

    @property
    def found(self) -> str:
        """What somebody should know of it: that it was lost, what failed, its flags."""
        lost = [f"lost: {self.lost_reason}"] if self.lost_reason else []
        return "; ".join([*lost, *self.failed, *(flag.replace("_", " ") for flag in self.flags)])
