"""Confidence interval of a proportion."""

from __future__ import annotations

import math
from statistics import NormalDist

from cta_data.scoring.statistics.interval import Interval, check_confidence


def proportion_interval(k: int, n: int, confidence: float = 0.95) -> Interval:
    """Return Wilson's score interval of the proportion k / n.

    The n trials are taken for independent. Lesions of one patient are not: see
    `cluster_mean_interval`.

    Parameters
    ----------
    k, n
        Successes and trials, such as lesions that were found and lesions.
    confidence
        Between 0 and 1.

    Returns
    -------
    Interval
        Within 0 and 1, with `method` wilson; NaN, with `method` none, where n is 0.

    Raises
    ------
    ValueError
        k below 0 or above n, or a confidence that is not between 0 and 1.
    """
    check_confidence(confidence)
    if not 0 <= k <= n:
        raise ValueError(f"{k} successes of {n} trials")
    if n == 0:
        return Interval(math.nan, math.nan, math.nan, "none", confidence, 0)
    share = k / n
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    # At 0 and n the formula gives the bound only up to rounding.
    low = 0.0 if k == 0 else max(0.0, centre - half)
    high = 1.0 if k == n else min(1.0, centre + half)
    return Interval(share, low, high, "wilson", confidence, n)
