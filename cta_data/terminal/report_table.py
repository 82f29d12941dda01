"""Table 1 and the sources on a terminal."""

from __future__ import annotations

import os
from collections.abc import Sequence

from cta_data.reports.citations import Citation, told
from cta_data.reports.report import Reports
from cta_data.reports.table import MISSING, terminal_tables
from cta_data.reports.table_1 import table_1_in_print, unpartitioned_notes
from cta_data.scoring.paper import PAPER_CITATION
from cta_data.study.study import Study
from cta_data.terminal.output import console


def print_written_reports(study: Study, reports: Reports) -> None:
    """Print the reports of a study, and which files hold them."""
    print_reports(reports)
    console().print("Written:")
    for name in reports.files:
        console().print(f"  {os.path.relpath(study.root / name)}", soft_wrap=True)


def print_reports(reports: Reports) -> None:
    """Print Table 1, who is not in it, and the sources."""
    out = console()
    for part in terminal_tables(table_1_in_print(reports.table), out.width):
        out.print(part)
        out.print()
    out.print(
        f"ours: this study. paper: {PAPER_CITATION}. difference: ours − paper.", soft_wrap=True
    )
    out.print(f"{MISSING} no value: not given, or not printed", soft_wrap=True)
    for note in unpartitioned_notes(reports.table):
        out.print(note, soft_wrap=True)
    if len(reports.left_out):
        out.print(f"Counted in no population: {len(reports.left_out)} patients")
        for cohort, subject, reason in reports.left_out.itertuples(index=False, name=None):
            out.print(f"  {cohort} sub-{subject}: {reason}", soft_wrap=True)
    print_citations(reports.citations)


def print_citations(citations: Sequence[Citation]) -> None:
    """Print the source of every cohort in use."""
    out = console()
    out.print("Sources of the cohorts in use:")
    for one in citations:
        out.print(f"  {one.cohort}: {one.title}")
        for name, value in told(one):
            if value:
                out.print(f"    {name}: {value}", soft_wrap=True)
