"""What a revision of annotations changed, for people: scores before, now, and the difference."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from cta_data.reports.names import METRIC_NAMES, name_of_test_set
from cta_data.reports.page import Section
from cta_data.reports.table import MISSING, Row, Table, TableColumn
from cta_data.scoring.models.revision import RevisionRow

NAMES = METRIC_NAMES | {
    "voxel_dice": "Voxel Dice",
    "n_reference": "Lesions of the annotations",
    "tp": "Lesions found",
    "fn": "Lesions missed",
    "fp": "False positives",
}
TITLE = "What the revision of annotations changed"


TEXT = (
    "The same predictions, judged by version {version} of every annotation that was revised since, "
    "and by the annotations of today. Cases whose annotation was not revised are in both. "
    "The revised cases one by one are in revision.csv."
)
NOTHING = "No annotation of a scored case is newer than version {version}."


def revision_section(version: int, rows: Sequence[RevisionRow]) -> Section:
    """Return the section of a page about a revision since a version of the annotations."""
    if not rows:
        return Section(TITLE, NOTHING.format(version=version))
    table = replace(revision_table(rows), title="")
    return Section(TITLE, TEXT.format(version=version), tables=(table,))


def revision_table(rows: Sequence[RevisionRow]) -> Table:
    """Return one line a metric or count of each model and test set."""
    columns = (
        TableColumn("Metric", "name"),
        TableColumn("Before"),
        TableColumn("Now"),
        TableColumn("Difference"),
        TableColumn("95 % interval"),
    )
    lines = tuple(
        Row((NAMES[row.metric], *_cells(row)), group=_group(row))
        for row in rows
        if row.metric in NAMES
    )
    caption = (
        "Metrics: means over cases, in percent, and the mean difference with its bootstrap "
        "interval over cases. Counts: sums over cases."
    )
    return Table(columns, lines, TITLE, caption)


def _group(row: RevisionRow) -> str:
    cases = f"{row.n} cases, {row.n_revised} revised"
    return f"Model {row.model} on {name_of_test_set(row.test_set)}, {cases}"


def _cells(row: RevisionRow) -> tuple[str, ...]:
    text = _whole if row.is_count else _percent
    ends = (row.low, row.high)
    has_interval = not any(map(math.isnan, ends))
    interval = " to ".join(text(end, "+") for end in ends) if has_interval else MISSING
    return text(row.before), text(row.now), text(row.difference, "+"), interval


def _whole(value: float, sign: str = "") -> str:
    return f"{int(value):{sign}d}".replace("-", "−")


def _percent(value: float, sign: str = "") -> str:
    return MISSING if math.isnan(value) else f"{100 * value:{sign}.1f}".replace("-", "−")
