"""Scores of masks: one case, and two sets of scores."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from cta_data.api.volume import Volume, require_one_frame, require_volume
from cta_data.errors import ConfigurationError
from cta_data.scoring import CaseScore, Convention, convention_named
from cta_data.scoring.comparison import ScoreComparison
from cta_data.scoring.kept_comparison import compare_kept
from cta_data.scoring.kept_scores import scores_of_table
from cta_data.scoring.mask_files import MaskVoxels, score_voxels, voxels_of_array
from cta_data.scoring.statistics import SEED

FEW = 5
"""Cases that an error names."""


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
        The masks are on different grids or in different frames of reference, or hold NaN or
        fractions.
    ConfigurationError
        The convention is unknown, or a mask is no volume.
    """
    rules = rules_of(convention)
    masks = mask_of(reference, "reference"), mask_of(prediction, "prediction")
    require_one_frame({"reference": reference.frame, "prediction": prediction.frame})
    return score_voxels(*masks, rules)


def rules_of(convention: str | Convention) -> Convention:
    """Return a convention by its name, or as it is."""
    return convention if isinstance(convention, Convention) else convention_named(str(convention))


def mask_of(volume: Volume, where: str) -> MaskVoxels:
    """Return the lesion voxels of a volume; `where` names it in errors."""
    require_volume(volume, where)
    return voxels_of_array(volume.array.T, volume.affine, where=where)


def compare(
    a: pd.DataFrame,
    b: pd.DataFrame,
    metrics: str | Sequence[str] | None = None,
    *,
    seed: int = SEED,
) -> ScoreComparison:
    """Compare the scores of B with those of A, case by case.

    Parameters
    ----------
    a, b
        One row per case, its name in the column `case` or in the index; a column per metric. Of
        `study.scores()`, select one convention, model and test set; what `pandas.read_parquet`
        gives of `cta-data score --out` can be used as it is.
    metrics
        Default: all common metrics.

    Raises
    ------
    ConfigurationError
        A table names no cases, or one twice; no case is in both, or no metric, or one is missing;
        the conventions or test sets differ; the seed is no whole number from 0.
    """
    wanted = [metrics] if isinstance(metrics, str) else metrics
    compared = compare_kept(scores_of_table(a, "a"), scores_of_table(b, "b"), wanted, seed=seed)
    if not compared.n_cases:
        raise ConfigurationError(
            "compared_cases_differ", only_a=compared.only_a[:FEW], only_b=compared.only_b[:FEW]
        )
    return compared
