"""Table 1 of the paper: the patients of a study, beside what the paper printed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from cta_data.reports.counted_lesions import counted_lesions
from cta_data.reports.table_1.layout import (
    table_1_in_print,
    table_html,
    table_latex,
    unpartitioned_notes,
)
from cta_data.reports.table_1.population_table import population_table
from cta_data.reports.table_1.populations import assign_populations, patients_left_out

if TYPE_CHECKING:
    from cta_data.study.study import Study

__all__ = [
    "assign_populations",
    "patients_left_out",
    "population_table",
    "table_1",
    "table_1_in_print",
    "table_html",
    "table_latex",
    "unpartitioned_notes",
]


def table_1(study: Study) -> pd.DataFrame:
    """Return Table 1 of the paper for a study; see `population_table` for its columns."""
    return population_table(study.subjects(), study.images(), counted_lesions(study))
