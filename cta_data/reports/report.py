"""Reports: what is told of a study in files that people read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from cta_data.errors import ConfigurationError
from cta_data.files import write_changed
from cta_data.reports.checklist import Answer, checklist, checklist_frame, checklist_html
from cta_data.reports.citations import Citation, citation_of, citations_markdown
from cta_data.reports.counted_lesions import counted_lesions
from cta_data.reports.home import write_home
from cta_data.reports.origin import origin_text, stamped
from cta_data.reports.table import csv_text
from cta_data.reports.table_1 import (
    assign_populations,
    patients_left_out,
    population_table,
    table_html,
    table_latex,
)
from cta_data.scoring.paper import published_table_1
from cta_data.study import layout
from cta_data.study.lock import study_lock
from cta_data.study.study import CONFIGURATION, EVALUATION, Study
from cta_data.study.withdrawals import withdrawal_notes
from cta_data.versioning.datasets import is_modified, require_identity
from cta_data.versioning.provenance import commit_of, commit_run

TABLE_1, CHECKLIST = "table1", "checklist"
REPORTS = (TABLE_1, CHECKLIST)
TABLES = tuple(map(layout.table, ("subjects", "images", "lesions")))
"""What reports are made of."""
CHECKLIST_TABLES = tuple(
    map(layout.table, ("annotations", "splits", "models", "predictions", "scores", "score_lesions"))
)
"""What the checklist is made of as well."""


@dataclass(frozen=True, eq=False)
class Reports:
    """What was reported.

    Attributes
    ----------
    table
        Table 1 in long form.
    left_out
        Patients that count in no population: columns cohort, subject, reason.
    citations
        Sources of the cohorts that the study holds subjects of.
    withdrawals
        Notes about builds and models that held patients who withdrew consent.
    files
        Files from the top of the study to their text.
    names
        Reports that were asked for.
    checklist
        Every item of the checklist with its answer, where that was asked for.
    """

    table: pd.DataFrame
    left_out: pd.DataFrame
    citations: tuple[Citation, ...]
    files: dict[str, str]
    withdrawals: tuple[str, ...] = ()
    names: tuple[str, ...] = REPORTS
    checklist: tuple[Answer, ...] = ()


def make_reports(
    study: Study, names: Sequence[str] = (), cohorts: Sequence[str] = ()
) -> Reports | None:
    """Compute reports from the study's tables; nothing is written.

    Parameters
    ----------
    names
        Names of `REPORTS`; all without it. The sources are always told.
    cohorts
        Only these; all without it.

    Returns
    -------
    Reports or None
        None where the study holds no subject (of these cohorts).

    Raises
    ------
    ConfigurationError
        There is no report of that name.
    """
    unknown = [name for name in names if name not in REPORTS]
    if unknown:
        raise ConfigurationError("report_unknown", unknown=unknown[0], reports=tuple(REPORTS))
    subjects = study.subjects()
    if cohorts:
        subjects = subjects[subjects["cohort"].isin(list(cohorts))]
    if subjects.empty:
        return None
    images = study.images()
    table = population_table(subjects, images, counted_lesions(study))
    known = published_table_1()["population"].unique()
    left_out = patients_left_out(assign_populations(subjects, images, known))
    used = sorted(subjects["cohort"].unique())
    citations = tuple(_citation(study, cohort, subjects) for cohort in used)
    notice, withdrawals = study.configuration.study.notice, withdrawal_notes(study)
    asked = tuple(names) or REPORTS
    files = {f"{EVALUATION}/citations.md": citations_markdown(citations)}
    if TABLE_1 in asked:
        files |= {
            layout.TABLE_1_PAGE: table_html(table, left_out, notice, notes=withdrawals),
            f"{EVALUATION}/table_1.csv": csv_text(table),
            f"{EVALUATION}/table_1.tex": table_latex(table),
        }
    own = _stamped(study, files, TABLES)
    answers = checklist(study, files) if CHECKLIST in asked else ()
    if answers:
        made = {
            layout.CHECKLIST_PAGE: checklist_html(answers, notice),
            f"{EVALUATION}/checklist.csv": csv_text(checklist_frame(answers)),
        }
        own |= _stamped(study, made, (*TABLES, *CHECKLIST_TABLES))
    return Reports(table, left_out, citations, own, tuple(withdrawals), asked, answers)


def _stamped(study: Study, files: dict[str, str], tables: Sequence[str]) -> dict[str, str]:
    """Return files with their origin: the commit that last changed any of these tables."""
    origin = origin_text(commit_of(study.root, (CONFIGURATION, *tables)))
    return {
        name: stamped(text.encode(), Path(name).suffix, origin).decode()
        for name, text in files.items()
    }


def _inputs(study: Study, reports: Reports) -> list[str]:
    """Return the tables that reports were made from."""
    more = [name for name in CHECKLIST_TABLES if (study.root / name).exists()]
    return [*TABLES, *(more if reports.checklist else ())]


def _citation(study: Study, cohort: str, subjects: pd.DataFrame) -> Citation:
    """Return what a cohort's card says of its source; of one that is not here, what tables know."""
    if cohort not in study.not_available:
        return citation_of(study.card(cohort).cohort)
    licence = subjects.loc[subjects["cohort"] == cohort, "licence"].dropna().unique()
    known = Citation(cohort, "its card is not available here", "", "", "", "", "", "")
    return replace(known, licence=str(licence[0]) if len(licence) else "")


def write_reports(
    study: Study, reports: Reports, command: Sequence[str], *, commit: bool = True
) -> list[Path]:
    """Write the files of reports and commit those that changed, with a record of the command.

    Parameters
    ----------
    command
        Command line that is recorded for `datalad rerun`.
    commit
        False where another process (`datalad rerun`) commits.

    Returns
    -------
    list of Path
        All files of the reports, whether or not they changed.

    Raises
    ------
    CtaError
        Another command works on the study, or the commit failed.
    """
    if commit:
        require_identity(study.root)
    paths = [study.root / name for name in reports.files]
    with study_lock(study):
        (study.root / EVALUATION).mkdir(exist_ok=True)
        for path, text in zip(paths, reports.files.values(), strict=True):
            write_changed(text, path)
        write_home(study)
        home = study.root / layout.HOME
        if commit and any(is_modified(path) for path in (*paths, home)):
            told = f"{' '.join(command[:2])}: {', '.join(path.name for path in paths)}"
            outputs = [*reports.files, layout.HOME]
            inputs = _inputs(study, reports)
            commit_run(study.root, list(command), told, outputs, 0, inputs=inputs)
    return paths
