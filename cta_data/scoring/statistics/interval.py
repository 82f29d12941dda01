"""A number with its confidence interval."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

IntervalMethod = Literal["bca", "percentile", "constant", "wilson", "none"]


@dataclass(frozen=True)
class Interval:
    """An estimate and its confidence interval.

    Attributes
    ----------
    estimate, low, high
        The estimate, and the ends of its interval; NaN where they are undefined.
    method
        How the interval was made: `bca`, `percentile` (where BCa is undefined), `constant` (there
        is no variation to resample), `wilson`, or `none`.
    confidence
        Between 0 and 1.
    n
        Number of independent observations: pairs, patients or trials.
    """

    estimate: float
    low: float
    high: float
    method: IntervalMethod
    confidence: float
    n: int


def check_confidence(confidence: float) -> None:
    """Refuse what is not between 0 and 1.

    Raises
    ------
    ValueError
    """
    if not 0 < confidence < 1:
        raise ValueError(f"a confidence is between 0 and 1, not {confidence}")
