"""Scores of masks: one case, two sets of scores, operating points."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cta_data.api.volume import Volume
from cta_data.errors import DataRefused
from cta_data.scoring import CaseScore, Convention, convention_named, score_masks
from cta_data.scoring.comparison import ScoreComparison, compare_scores, compared_metrics
from cta_data.scoring.mask_files import require_one_grid
from cta_data.scoring.models import froc as operating_points
from cta_data.scoring.statistics import SEED

Array = NDArray[np.generic]


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
        The masks are on different grids.
    ConfigurationError
        The convention is unknown.
    """
    rules = convention_named(convention) if isinstance(convention, str) else convention
    require_one_grid(reference.grid, prediction.grid)
    return score_masks(reference.array.T, prediction.array.T, rules, affine=reference.affine)


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


def froc(
    cases: Iterable[tuple[Volume, Volume]],
    thresholds: Sequence[float] = operating_points.THRESHOLDS,
    *,
    convention: str | Convention = "article",
) -> pd.DataFrame:
    """Return sensitivity and false positives per case at each threshold.

    Parameters
    ----------
    cases
        Pairs of a reference mask and a probability map on one grid.

    Raises
    ------
    DataRefused
        The images of a pair are on different grids, or a map does not hold probabilities.
    """
    rules = convention_named(convention) if isinstance(convention, str) else convention

    def arrays() -> Iterator[tuple[Array, NDArray[np.floating]]]:
        for reference, probability in cases:
            require_one_grid(reference.grid, probability.grid)
            yield reference.array.T, probability.array.T.astype(np.float64)

    try:
        return operating_points.froc(arrays(), thresholds, rules)
    except ValueError as error:
        raise DataRefused("probability_map_invalid", error=str(error)) from error
