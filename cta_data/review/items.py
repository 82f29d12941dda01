"""What a reader is asked to look at: one transfer, finding or disagreement of two annotations."""

from __future__ import annotations

from dataclasses import dataclass

from cta_data.engine.acceptance import ACCEPTED, ANNOTATION, FINDING, REJECTED, TRANSFER, UNCERTAIN
from cta_data.scoring.audited import VERDICTS
from cta_data.study.session_id import SessionId
from cta_data.study.tables import DecisionRow
from cta_data.study.tables.table_row import SESSION, fields_of
from cta_data.versioning.keys import digest

KINDS = {"transfers": TRANSFER, "findings": FINDING, "annotations": ANNOTATION}
"""What `--of` may name, and what the table `decisions` calls it."""
VERDICTS_OF = {
    TRANSFER: (ACCEPTED, REJECTED, UNCERTAIN),
    FINDING: (*VERDICTS, UNCERTAIN),
    ANNOTATION: (ACCEPTED, REJECTED, UNCERTAIN),
}
BOTH_OR_NEITHER = ("both", "neither")
_SAID = (
    *("reader", "verdict", "reason", "decided_on", "number", "content_key"),
    *("finding", "finding_code", "blinded", "preferred"),
)
ABOUT = tuple(name for name in fields_of(DecisionRow) if name not in _SAID)
"""Fields of a decision that say what it is about, whoever made it."""


@dataclass(frozen=True)
class MaskSource:
    """A mask whose outline is shown.

    Attributes
    ----------
    name
        Of the outline.
    path
        File from the top of the study.
    grid
        Technique on whose grid the mask is; empty where the grids of the images have to tell.
    only
        The one instance of it that is shown; 0 for all.
    convention
        By which instances are numbered; empty where the values of the file are the numbers.
    """

    name: str
    path: str
    grid: str
    only: int = 0
    convention: str = ""


@dataclass(frozen=True)
class Stop:
    """A place to look at.

    Attributes
    ----------
    label
        For people.
    lesions
        Masks and the number of the lesion in them: the first that has it says where it is.
    point_ras_mm, grid
        Where it is, in the space of a technique, if a table says it.
    """

    label: str
    lesions: tuple[tuple[MaskSource, int], ...] = ()
    point_ras_mm: tuple[float, ...] = ()
    grid: str = ""


@dataclass(frozen=True)
class ReviewItem:
    """One thing to decide about.

    Attributes
    ----------
    about
        A decision about it without reader and verdict, with the content key of what is shown.
    title
        For people; in a blinded reading it says nothing of model, reference or type of finding.
    facts
        Names and values to be shown beside the images.
    urgency
        The larger, the earlier in the list.
    stops, masks
        Where to look, and what is outlined.
    type
        Of a finding: `false`, `missed` or `detected`, which a blinded reader is not told.
    """

    about: DecisionRow
    title: str
    facts: tuple[tuple[str, str], ...]
    urgency: float
    stops: tuple[Stop, ...] = ()
    masks: tuple[MaskSource, ...] = ()
    type: str = ""

    @property
    def kind(self) -> str:
        """`transfer`, `finding` or `annotation`."""
        return self.about.kind

    @property
    def session(self) -> SessionId:
        """The session whose images are shown."""
        assert self.about.session is not None
        return self.about.session

    @property
    def id(self) -> str:
        """Name in addresses and files: it says nothing of what the item is."""
        return digest([*map(str, about_key(self.about))])[:16]

    @property
    def verdicts(self) -> tuple[str, ...]:
        """What may be said of it."""
        return VERDICTS_OF[self.kind]

    @property
    def choices(self) -> tuple[str, ...]:
        """Which annotations may be said to be right; empty where it is not about two."""
        if self.kind != ANNOTATION:
            return ()
        return (self.about.first_annotation, self.about.second_annotation, *BOTH_OR_NEITHER)


def about_key(row: DecisionRow) -> tuple[object, ...]:
    """Return what a decision is about."""
    return tuple(tuple(v or ()) if n == SESSION else v for n in ABOUT for v in (getattr(row, n),))


def lesions_in_words(row: DecisionRow) -> str:
    """Return the lesions of two annotations that a decision is about; one may have none there."""
    numbers = {row.first_annotation: row.first_lesion, row.second_annotation: row.second_lesion}
    return " and ".join(f"{name} lesion {number}" for name, number in numbers.items() if number)


def two_annotations(row: DecisionRow) -> str:
    """Return what a decision about two annotations is about, in words."""
    both = f"{row.first_annotation} and {row.second_annotation}"
    return f"{both} of {row.session}: {lesions_in_words(row)}"


def in_words(number: float | None, unit: str = "", digits: int = 2) -> str:
    """Return a measured value for people."""
    return "not known" if number is None else f"{number:.{digits}f}{unit}"
