"""The table of lesions that one model found and the other did not, for print."""

from __future__ import annotations

import math

import pandas as pd

from cta_data.evaluation.experiment.text_table import MISSING, TextTable

HEAD = {
    "test_set": "Test set",
    "cases": "n patients",
    "cases_left_out": "patients left out",
    "lesions": "n lesions",
    "both": "both",
    "B only": "only B",
    "A only": "only A",
    "none": "none",
    "patients_b_finds_more": "patients, B finds more",
    "patients_a_finds_more": "patients, A finds more",
    "published_b_only": "paper: only B",
    "published_a_only": "paper: only A",
}


def found_text(frame: pd.DataFrame, convention: str) -> TextTable:
    """Return what `found_instances` counted as a table of texts."""
    caption = (
        "Reference lesions that model A, model B, both or none of them found, by the convention "
        f"“{convention}”. Patients who were not scored for both models are left out. Columns named "
        "paper are what the paper printed; it gives no lesions that both or none found."
    )
    rows = tuple(
        tuple(_text(row[name]) for name in HEAD) for row in frame.to_dict(orient="records")
    )
    return TextTable("Overall found instances", caption, tuple(HEAD.values()), rows, n_names=1)


def _text(value: object) -> str:
    if isinstance(value, float):
        return MISSING if math.isnan(value) else f"{value:.0f}"
    return str(value)
