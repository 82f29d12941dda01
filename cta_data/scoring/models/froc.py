"""FROC: sensitivity against false positives per patient, where a model gives probabilities."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cta_data.scoring import ARTICLE, Convention, find_instances, score_case

THRESHOLDS = tuple(round(0.05 * n, 2) for n in range(1, 20))


def froc(
    cases: Iterable[tuple[NDArray[np.generic], NDArray[np.floating]]],
    thresholds: Sequence[float] = THRESHOLDS,
    convention: Convention = ARTICLE,
) -> pd.DataFrame:
    """Return one operating point a threshold, over all cases.

    At each threshold, voxels at or above it are the prediction, and are scored as any mask is.

    Parameters
    ----------
    cases
        Pairs of a reference mask and a map of probabilities, both (z, y, x) on one grid.
    thresholds
        Between 0 and 1.

    Returns
    -------
    pandas.DataFrame
        Columns threshold, cases, lesions, tp, fp, sensitivity (over all lesions; NaN without any)
        and fp_per_case (NaN without a case), ordered by threshold.

    Raises
    ------
    ValueError
        Shapes differ, or a map holds values that are no probabilities.
    """
    steps = sorted(thresholds)
    totals = np.zeros((len(steps), 2), np.int64)
    n_cases = n_lesions = 0
    for reference, probability in cases:
        if reference.shape != probability.shape:
            raise ValueError(f"shapes differ: {reference.shape} and {probability.shape}")
        low, high = float(np.min(probability)), float(np.max(probability))
        if not (low >= 0 and high <= 1):  # NaN fails as well
            raise ValueError(f"probabilities lie between 0 and 1, not between {low} and {high}")
        known = find_instances(reference, convention)
        n_cases, n_lesions = n_cases + 1, n_lesions + known.count
        for number, threshold in enumerate(steps):
            found = find_instances(probability >= threshold, convention)
            score = score_case(known, found, convention)
            totals[number] += score.tp, score.fp
    return pd.DataFrame(
        {
            "threshold": steps,
            "cases": n_cases,
            "lesions": n_lesions,
            "tp": totals[:, 0],
            "fp": totals[:, 1],
            "sensitivity": totals[:, 0] / n_lesions if n_lesions else math.nan,
            "fp_per_case": totals[:, 1] / n_cases if n_cases else math.nan,
        }
    )
