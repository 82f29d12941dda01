"""The table of lesions that one model found and the other did not, for print."""

from __future__ import annotations

import math

import pandas as pd

from cta_data.reports.article.text_table import MISSING, TextTable

HEAD = {
    "test_set": "Test set",
    "patients": "n patients",
    "cases": "n cases",
    "cases_left_out": "cases left out",
    "lesions": "n lesions",
    "both": "both",
    "B only": "only B",
    "A only": "only A",
    "none": "none",
    "additional_per_patient": "additional per patient",
    "patients_b_finds_more": "patients, B finds more",
    "patients_a_finds_more": "patients, A finds more",
    "published_b_only": "paper: only B",
    "published_a_only": "paper: only A",
    "published_additional_per_patient": "paper: additional per patient",
}


def found_text(frame: pd.DataFrame, convention: str) -> TextTable:
    """Return what `found_instances` counted as a table of texts."""
    caption = (
        "Reference lesions that model A, model B, both or none of them found, by the convention "
        f"“{convention}”. Additional per patient: those that B alone found less those that A alone "
        "found, over all patients of the test set. Patients who were not scored for both models "
        "are left out. Columns named paper are what the paper printed; it gives no lesions that "
        "both or none found."
    )
    rows = tuple(
        tuple(_text(name, row[name]) for name in HEAD) for row in frame.to_dict(orient="records")
    )
    return TextTable(
        "Figure 5 in numbers: lesions found by model A and model B",
        caption,
        tuple(HEAD.values()),
        rows,
        n_names=1,
    )


def _text(name: str, value: object) -> str:
    if isinstance(value, float):
        places = 3 if "per_patient" in name else 0
        return MISSING if math.isnan(value) else f"{value:.{places}f}"
    return str(value)
