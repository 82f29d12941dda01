"""Sensitivity along lesion volume, and false positives per patient."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pandas as pd

from cta_data.scoring.models.sets import ScoredSet
from cta_data.scoring.size_classes import sizes_within
from cta_data.scoring.statistics import cluster_mean_interval, proportion_interval
from cta_data.scoring.summary import summarise

EDGES_CM3 = (0.0, 0.05, 0.1, 0.25, 0.5, 1.0, math.inf)
"""Limits of the volume classes, the upper one not included."""


def sensitivity_by_volume(
    one: ScoredSet, edges_cm3: Sequence[float] = EDGES_CM3, *, confidence: float = 0.95
) -> pd.DataFrame:
    """Return the share of reference lesions that is detected, by their volume.

    Returns
    -------
    pandas.DataFrame
        One row per class of volume: from_cm3, to_cm3, n (lesions), patients, detected, sensitivity;
        `low` and `high` by Wilson, which takes lesions as independent; `cluster_low` and
        `cluster_high` by a bootstrap of patients, since lesions of one patient are alike.
    """
    volumes: list[float] = []
    detected: list[float] = []
    patients: list[int] = []
    numbers: dict[str, int] = {}
    for case in one.scores.cases:
        number = numbers.setdefault(one.patient_of(case.case), len(numbers))
        told = {pair.reference_lesion for pair in case.pairs if pair.detected}
        for lesion in case.reference:
            volumes.append(lesion.volume_mm3 / 1000)
            detected.append(float(lesion.lesion in told))
            patients.append(number)
    volume, found = np.array(volumes, np.float64), np.array(detected, np.float64)
    patient = np.array(patients, np.int64)
    rows = []
    for low, high in pairwise(edges_cm3):
        inside = sizes_within(volume, low, high)
        n, k = int(inside.sum()), int(found[inside].sum())
        wilson = proportion_interval(k, n, confidence)
        clustered = cluster_mean_interval(
            found[inside], patient[inside].tolist(), confidence=confidence
        )
        rows.append(
            {
                "test_set": one.test_set,
                "model": one.model,
                "from_cm3": low,
                "to_cm3": high,
                "n": n,
                "patients": len(set(patient[inside].tolist())) if n else 0,
                "detected": k,
                "sensitivity": k / n if n else math.nan,
                "low": wilson.low,
                "high": wilson.high,
                "cluster_low": clustered.low,
                "cluster_high": clustered.high,
            }
        )
    return pd.DataFrame(rows)


def false_positives(sets: Sequence[ScoredSet]) -> pd.DataFrame:
    """Return false lesions per patient: one row a test set and model."""
    rows = []
    for one in sets:
        told = summarise(float(case.fp) for case in one.scores.cases)
        rows.append(
            {
                "test_set": one.test_set,
                "model": one.model,
                "patients": told.n,
                "false_positives": sum(case.fp for case in one.scores.cases),
                "mean": told.mean,
                "sd": told.sd,
                "median": told.median,
                "most": max((case.fp for case in one.scores.cases), default=0),
                "patients_without": sum(case.fp == 0 for case in one.scores.cases),
            }
        )
    return pd.DataFrame(rows)
