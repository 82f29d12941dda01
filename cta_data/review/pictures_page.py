"""The page of pictures: every subject-session once, worst first; nothing comes from elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from cta_data.reports.page import page_html
from cta_data.reports.table import MISSING, Row, Table, TableColumn

RATIO_UNIT = 0.08
SHIFT_UNIT_MM = 0.25
ORDER = (
    "Worst first: registrations and transfers that are held back or failed; then sessions "
    "with lost lesions, most lost first; then by the worst lesion’s score. The score of a lesion "
    f"is the larger of |transfer_volume_ratio − 1| ÷ {RATIO_UNIT:g} and centroid_shift_mm ÷ "
    f"{SHIFT_UNIT_MM:g} mm, plus 1 for each flag."
)
OVERVIEW = (
    TableColumn("subject-session", "text"),
    *(TableColumn(name) for name in ("lesions", "lost", "flagged", "worst score")),
    TableColumn("state", "text"),
)
NUMBERS = (
    TableColumn("lesion", "text"),
    TableColumn("variant", "text"),
    TableColumn("grid", "text"),
    TableColumn("volume", unit="cm³"),
    TableColumn("transfer_volume_ratio"),
    TableColumn("centroid_shift_mm"),
    TableColumn("flags", "text"),
    TableColumn("picture", "text"),
)


@dataclass(frozen=True)
class LesionEntry:
    """A lesion of one variant, as in the table `lesions`; `drawn` tells whether it is pictured."""

    lesion_id: int
    quality: str
    grid: str
    volume_cm3: float
    transfer_volume_ratio: float | None
    centroid_shift_mm: float | None
    flags: tuple[str, ...] = ()
    lost_reason: str = ""
    drawn: bool = True

    @property
    def score(self) -> float:
        """How far the transfer is from perfect; 1 is at the limit of what is good."""
        ratio = self.transfer_volume_ratio
        off = abs(ratio - 1) / RATIO_UNIT if ratio is not None else 0.0
        shift = (self.centroid_shift_mm or 0.0) / SHIFT_UNIT_MM
        return max(off, shift) + len(self.flags)


@dataclass(frozen=True)
class SessionEntry:
    """One subject-session of the page.

    `picture` is relative to the page, or empty where none could be drawn. `failures` say why a
    registration was not accepted or a transfer failed; `decisions` what people said of it.
    """

    cohort: str
    subject: str
    session: str
    picture: str
    failures: tuple[str, ...] = ()
    lesions: tuple[LesionEntry, ...] = ()
    decisions: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Cohort, subject and session for people."""
        return f"{self.cohort} sub-{self.subject} ses-{self.session}"

    @property
    def anchor(self) -> str:
        """Target of links within the page."""
        return f"{self.cohort}_sub-{self.subject}_ses-{self.session}"

    @property
    def n_lesions(self) -> int:
        """Lesions, on however many grids."""
        return len({one.lesion_id for one in self.lesions})

    @property
    def n_lost(self) -> int:
        """Lesions that did not arrive on some grid."""
        return len({one.lesion_id for one in self.lesions if one.lost_reason})

    @property
    def score(self) -> float:
        """Score of the worst lesion that arrived."""
        return max((one.score for one in self.lesions if not one.lost_reason), default=0.0)


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
        key=lambda e: (not e.failures, -e.n_lost, -e.score, e.cohort, e.subject, e.session),
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
    return page_html(
        "transfers.html",
        title="Transfers to look at",
        notice=notice,
        selection=selection,
        counts=_counts(ordered, left_out),
        order=ORDER,
        not_drawn=[f"{name}: {why}" for name, why in left_out.not_drawn],
        entries=ordered,
        overview=Table(OVERVIEW, tuple(map(_overview_row, ordered))),
        numbers=[Table(NUMBERS, tuple(map(_lesion_row, one.lesions))) for one in ordered],
    )


def _counts(entries: Sequence[SessionEntry], left_out: LeftOut) -> str:
    failed = sum(1 for entry in entries if entry.failures)
    lost = sum(entry.n_lost for entry in entries)
    return (
        f"Subject-sessions shown: {len(entries)}; held back or failed: {failed}; lesions lost: "
        f"{lost}. Not shown: "
        f"{left_out.without_annotation} without annotation, {left_out.excluded} excluded, "
        f"{left_out.not_transferred} not transferred yet or stopped earlier, "
        f"{len(left_out.not_drawn)} that could not be drawn."
    )


def _overview_row(entry: SessionEntry) -> Row:
    flagged = len({lesion.lesion_id for lesion in entry.lesions if lesion.flags})
    state = "accepted by a person" if entry.decisions else "ok"
    state = "held back or failed" if entry.failures else state
    counts = map(str, (entry.n_lesions, entry.n_lost, flagged))
    cells = (entry.name, *counts, f"{entry.score:.2f}", state)
    return Row(cells, link=entry.anchor, is_warning=bool(entry.failures))


def _lesion_row(lesion: LesionEntry) -> Row:
    lost = f"lost: {lesion.lost_reason}" if lesion.lost_reason else ""
    return Row(
        (
            str(lesion.lesion_id),
            lesion.quality,
            lesion.grid,
            f"{lesion.volume_cm3:.3f}",
            _number(lesion.transfer_volume_ratio, 3),
            _number(lesion.centroid_shift_mm, 2),
            lost or "; ".join(lesion.flags) or MISSING,
            "yes" if lesion.drawn else "no: 12 worst only",
        )
    )


def _number(value: float | None, decimals: int) -> str:
    return MISSING if value is None else f"{value:.{decimals}f}"
