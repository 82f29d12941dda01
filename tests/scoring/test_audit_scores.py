"""Scores with verdicts on false positives: what changes, what does not, and that it is said."""

from __future__ import annotations

import math

import pandas as pd
import pytest

from cta_data.scoring.audited import BIAS, false_lesions, with_verdicts


def case_row(name: str, tp: int, fp: int, fn: int) -> dict[str, object]:
    n = tp + fn
    return {
        "test_set": "SUSM",
        "model": "B",
        "case": name,
        "n_reference": n,
        "tp": tp,
        "fp": fp,
        "fn": fn,
        "sensitivity": tp / n if n else math.nan,
        "ppv": tp / (tp + fp) if tp + fp else math.nan,
        "f1": 2 * tp / (2 * tp + fp + fn) if n + fp else math.nan,
    }


def verdict(case: str, lesion: int, what: str) -> dict[str, object]:
    return {
        "test_set": "SUSM",
        "model": "B",
        "case": case,
        "predicted_lesion": lesion,
        "verdict": what,
        "reader": "A. Reader",
        "decided_on": "2026-03-01",
        "note": None,
    }


CASES = pd.DataFrame([case_row("a", 2, 2, 1), case_row("b", 0, 1, 0), case_row("c", 0, 0, 0)])


def test_a_metastasis_among_false_positives_was_found() -> None:
    """Of two false lesions one is a metastasis: TP + 1, FP − 1, reference + 1; a vessel: none."""
    audits = pd.DataFrame([verdict("a", 3, "metastasis"), verdict("a", 4, "vessel")])
    a, b, c = with_verdicts(CASES, audits).to_dict("records")
    assert (a["tp_audited"], a["fp_audited"], a["n_reference_audited"]) == (3, 1, 4)
    assert a["fn"] == 1 and a["metastases"] == 1
    assert a["sensitivity_audited"] == pytest.approx(3 / 4)
    assert a["ppv_audited"] == pytest.approx(3 / 4)
    assert a["f1_audited"] == pytest.approx(6 / 8)
    assert (a["tp"], a["fp"], a["sensitivity"]) == (2, 2, pytest.approx(2 / 3))
    assert (b["metastases"], b["tp_audited"], b["f1_audited"]) == (0, 0, 0.0)
    assert math.isnan(c["f1_audited"])


def test_verdicts_never_make_a_case_worse_and_the_bias_is_named() -> None:
    """That is the bias: no score falls, and every row says so."""
    audits = pd.DataFrame([verdict("a", 3, "metastasis"), verdict("b", 1, "metastasis")])
    rows = with_verdicts(CASES, audits)
    for name in ("sensitivity", "ppv", "f1"):
        both = rows[[name, f"{name}_audited"]].dropna()
        assert (both[f"{name}_audited"] >= both[name]).all()
    assert set(rows["bias"]) == {BIAS} and "favour" in BIAS


def test_every_false_lesion_is_listed_open_ones_first() -> None:
    """Matched and missed lesions are not; one with a verdict carries it."""
    lesions = pd.DataFrame(
        [
            {"status": "detected", "predicted_lesion": 1},
            {"status": "false", "predicted_lesion": 2},
            {"status": "false", "predicted_lesion": 3},
            {"status": "missed", "predicted_lesion": None},
        ]
    ).assign(test_set="SUSM", model="B", case="a", centroid_ras_mm=None)
    lesions = lesions.assign(predicted_voxels=5, predicted_volume_mm3=5.0)
    rows = false_lesions(lesions, pd.DataFrame([verdict("a", 2, "vessel")]))
    assert rows["predicted_lesion"].tolist() == [3, 2]
    assert rows["verdict"].iloc[1] == "vessel" and rows["verdict"].isna().iloc[0]
    assert len(false_lesions(lesions, pd.DataFrame([]))) == 2
