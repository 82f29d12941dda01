"""The analysis of probabilities as DataFrames: what CSV files and JSON hold."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict
from typing import Any

import pandas as pd

from cta_data.scoring.probabilities.analysis import ProbabilityAnalysis, SetAnalysis
from cta_data.scoring.probabilities.curve import Curve
from cta_data.scoring.statistics import Interval

Record = dict[str, Any]


def froc_frames(analysis: ProbabilityAnalysis) -> dict[str, pd.DataFrame]:
    """Return all tables by name; those without a row are left out."""
    sets = analysis.sets
    made = {
        "froc_levels": _frame(_levels(one.curve) for one in sets),
        "froc_classes": _frame(_classes(one.curve) for one in sets),
        "froc_curve": _frame(_points(one.curve) for one in sets),
        "froc_band": _frame(_band(one.curve) for one in sets),
        "froc_precision": _frame(_precisions(one) for one in sets),
        "froc_differences": pd.DataFrame(list(_differences(analysis))),
        "froc_candidates": _frame(_candidates(one) for one in sets),
        "calibration": _frame(_reliability(one) for one in sets),
    }
    return {name: frame for name, frame in made.items() if len(frame)}


def _frame(parts: Iterable[Iterable[Record]]) -> pd.DataFrame:
    return pd.DataFrame([row for part in parts for row in part])


def _about(curve: Curve) -> Record:
    return {"test_set": curve.test_set, "model": curve.model, "score": curve.score}


def _ends(interval: Interval) -> Record:
    return {"low": interval.low, "high": interval.high, "interval": interval.method}


def _levels(curve: Curve) -> Iterator[Record]:
    for one in curve.levels:
        yield {
            **_about(curve),
            "false_positives_per_case": one.level,
            "threshold": one.threshold,
            "is_reached": one.is_reached,
            "cases": curve.cases,
            "patients": curve.patients,
            "lesions": curve.lesions,
            "tp": one.tp,
            "fp": one.fp,
            "sensitivity": one.sensitivity.estimate,
            **_ends(one.sensitivity),
        }


def _classes(curve: Curve) -> Iterator[Record]:
    for one in curve.classes:
        yield {
            **_about(curve),
            "measure": one.size.measure,
            "from": one.size.low,
            "to": one.size.high,
            "false_positives_per_case": one.level,
            "lesions": one.lesions,
            "patients": one.patients,
            "found": one.found,
            "sensitivity": one.sensitivity.estimate,
            **_ends(one.sensitivity),
        }


def _points(curve: Curve) -> Iterator[Record]:
    for one in curve.points:
        yield {**_about(curve), **asdict(one)}


def _band(curve: Curve) -> Iterator[Record]:
    for level, interval in curve.band:
        yield {
            **_about(curve),
            "false_positives_per_case": level,
            "sensitivity": interval.estimate,
            **_ends(interval),
        }


def _precisions(one: SetAnalysis) -> Iterator[Record]:
    chosen = one.curve.average_precision
    for score, value in one.precisions.items():
        is_chosen = score == one.curve.score
        ends = _ends(chosen) if is_chosen else dict.fromkeys(("low", "high", "interval"))
        about = _about(one.curve) | {"score": score}
        yield {**about, "average_precision": value, **ends, "is_chosen": is_chosen}


def _differences(analysis: ProbabilityAnalysis) -> Iterator[Record]:
    for pair in analysis.differences:
        for one in pair.levels:
            yield {
                "test_set": pair.test_set,
                "model_a": pair.model_a,
                "model_b": pair.model_b,
                "false_positives_per_case": one.level,
                "cases": pair.cases,
                "patients": pair.patients,
                "sensitivity_a": one.sensitivity_a,
                "sensitivity_b": one.sensitivity_b,
                "difference": one.difference.estimate,
                **_ends(one.difference),
                "p": one.p,
                "holm_p": one.holm_p,
            }


def _candidates(one: SetAnalysis) -> Iterator[Record]:
    for found in one.found.candidates:
        content = asdict(found)
        x, y, z = content.pop("centroid_ras_mm")
        place = {"x_ras_mm": x, "y_ras_mm": y, "z_ras_mm": z}
        about = {"test_set": one.curve.test_set, "model": one.curve.model}
        yield {**about, **content, **place}


def _reliability(one: SetAnalysis) -> Iterator[Record]:
    for found in one.reliability:
        for row in found.rows:
            yield {
                **_about(one.curve),
                "of": found.of,
                **asdict(row),
                "expected_error": found.expected_error,
                "largest_error": found.largest_error,
            }
