"""Two sources of scores, compared case by case."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np
import pandas as pd
from pydantic import JsonValue

from cta_data.errors import ConfigurationError
from cta_data.scoring.kept_scores import KeptScores
from cta_data.scoring.statistics import (
    RESAMPLES,
    SEED,
    IntervalMethod,
    Method,
    bootstrap_interval,
    holm,
    mann_whitney_u,
    pair_scores,
    standardised_mean_difference,
    wilcoxon_signed_rank,
)
from cta_data.scoring.summary import METRICS


@dataclass(frozen=True)
class MetricComparison:
    """One metric of B against A. Every value is of the pairs that are defined on both sides.

    Attributes
    ----------
    n_cases, n_pairs
        Cases in both sources, and those of them with the metric defined in both.
    n_undefined, n_undefined_a, n_undefined_b
        Cases in both sources in which the metric is undefined in either, in A, and in B.
    n_zero, n_tied
        Pairs of equal scores, and other pairs whose difference has the magnitude of another one.
    mean_a … median_b
        Of the pairs; SD has n − 1.
    mean_difference …, median_difference …
        B minus A, with a bootstrap interval, and how that was made.
    wilcoxon_p, wilcoxon_method, w_plus, w_minus
        Signed-rank test of the pairs.
    holm_p
        `wilcoxon_p`, adjusted for all metrics that were compared at once.
    mann_whitney_p, mann_whitney_method, mann_whitney_u
        The same scores as if they were not paired.
    rank_biserial, cliffs_delta, standardised_mean_difference
        Effect sizes: of matched pairs, unpaired, and of the means; positive where B is higher.
    """

    metric: str
    n_cases: int
    n_pairs: int
    n_undefined: int
    n_undefined_a: int
    n_undefined_b: int
    n_zero: int
    n_tied: int
    mean_a: float
    sd_a: float
    median_a: float
    mean_b: float
    sd_b: float
    median_b: float
    mean_difference: float
    mean_difference_low: float
    mean_difference_high: float
    mean_difference_interval: IntervalMethod
    median_difference: float
    median_difference_low: float
    median_difference_high: float
    median_difference_interval: IntervalMethod
    wilcoxon_p: float
    wilcoxon_method: Method
    w_plus: float
    w_minus: float
    holm_p: float
    mann_whitney_p: float
    mann_whitney_method: Method
    mann_whitney_u: float
    rank_biserial: float
    cliffs_delta: float
    standardised_mean_difference: float


@dataclass(frozen=True)
class ScoreComparison:
    """B against A: metric by metric, and the cases that only one of them has."""

    metrics: tuple[MetricComparison, ...]
    n_cases: int
    only_a: tuple[str, ...]
    only_b: tuple[str, ...]
    confidence: float
    resamples: int
    seed: int

    def frame(self) -> pd.DataFrame:
        """Return one row a metric, a column an attribute of `MetricComparison`."""
        return pd.DataFrame([asdict(one) for one in self.metrics])

    def records(self) -> list[dict[str, JsonValue]]:
        """Return the metrics as JSON content: what is undefined is None."""
        return [
            {
                name: None if isinstance(value, float) and math.isnan(value) else value
                for name, value in asdict(one).items()
            }
            for one in self.metrics
        ]


def require_one_convention(a: KeptScores, b: KeptScores) -> None:
    """Refuse scores that were not made by the same rules.

    Raises
    ------
    ConfigurationError
        Another convention, or the same name with other options.
    """
    told = [a.convention, b.convention]
    for name in sorted(set(a.options) & set(b.options)):
        values = _told(a.options[name]), _told(b.options[name])
        if values[0] != values[1]:
            told = [f"{t}, {name} {value}" for t, value in zip(told, values, strict=True)]
    if all(told) and told[0] != told[1]:
        raise ConfigurationError(
            "conventions_differ",
            where=f"{a.source} and {b.source}",
            scored_a=told[0],
            scored_b=told[1],
        )


def _told(value: JsonValue) -> str:
    """Return a rule as a table holds it: labels are numbers and lists of them in JSON only."""
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)


def compared_metrics(
    a: pd.DataFrame, b: pd.DataFrame, wanted: Sequence[str] | None = None
) -> list[str]:
    """Return the metrics to compare, each once: those wanted, else all usual ones in both.

    Raises
    ------
    ConfigurationError
        A metric that one of the two does not hold, or none at all.
    """
    common = [name for name in a.columns if name in b.columns]
    chosen = list(dict.fromkeys(wanted)) if wanted else [m for m in METRICS if m in common]
    missing = [name for name in chosen if name not in common]
    if missing or not chosen:
        raise ConfigurationError(
            "metrics_missing",
            missing=", ".join(missing) or "a metric",
            common=", ".join(common) or "none",
        )
    return chosen


def compare_scores(
    a: pd.DataFrame,
    b: pd.DataFrame,
    metrics: Sequence[str] = METRICS,
    *,
    confidence: float = 0.95,
    resamples: int = RESAMPLES,
    seed: int = SEED,
) -> ScoreComparison:
    """Compare the scores of cases that A and B have both.

    Parameters
    ----------
    a, b
        One row per case, its name in the index; a column a metric, NaN where it is undefined.
    metrics
        Columns to compare. They are the family that Holm's adjustment is over.
    confidence, resamples, seed
        Of the bootstrap intervals. Every metric is resampled from the same seed.
    """
    both = sorted(set(a.index) & set(b.index))
    first, second = a.loc[both], b.loc[both]
    rows = []
    for name in metrics:
        scores = first[name].to_numpy(dtype=float), second[name].to_numpy(dtype=float)
        rows.append(_compare(name, *scores, confidence, resamples, seed))
    adjusted = holm([row.wilcoxon_p for row in rows])
    compared = tuple(replace(row, holm_p=p) for row, p in zip(rows, adjusted, strict=True))
    only_a, only_b = (
        tuple(sorted(set(mine.index) - set(others.index))) for mine, others in ((a, b), (b, a))
    )
    return ScoreComparison(compared, len(both), only_a, only_b, confidence, resamples, seed)


def _compare(
    metric: str, a: np.ndarray, b: np.ndarray, confidence: float, resamples: int, seed: int
) -> MetricComparison:
    pairs = pair_scores(a, b)
    differences = pairs.differences
    mean, median = (
        bootstrap_interval(
            differences, statistic, confidence=confidence, resamples=resamples, seed=seed
        )
        for statistic in ("mean", "median")
    )
    signed = wilcoxon_signed_rank(differences, resolution=pairs.resolution)
    unpaired = mann_whitney_u(pairs.a, pairs.b)
    mean_a, sd_a, median_a = _centre(pairs.a)
    mean_b, sd_b, median_b = _centre(pairs.b)
    return MetricComparison(
        metric=metric,
        n_cases=len(a),
        n_pairs=len(differences),
        n_undefined=pairs.n_undefined,
        n_undefined_a=pairs.n_undefined_a,
        n_undefined_b=pairs.n_undefined_b,
        n_zero=signed.n_zero,
        n_tied=signed.n_tied,
        mean_a=mean_a,
        sd_a=sd_a,
        median_a=median_a,
        mean_b=mean_b,
        sd_b=sd_b,
        median_b=median_b,
        mean_difference=mean.estimate,
        mean_difference_low=mean.low,
        mean_difference_high=mean.high,
        mean_difference_interval=mean.method,
        median_difference=median.estimate,
        median_difference_low=median.low,
        median_difference_high=median.high,
        median_difference_interval=median.method,
        wilcoxon_p=signed.p_value,
        wilcoxon_method=signed.method,
        w_plus=signed.w_plus,
        w_minus=signed.w_minus,
        holm_p=math.nan,
        mann_whitney_p=unpaired.p_value,
        mann_whitney_method=unpaired.method,
        mann_whitney_u=unpaired.u,
        rank_biserial=signed.rank_biserial,
        cliffs_delta=unpaired.cliffs_delta,
        standardised_mean_difference=standardised_mean_difference(pairs.a, pairs.b),
    )


def _centre(values: np.ndarray) -> tuple[float, float, float]:
    if not len(values):
        return math.nan, math.nan, math.nan
    sd = float(np.std(values, ddof=1)) if len(values) > 1 else math.nan
    return float(np.mean(values)), sd, float(np.median(values))
