"""What may be asked of probability maps: refused before a map is read."""

from __future__ import annotations

import math
from collections.abc import Iterable
from numbers import Real

from cta_data.errors import ConfigurationError
from cta_data.scoring.agreement.figures import Resampling
from cta_data.scoring.probabilities.candidates import SCORES, ScoreName
from cta_data.scoring.probabilities.maps import LEAST
from cta_data.scoring.statistics import RESAMPLES, seed_asked


def levels_asked(levels: Iterable[float]) -> tuple[float, ...]:
    """Return numbers of false positives per case, ascending and each once.

    Raises
    ------
    ConfigurationError
        There is none, or one is not above 0 or not finite.
    """
    try:
        found = tuple(sorted({float(one) for one in levels}))
    except (TypeError, ValueError) as error:
        raise ConfigurationError("false_positives_option_invalid", given=str(levels)) from error
    if isinstance(levels, str) or not found or not all(0 < one < math.inf for one in found):
        raise ConfigurationError("false_positives_option_invalid", given=found)
    return found


def least_asked(value: float) -> float:
    """Return the probability from which on voxels are candidates.

    Raises
    ------
    ConfigurationError
        Voxels below it are not read, or nothing can reach it.
    """
    if not isinstance(value, Real) or not LEAST <= value <= 1:
        raise ConfigurationError("candidates_option_invalid", given=str(value), least=LEAST)
    return float(value)


def score_asked(name: str) -> ScoreName:
    """Return the score of that name.

    Raises
    ------
    ConfigurationError
        There is no such score.
    """
    found = next((one for one in SCORES if one == name), None)
    if found is None:
        raise ConfigurationError("score_option_invalid", text=name, scores=SCORES)
    return found


def resampling_asked(confidence: float, seed: int | None = None) -> Resampling:
    """Return how intervals are computed; without a seed, with the usual one.

    Raises
    ------
    ConfigurationError
        The confidence is not between 0 and 1, or the seed is no whole number from 0.
    """
    if not isinstance(confidence, Real) or not 0 < confidence < 1:
        raise ConfigurationError("confidence_invalid", confidence=str(confidence))
    return Resampling(confidence, RESAMPLES, seed_asked(seed))
