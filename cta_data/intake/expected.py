"""What a cohort's card expects of a source: what is nothing of that does not enter the cohort.

A wrong name of a cohort, or the wrong folder, would put one hospital's patients among those of
another, or identifiable objects into a cohort that is public.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from cta_data.intake.discover import Problem
from cta_data.intake.instances import Instance
from cta_data.intake.plan_model import REFUSE, SeriesPlan
from cta_data.intake.sop_classes import FILE_CLASS, IMAGE_KINDS

NO_DICOM = "is DICOM, and the card has no rules for DICOM ([[series]])"
NOT_OF_COLLECTION = (
    "is DICOM of a patient who is not of the collection (subjects.pattern; --subject-map names "
    "those that are)"
)


@dataclass(frozen=True)
class Expected:
    """What may enter a cohort; without anything said, all may.

    Attributes
    ----------
    is_image
        Tells whether a series or file becomes an image, by its planned header.
    dicom
        Whether the card has rules for DICOM.
    of_collection
        Tells whether a patient number is one of the collection.
    is_public
        Whether nothing is remembered of who is not expected: what is recorded is handed on.
    """

    is_image: Callable[[SeriesPlan], bool] = lambda series: True
    dicom: bool = True
    of_collection: Callable[[str], bool] = lambda number: True
    is_public: bool = False

    def sift(self, instances: Iterable[Instance]) -> tuple[list[Instance], list[Problem]]:
        """Return what may enter, and a problem for each patient's objects that may not."""
        kept: list[Instance] = []
        left: dict[tuple[str, str], list[str]] = {}
        for one in instances:
            reason = self._why_not(one)
            if reason:
                left.setdefault((one.patient_id, reason), []).append(one.name)
            else:
                kept.append(one)
        return kept, [_problem(names, reason) for (_, reason), names in left.items()]

    def has_image(self, series: Sequence[SeriesPlan]) -> bool:
        """Return whether any series is an image of the card, or a damaged one that could be it."""
        return any(
            self.is_image(one)
            or (one.action == REFUSE and one.kind in IMAGE_KINDS and not one.header)
            for one in series
        )

    def _why_not(self, one: Instance) -> str:
        if one.sop_class.startswith(FILE_CLASS):
            return ""
        if not self.dicom:
            return NO_DICOM
        return "" if self.of_collection(one.patient_id) else NOT_OF_COLLECTION


def _problem(names: list[str], reason: str) -> Problem:
    more = f", and {len(names) - 1} more files," if len(names) > 1 else ""
    return Problem(f"{min(names)}{more}", f"{reason}; it is not taken in")
