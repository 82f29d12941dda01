"""The paper: its models and test sets, and what it printed, which travels with the package."""

from __future__ import annotations

import io
from collections.abc import Iterable
from importlib.resources import files
from typing import TYPE_CHECKING

# Most of what names test sets prints no table.
if TYPE_CHECKING:
    import pandas as pd

PAPER_DOI = "10.1186/s41747-025-00554-5"
PAPER_CITATION = (
    f"Wald T, Hamm B, et al. European Radiology Experimental 2025;9:15, https://doi.org/{PAPER_DOI}"
)
PAIR = ("A", "B")
"""The models that the paper compares on every test set."""
INTERNAL = ("MPRAGE", "SPACE")
EXTERNAL = ("SUSM", "YNHH", "UMMC", "UKHD")
ALL_SETS = (*INTERNAL, *EXTERNAL)
PRINTED_NAMES = {"INTERNAL-NAQ": "MPRAGE", "INTERNAL-HAQ": "SPACE"}
"""The paper names its internal test sets by the technique that they were annotated on."""


def printed_name(test_set: str) -> str:
    """Return the paper's name of a test set: `internal-NAQ` is MPRAGE, `susm` is SUSM."""
    return PRINTED_NAMES.get(test_set.upper(), test_set.upper())


def in_paper_order(test_sets: Iterable[str]) -> list[str]:
    """Return test sets, each once, in one order for all tables and figures.

    That is the paper's; those it has not come last, by name.
    """
    ranks = {name: number for number, name in enumerate(ALL_SETS)}
    return sorted(set(test_sets), key=lambda one: (ranks.get(printed_name(one), len(ranks)), one))


def published_table_1() -> pd.DataFrame:
    """Return Table 1 of the paper in long form.

    Returns
    -------
    pandas.DataFrame
        Columns population, row and value, in the paper's order; NaN where the paper gives no
        value. Ages are years, lesion volumes cm3.
    """
    return _published("published_table_1.parquet")[["population", "row", "value"]]


def published_scores() -> pd.DataFrame:
    """Return the scores that the paper prints of its models, in long form.

    Returns
    -------
    pandas.DataFrame
        Columns table (`table_2`, `table_3`, `table_4`; `segmentation_space`: models A, B and C on
        the SPACE test set), test_set, model (missing where the value is about A against B),
        metric, statistic (`mean`, `sd`, `median`, `q1`, `q3`, `p_value`), value as it is printed,
        and its unit (`percent` or `fraction`).
    """
    return _published("published_scores.parquet")


def published_found_instances() -> pd.DataFrame:
    """Return how many reference lesions the paper says one model found and the other did not.

    Returns
    -------
    pandas.DataFrame
        Columns test_set, found_only_by (`A` or `B`), lesions, and additional_per_patient, which
        is of the test set. The paper prints no number of lesions that both found, or neither.
    """
    return _published("published_found_instances.parquet")


def _published(name: str) -> pd.DataFrame:
    import pandas as pd

    content = files("cta_data_reference.manifests").joinpath(name)
    return pd.read_parquet(io.BytesIO(content.read_bytes()))
