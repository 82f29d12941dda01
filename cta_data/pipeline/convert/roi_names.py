"""What regions are called outside of sourcedata: who draws one may type anything into its name."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import pydicom

from cta_data.cohorts.roi_selection import RoiName
from cta_data.formats.dicom.header import identity_of
from cta_data.redaction import Identity, Redactor


@dataclass(frozen=True)
class RoiNaming:
    """How the regions of a session are called.

    Attributes
    ----------
    withheld
        Whether a number takes the place of the name (`annotations.roi_names` of the card).
    redactor
        Finds the session's patient.
    """

    withheld: bool
    redactor: Redactor

    def roi(
        self,
        number: int,
        name: str,
        *,
        what: str = "ROI",
        interpreted_type: str = "",
        n_contours: int = 1,
        unreadable: str = "",
    ) -> RoiName:
        """Return a region with its own name, for rules, and the one under which it is published."""
        published = f"{what} {number}" if self.withheld else self.redacted(name)
        return RoiName(
            number, name, interpreted_type, n_contours, unreadable, published, self.withheld
        )

    def redacted(self, name: str) -> str:
        """Return a name without the patient's identity: for the log, and to join tables by."""
        return self.redactor.redact(name)

    def note(self, names: Iterable[tuple[int, str]], what: str = "ROI") -> list[str]:
        """Return a note for the log, which is not versioned, that says which number is which name.

        Empty where the tables hold the names themselves.
        """
        told = "; ".join(f"{what} {number}: {self.redacted(name)!r}" for number, name in names)
        return [f"names that the tables do not hold: {told}"] if self.withheld and told else []


def identity_in(datasets: Iterable[pydicom.Dataset]) -> Identity:
    """Return whom the objects of a session are about, and who drew its regions.

    Any of the objects may name the patient whom another one leaves out.
    """
    return Identity.of_headers(identity_of(dataset) for dataset in datasets)
