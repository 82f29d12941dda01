"""Tests, intervals and effect sizes, by rules that are stated here and change with no library."""

from cta_data.scoring.statistics.bootstrap import bootstrap_interval, cluster_mean_interval
from cta_data.scoring.statistics.effect_size import (
    matched_pairs_rank_biserial,
    standardised_mean_difference,
)
from cta_data.scoring.statistics.holm import holm
from cta_data.scoring.statistics.interval import Interval
from cta_data.scoring.statistics.paired_scores import PairedScores, pair_scores
from cta_data.scoring.statistics.proportion import proportion_interval
from cta_data.scoring.statistics.rank_sum import RankSum, mann_whitney_u, rank_sum_counts
from cta_data.scoring.statistics.signed_rank import (
    SignedRank,
    signed_rank_counts,
    wilcoxon_signed_rank,
)

__all__ = [
    "Interval",
    "PairedScores",
    "RankSum",
    "SignedRank",
    "bootstrap_interval",
    "cluster_mean_interval",
    "holm",
    "mann_whitney_u",
    "matched_pairs_rank_biserial",
    "pair_scores",
    "proportion_interval",
    "rank_sum_counts",
    "signed_rank_counts",
    "standardised_mean_difference",
    "wilcoxon_signed_rank",
]
