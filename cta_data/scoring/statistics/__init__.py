"""Tests, intervals and effect sizes, by rules that are stated here and change with no library."""

from cta_data.scoring.statistics.intervals import (
    RESAMPLES,
    SEED,
    Interval,
    IntervalMethod,
    bootstrap_interval,
    cluster_mean_interval,
    proportion_interval,
    seed_asked,
)
from cta_data.scoring.statistics.rank_tests import (
    Method,
    PairedScores,
    RankSum,
    SignedRank,
    holm,
    mann_whitney_u,
    pair_scores,
    standardised_mean_difference,
    wilcoxon_signed_rank,
)

__all__ = [
    "RESAMPLES",
    "SEED",
    "Interval",
    "IntervalMethod",
    "Method",
    "PairedScores",
    "RankSum",
    "SignedRank",
    "bootstrap_interval",
    "cluster_mean_interval",
    "holm",
    "mann_whitney_u",
    "pair_scores",
    "proportion_interval",
    "seed_asked",
    "standardised_mean_difference",
    "wilcoxon_signed_rank",
]
