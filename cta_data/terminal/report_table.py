"""Table 1 and the sources on a terminal."""

from __future__ import annotations

import os
from collections.abc import Iterator

from rich.table import Table

from cta_data.reports.citations import told
from cta_data.reports.report import Reports
from cta_data.reports.table_1.rendering import unpartitioned_notes
from cta_data.reports.table_1.wide_layout import MISSING, Cell, WideTable, wide_table
from cta_data.scoring.published import PAPER_CITATION
from cta_data.study.study import Study
from cta_data.terminal.output import console

GAP = 2
"""Blanks between two columns."""


def written_lines(study: Study, reports: Reports) -> Iterator[str | Table]:
    """Yield the reports of a study, and which files hold them."""
    yield from report_lines(reports)
    yield "Written:"
    yield from (f"  {os.path.relpath(study.root / name)}" for name in reports.files)


def report_lines(reports: Reports) -> Iterator[str | Table]:
    """Yield Table 1, who is not in it, and the sources of the cohorts in use."""
    wide = wide_table(reports.table)
    for columns in _fitting(wide, console().width):
        yield _block(wide, columns)
        yield ""
    yield f"ours: this study. paper: {PAPER_CITATION}. difference: ours − paper."
    yield f"{MISSING} no value: not given, or not printed"
    yield from unpartitioned_notes(reports.table)
    if len(reports.left_out):
        yield f"Counted in no population: {len(reports.left_out)} patients"
    for cohort, subject, reason in reports.left_out.itertuples(index=False, name=None):
        yield f"  {cohort} sub-{subject}: {reason}"
    yield "Sources of the cohorts in use:"
    for one in reports.citations:
        yield f"  {one.cohort}: {one.title}"
        yield from (f"    {name}: {value}" for name, value in told(one) if value)


def _texts(wide: WideTable, index: int) -> list[tuple[str, ...]]:
    """Return the columns of one population, row by row, its headings first."""
    population = wide.populations[index]
    count = 3 if population.is_published else 1
    rows = [("ours", "paper", "difference")[:count]]
    rows += [_of(cells[index])[:count] for _, cells in wide.lines]
    return rows


def _of(cell: Cell) -> tuple[str, str, str]:
    return cell.ours, cell.published, cell.difference


def _width(wide: WideTable, index: int) -> int:
    columns = zip(*_texts(wide, index), strict=True)
    return sum(max(len(text) for text in column) + GAP for column in columns)


def _fitting(wide: WideTable, width: int) -> list[list[int]]:
    """Split the populations into blocks that fit the terminal side by side."""
    label = max((len(line.label) for line, _ in wide.lines), default=0) + 2 + GAP
    blocks: list[list[int]] = []
    used = width
    for index in range(len(wide.populations)):
        needed = _width(wide, index)
        if not blocks or used + needed > width:
            blocks.append([])
            used = label
        blocks[-1].append(index)
        used += needed
    return blocks


def _block(wide: WideTable, indices: list[int]) -> Table:
    table = Table(box=None, title="Table 1", title_justify="left", pad_edge=False, padding=(0, 1))
    table.add_column("", no_wrap=True)
    columns = [_texts(wide, index) for index in indices]
    for index, rows in zip(indices, columns, strict=True):
        for n, heading in enumerate(rows[0]):
            name = wide.populations[index].name if n == 0 else ""
            table.add_column(f"{name}\n{heading}", justify="right", no_wrap=True)
    group = ""
    for number, (line, _) in enumerate(wide.lines, start=1):
        if line.group != group:
            group = line.group
            table.add_row(group)
        texts = [text for rows in columns for text in rows[number]]
        table.add_row(f"  {line.label}", *texts)
    return table
