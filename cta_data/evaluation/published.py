"""What the paper printed, as reference data that travels with the package."""

from __future__ import annotations

import io
from importlib.resources import files

import pandas as pd

PAPER_DOI = "10.1186/s41747-025-00554-5"
PAPER_CITATION = (
    f"Wald T, Hamm B, et al. European Radiology Experimental 2025;9:15, https://doi.org/{PAPER_DOI}"
)


def published_table_1() -> pd.DataFrame:
    """Return Table 1 of the paper in long form.

    Returns
    -------
    pandas.DataFrame
        Columns population, row and value, in the paper's order; NaN where the paper gives no
        value. Ages are years, lesion volumes cm3.
    """
    content = files("cta_data_reference.manifests").joinpath("published_table_1.parquet")
    frame = pd.read_parquet(io.BytesIO(content.read_bytes()))
    return frame[["population", "row", "value"]]
