"""Two kept sets of scores against each other, and the comparison as a file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from cta_data.errors import ConfigurationError
from cta_data.files import written_whole
from cta_data.scoring.comparison import (
    ScoreComparison,
    compare_scores,
    compared_metrics,
    require_one_convention,
)
from cta_data.scoring.kept_scores import KeptScores
from cta_data.scoring.statistics import seed_asked


def compare_kept(
    a: KeptScores,
    b: KeptScores,
    metrics: Sequence[str] | None = None,
    *,
    confidence: float = 0.95,
    seed: int | None = None,
) -> ScoreComparison:
    """Compare the cases that two kept sets of scores have both.

    Parameters
    ----------
    metrics
        Scores or counts; all metrics that both hold without it.
    confidence
        Of the intervals, between 0 and 1.
    seed
        Of the resampling; a fixed one without it.

    Raises
    ------
    ConfigurationError
        They are by different rules or of different test sets, or lack a metric; the seed
        is no whole number from 0.
    """
    if not 0 < confidence < 1:
        raise ConfigurationError("confidence_invalid", confidence=str(confidence))
    drawn = seed_asked(seed)
    require_one_convention(a, b)
    if a.test_set and b.test_set and a.test_set != b.test_set:
        raise ConfigurationError("test_sets_differ", test_set=a.test_set, other_test_set=b.test_set)
    chosen = compared_metrics(a.cases, b.cases, metrics)
    return compare_scores(a.cases, b.cases, chosen, confidence=confidence, seed=drawn)


def write_comparison(made: ScoreComparison, out: Path) -> None:
    """Write one row a metric, as CSV or Parquet by the ending of the name."""
    out.parent.mkdir(parents=True, exist_ok=True)
    with written_whole(out) as unfinished:
        if out.suffix == ".csv":
            made.frame().to_csv(unfinished, index=False, lineterminator="\n")
        else:
            made.frame().to_parquet(unfinished, index=False, compression="zstd")
