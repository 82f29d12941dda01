"""The QC page: every subject-session once, worst first; nothing comes from elsewhere."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from cta_data.reports.page import page_html
from cta_data.reports.table import (
    MISSING,
    Row,
    Table,
    TableColumn,
    number_text,
    without_empty_columns,
)
from cta_data.review.lesion_entry import RATIO_UNIT, SHIFT_UNIT_MM, Lesion, LesionEntry
from cta_data.review.page_pictures import VIEWS_TEXT, PagePicture
from cta_data.study.session_id import SessionId

HOME = "../../index.html"
ON_HOLD, FAILED, REJECTED = "on hold", "failed", "rejected"
ACCEPTED, PASSED, UNANNOTATED = "accepted", "passed", "no transfer"
STATES = {
    ON_HOLD: "a check failed, and nobody has decided yet",
    FAILED: "the step could not be done",
    REJECTED: "a person said that it is not to be used",
    ACCEPTED: "a person accepted it, whatever the checks say",
    PASSED: "all checks passed",
    UNANNOTATED: "registered; there is no annotation to transfer, or it was not transferred yet",
}
"""What the state of a session may be, one of these, with its meaning."""
ORDER = (
    "Worst first: on hold and failed; then sessions with lost lesions, most lost first; then by "
    "the worst lesion’s score. The score of a lesion is the larger of |volume ratio − 1| ÷ "
    f"{RATIO_UNIT:g} and centroid shift ÷ {SHIFT_UNIT_MM:g} mm, plus 1 for each flag."
)
OVERVIEW = (
    TableColumn("Subject-session", "text"),
    TableColumn("State", "text"),
    *(TableColumn(name) for name in ("Lesions", "Lost", "Flagged", "Worst score")),
)
NUMBERS = (
    TableColumn("Lesion", "name"),
    TableColumn("Variant", "text"),
    TableColumn("Volume", unit="cm³"),
    TableColumn("Volume ratio"),
    TableColumn("Centroid shift", unit="mm"),
    TableColumn("Found", "text"),
)


@dataclass(frozen=True)
class SessionEntry:
    """One subject-session of the page.

    Attributes
    ----------
    state
        One of `STATES`.
    registration
        Checkerboards; None where only one technique is there.
    failures
        Why a registration was not accepted or a transfer failed.
    decisions
        What people said of it.
    pictures
        Drawn lesions by their annotation and number.
    """

    session: SessionId
    state: str = PASSED
    registration: PagePicture | None = None
    failures: tuple[str, ...] = ()
    lesions: tuple[LesionEntry, ...] = ()
    decisions: tuple[str, ...] = ()
    pictures: tuple[tuple[Lesion, PagePicture], ...] = ()

    @property
    def name(self) -> str:
        """Cohort, subject and session for people."""
        return str(self.session)

    @property
    def anchor(self) -> str:
        """Target of links within the page."""
        return self.session.case

    @property
    def n_lesions(self) -> int:
        """Lesions, on however many grids."""
        return len({one.lesion for one in self.lesions})

    @property
    def n_annotations(self) -> int:
        """Annotations that its lesions are of."""
        return len({one.annotation for one in self.lesions})

    @property
    def n_lost(self) -> int:
        """Lesions that did not arrive on some grid."""
        return len({one.lesion for one in self.lesions if one.lost_reason})

    @property
    def score(self) -> float:
        """Score of the worst lesion that arrived."""
        return max((one.score for one in self.lesions if not one.lost_reason), default=0.0)

    @property
    def files(self) -> list[str]:
        """Files of its pictures, from the page."""
        own = [self.registration] if self.registration else []
        return [one.file for one in (*own, *(picture for _, picture in self.pictures))]

    def of_lesion(self, lesion: Lesion) -> list[LesionEntry]:
        """Return a lesion on every grid."""
        return [one for one in self.lesions if one.lesion == lesion]


@dataclass(frozen=True)
class LeftOut:
    """How many subject-sessions have no picture, and why."""

    without_annotation: int = 0
    excluded: int = 0
    not_transferred: int = 0
    not_drawn: tuple[tuple[str, str], ...] = ()
    """Name and reason of those that should have one."""


def worst_first(entries: Iterable[SessionEntry]) -> list[SessionEntry]:
    """Sort as `ORDER` says; equals by cohort, subject and session."""
    return sorted(
        entries,
        key=lambda e: (e.state not in (ON_HOLD, FAILED), -e.n_lost, -e.score, e.session),
    )


def pictures_html(
    entries: Sequence[SessionEntry], left_out: LeftOut, selection: str = "", notice: str = ""
) -> str:
    """Return the page; it works from the file system, beside its pictures.

    Parameters
    ----------
    entries
        In any order.
    selection
        What the page was restricted to, in words; empty for the whole study.
    notice
        A line that the page begins with.
    """
    ordered = worst_first(entries)
    counts = [(name, sum(one.state == name for one in ordered)) for name in STATES]
    return page_html(
        "transfers.html",
        title="QC of registrations and transfers",
        notice=notice,
        home=HOME,
        selection=selection,
        counts=[(name, n) for name, n in counts if n],
        meanings={name: STATES[name] for name, n in counts if n},
        left_out=_left_out(left_out),
        order=ORDER,
        open_states=(ON_HOLD, FAILED),
        views=VIEWS_TEXT,
        not_drawn=[f"{name}: {why}" for name, why in left_out.not_drawn],
        entries=ordered,
        overview=Table(
            OVERVIEW, tuple(map(_overview_row, ordered)), "Subject-sessions", is_sortable=True
        ),
        numbers=[_numbers(one) for one in ordered],
        commands=[deciding_command(one.session) for one in ordered],
    )


def deciding_command(session: SessionId) -> str:
    """Return the command that accepts a session, with the reason to be filled in."""
    words = ["cta-data", "accept", "--cohort", session.cohort, "--subject", session.subject]
    return f'{shlex.join(words)} --reason "WHY"'


def _left_out(left_out: LeftOut) -> str:
    return (
        f"Not shown: {left_out.without_annotation} without annotation and registration, "
        f"{left_out.excluded} excluded, {left_out.not_transferred} not registered yet or stopped "
        f"earlier, {len(left_out.not_drawn)} that could not be drawn."
    )


def _overview_row(entry: SessionEntry) -> Row:
    flagged = len({lesion.lesion for lesion in entry.lesions if lesion.flags})
    counts = map(str, (entry.n_lesions, entry.n_lost, flagged))
    return Row(
        (entry.name, entry.state, *counts, f"{entry.score:.2f}"),
        link=entry.anchor,
        is_warning=entry.state in (ON_HOLD, FAILED),
        marks=(("cohort", entry.session.cohort), ("state", entry.state)),
    )


def _numbers(entry: SessionEntry) -> Table:
    return without_empty_columns(Table(NUMBERS, tuple(map(_lesion_row, entry.lesions))))


def _lesion_row(lesion: LesionEntry) -> Row:
    return Row(
        (
            str(lesion.lesion_id),
            f"{lesion.annotation} on {lesion.grid}",
            f"{lesion.volume_cm3:.3f}",
            number_text(lesion.transfer_volume_ratio, 3),
            number_text(lesion.centroid_shift_mm, 2),
            lesion.found or MISSING,
        ),
        is_warning=bool(lesion.lost_reason or lesion.failed),
    )
