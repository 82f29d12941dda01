"""Describing and scoring a study: tables, beside what the paper printed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from cta_data.evaluation.citations import Citation, citations_markdown
from cta_data.evaluation.population_table import population_table
from cta_data.evaluation.populations import assign_populations, patients_left_out
from cta_data.evaluation.published import published_table_1
from cta_data.evaluation.rendering import table_csv, table_html, table_latex

if TYPE_CHECKING:
    from cta_data.study import Study

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
