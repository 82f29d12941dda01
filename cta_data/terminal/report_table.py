"""Table 1 and the sources on a terminal."""

from __future__ import annotations

import os
from collections.abc import Iterator

from rich.table import Table

from cta_data.reports.citations import told
from cta_data.reports.report import TABLE_1, Reports
from cta_data.reports.table import MISSING, terminal_tables
from cta_data.reports.table_1 import table_1_in_print, unpartitioned_notes
from cta_data.scoring.paper import PAPER_CITATION
from cta_data.study.study import Study
from cta_data.terminal.output import console


def written_lines(study: Study, reports: Reports) -> Iterator[str | Table]:
    """Yield the reports of a study, and which files hold them."""
    if TABLE_1 in reports.names:
        yield from report_lines(reports)
    if reports.checklist:
        given = sum(one.is_given for one in reports.checklist)
        yield f"Checklist: the study answers {given} of {len(reports.checklist)} items"
    yield "Written:"
    yield from (f"  {os.path.relpath(study.root / name)}" for name in reports.files)


def report_lines(reports: Reports) -> Iterator[str | Table]:
    """Yield Table 1, who is not in it, and the sources of the cohorts in use."""
    for block in table_1_in_print(reports.table):
        for part in terminal_tables(block, console().width):
            yield part
            yield ""
    yield f"ours: this study. paper: {PAPER_CITATION}."
    yield f"{MISSING} no value: not given, or not printed"
    yield from unpartitioned_notes(reports.table)
    yield from reports.withdrawals
    if len(reports.left_out):
        yield f"Counted in no population: {len(reports.left_out)} patients"
    for cohort, subject, reason in reports.left_out.itertuples(index=False, name=None):
        yield f"  {cohort} sub-{subject}: {reason}"
    yield "Sources of the cohorts in use:"
    for one in reports.citations:
        yield f"  {one.cohort}: {one.title}"
        yield from (f"    {name}: {value}" for name, value in told(one) if value)
