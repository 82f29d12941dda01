"""Table 1 of the paper: the patients of a study, beside what the paper printed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from cta_data.reports.citations import Citation, citations_markdown
from cta_data.reports.table_1.population_table import population_table
from cta_data.reports.table_1.populations import assign_populations, patients_left_out
from cta_data.reports.table_1.rendering import table_csv, table_html, table_latex
from cta_data.scoring.published import published_table_1

if TYPE_CHECKING:
    from cta_data.study.study import Study

__all__ = [
    "Citation",
    "assign_populations",
    "citations_markdown",
    "patients_left_out",
    "population_table",
    "published_table_1",
    "table_1",
    "table_csv",
    "table_html",
    "table_latex",
]


def table_1(study: Study) -> pd.DataFrame:
    """Return Table 1 of the paper for a study; see `population_table` for its columns."""
    return population_table(study.subjects(), study.images(), study.lesions())
