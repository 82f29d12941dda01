"""Options about probabilities that several commands have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from typer import Option

from cta_data.errors import ConfigurationError

if TYPE_CHECKING:
    from cta_data.scoring.probabilities.candidates import ScoreName

USUAL_LEVELS = "0.5,1,2,4,8"
"""False positives per case, as `--at` takes them."""
CandidatesOption = Annotated[
    float | None,
    Option("--candidates-from", help="Probability from which on voxels are candidates."),
]


def levels_of(text: str) -> tuple[float, ...]:
    """Return the levels of an option.

    Raises
    ------
    ConfigurationError
        One is no number above 0.
    """
    from cta_data.scoring.probabilities.asked import levels_asked

    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError as error:
        raise ConfigurationError("false_positives_option_invalid", given=text) from error
    return levels_asked(numbers)


def least_probability(value: float | None) -> float:
    """Return the least probability of candidates; None is for the default.

    Raises
    ------
    ConfigurationError
        Voxels below it are not read, or nothing can reach it.
    """
    from cta_data.scoring.probabilities.asked import least_asked
    from cta_data.scoring.probabilities.candidates import CANDIDATES_FROM

    return CANDIDATES_FROM if value is None else least_asked(value)


def score_named(text: str) -> ScoreName | None:
    """Return the score that an option names; None without it.

    Raises
    ------
    ConfigurationError
        There is no such score.
    """
    from cta_data.scoring.probabilities.asked import score_asked

    return score_asked(text.replace("-", "_")) if text else None
