"""Scores of masks: one case, and two sets of scores."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from cta_data.api.volume import Volume
from cta_data.scoring import CaseScore, Convention, convention_named
from cta_data.scoring.comparison import ScoreComparison, compare_scores, compared_metrics
from cta_data.scoring.mask_files import MaskVoxels, score_voxels, voxels_of_array
from cta_data.scoring.statistics import SEED


def score(
    reference: Volume, prediction: Volume, *, convention: str | Convention = "article"
) -> CaseScore:
    """Score a prediction against a reference, lesion by lesion.

    Parameters
    ----------
    reference, prediction
        Masks on one grid: every value except 0 is lesion.
    convention
        `article` (default), `tables`, `brats-mets-0.0.10`, or your own rules.

    Raises
    ------
    DataRefused
        The masks are on different grids, or hold NaN or fractions.
    ConfigurationError
        The convention is unknown.
    """
    rules = convention_named(convention) if isinstance(convention, str) else convention
    return score_voxels(mask_of(reference, "reference"), mask_of(prediction, "prediction"), rules)


def mask_of(volume: Volume, where: str) -> MaskVoxels:
    """Return the lesion voxels of a volume; `where` names it in errors."""
    return voxels_of_array(volume.array.T, volume.affine, where=where)


def compare(
    a: pd.DataFrame, b: pd.DataFrame, metrics: Sequence[str] | None = None, *, seed: int = SEED
) -> ScoreComparison:
    """Compare the scores of B with those of A, case by case.

    Parameters
    ----------
    a, b
        One row per case, indexed by the case; a column per metric, as `study.scores()` and
        `pandas.read_parquet` of `cta-data score --out` give them.
    metrics
        Default: all common metrics.

    Raises
    ------
    ConfigurationError
        A metric is missing, or there is no common metric.
    """
    return compare_scores(a, b, compared_metrics(a, b, metrics), seed=seed)
