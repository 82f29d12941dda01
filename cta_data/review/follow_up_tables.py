"""Changes of lesions in tables."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from cta_data.reports.table import MISSING, Row, Table, TableColumn
from cta_data.review.follow_up import FollowedSubject
from cta_data.study.tables import LesionChangeRow

STATES = {
    "new": "new",
    "gone": "gone",
    "persisting": "persisting",
    "split": "split",
    "merged": "merged",
    "merged_and_split": "merged and split",
    "not_delineated": "not delineated again",
    "not_compared": "not compared",
}
"""States of the table `lesion_changes` for people."""
CAPTION = (
    "Volumes as delineated. In parentheses: 95 % intervals of the change, from the voxel size and "
    "the placement of outlines. Grown and shrunk: the interval excludes 0, and the change reaches "
    "the limits of study.toml."
)
BY_LABEL = "The source has no dates: sessions are in the order of their labels."
OTHER_READER = "Different readers delineated these sessions: {pairs}."


def changes_frame(subjects: Iterable[FollowedSubject]) -> pd.DataFrame:
    """Return every change of some subjects: the columns of the table `lesion_changes`."""
    frame = pd.DataFrame([row.columns() for one in subjects for row in one.changes])
    whole = {"days_between": "Int64"}
    return frame.astype(whole) if len(frame) else frame


def csv_frame(subjects: Iterable[FollowedSubject]) -> pd.DataFrame:
    """Return the same with lists as text: numbers of lesions with blanks between."""
    frame = changes_frame(subjects)
    for column in ("earlier_lesions", "later_lesions"):
        frame[column] = [" ".join(map(str, numbers)) for numbers in frame[column]]
    return frame


def changes_table(one: FollowedSubject) -> Table:
    """Return the changes of one subject, for people."""
    columns = (
        TableColumn("Sessions", "name"),
        TableColumn("Days"),
        TableColumn("Annotation", "text"),
        TableColumn("before", group="Lesions"),
        TableColumn("after", group="Lesions"),
        TableColumn("State", "text", group="Change"),
        TableColumn("Trend", "text", group="Change"),
        TableColumn("before", group="Volume, mm³"),
        TableColumn("after", group="Volume, mm³"),
        TableColumn("change", group="Volume, mm³"),
        TableColumn("%", group="Volume, mm³"),
    )
    notes = [BY_LABEL] if any(row.ordered_by == "label" for row in one.changes) else []
    pairs = {_sessions(row) for row in one.changes if row.same_reader is False}
    notes += [OTHER_READER.format(pairs=", ".join(sorted(pairs)))] if pairs else []
    rows = tuple(map(_row, one.changes))
    return Table(columns, rows, one.title, CAPTION, tuple(notes))


def _sessions(row: LesionChangeRow) -> str:
    return f"{row.earlier_session} → {row.session.session}"


def _row(row: LesionChangeRow) -> Row:
    change = _number(row.change_mm3)
    if row.change_low_mm3 is not None:
        ends = f"{_number(row.change_low_mm3)} to {_number(row.change_high_mm3)}"
        change = f"{change} ({ends})"
    return Row(
        (
            _sessions(row),
            MISSING if row.days_between is None else str(row.days_between),
            row.quality,
            "+".join(map(str, row.earlier_lesions)) or MISSING,
            "+".join(map(str, row.later_lesions)) or MISSING,
            STATES[row.state],
            row.trend or MISSING,
            _number(row.volume_before_mm3),
            _number(row.volume_after_mm3),
            change,
            _number(row.change_percent),
        )
    )


def _number(value: float | None) -> str:
    return MISSING if value is None else f"{value:.0f}".replace("-", "−")


def overview_table(subjects: Iterable[FollowedSubject]) -> Table:
    """Return how many lesions of each subject changed in which way."""
    trends = ("grown", "shrunk", "stable")
    seen = list(subjects)
    states = [s for s in STATES if any(r.state == s for one in seen for r in one.changes)]
    columns = (
        TableColumn("Subject", "name"),
        TableColumn("Sessions"),
        *(TableColumn(STATES[state], group="Changes") for state in states),
        *(TableColumn(trend, group="Volume") for trend in trends),
    )
    rows = tuple(
        Row(
            (
                one.title,
                str(len(one.visits)),
                *(str(sum(row.state == state for row in one.changes)) for state in states),
                *(str(sum(row.trend == trend for row in one.changes)) for trend in trends),
            )
        )
        for one in seen
    )
    return Table(columns, rows, "Subjects")
