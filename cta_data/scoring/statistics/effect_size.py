"""How large a difference is, whatever its p-value.

Cliff's delta, for groups that are not paired, comes with `mann_whitney_u`.
"""

from __future__ import annotations

import math

import numpy as np

from cta_data.scoring.statistics.signed_rank import SignedRank


def matched_pairs_rank_biserial(test: SignedRank) -> float:
    """Return the rank-biserial correlation of matched pairs, −1 to 1.

    The sum of the ranks of positive differences minus that of negative ones, over the sum of both
    (Kerby's simple difference). Zeros have no rank and do not count. NaN without a rank.
    """
    total = test.w_plus + test.w_minus
    return (test.w_plus - test.w_minus) / total if total else math.nan


def standardised_mean_difference(a: np.ndarray, b: np.ndarray) -> float:
    """Return the mean of b minus that of a, in units of their standard deviation.

    The unit is the root of the mean of both variances (n − 1), so that the value means the same
    for paired and unpaired scores. There is no correction for small samples. NaN where a group
    has fewer than two scores, or neither varies.
    """
    if min(len(a), len(b)) < 2 or (np.ptp(a) == 0 and np.ptp(b) == 0):
        return math.nan
    unit = math.sqrt((float(np.var(a, ddof=1)) + float(np.var(b, ddof=1))) / 2)
    return (float(np.mean(b)) - float(np.mean(a))) / unit
