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
    try:
        found = tuple(sorted({float(part) for part in text.split(",")}))
    except ValueError as error:
        raise ConfigurationError("false_positives_option_invalid", text=text) from error
    if not all(0 < one < float("inf") for one in found):
        raise ConfigurationError("false_positives_option_invalid", text=text)
    return found


def least_probability(value: float | None) -> float:
    """Return the least probability of candidates; None is for the default.

    Raises
    ------
    ConfigurationError
        Voxels below it are not read, or nothing can reach it.
    """
    from cta_data.scoring.probabilities.candidates import CANDIDATES_FROM
    from cta_data.scoring.probabilities.maps import LEAST

    if value is None:
        return CANDIDATES_FROM
    if not LEAST <= value <= 1:
        raise ConfigurationError("candidates_option_invalid", given=value, least=LEAST)
    return value


def score_named(text: str) -> ScoreName | None:
    """Return the score that an option names; None without it.

    Raises
    ------
    ConfigurationError
        There is no such score.
    """
    from cta_data.scoring.probabilities.candidates import SCORES, option_of

    names = {option_of(name): name for name in SCORES}
    if text and text not in names:
        raise ConfigurationError("score_option_invalid", text=text, scores=tuple(names))
    return names[text] if text else None
