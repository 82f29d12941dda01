"""What `calibrate` prints of the points that it chose."""

from __future__ import annotations

from cta_data.training.calibrate import card_lines
from cta_data.training.operating_points import EnsembleCard, OperatingPoint


def test_every_level_is_named() -> None:
    """Also one that no threshold has; the score is called as the option calls it."""
    about = {"low": None, "high": None, "found": 1, "false_positives": 1}
    points = [
        OperatingPoint(
            false_positives_per_case=level,
            threshold=threshold,
            is_reached=is_reached,
            sensitivity=sensitivity,
            **about,
        )
        for level, threshold, is_reached, sensitivity in (
            (0.5, None, True, 0.0),
            (1, 0.75, True, 0.6),
            (2, 0.125, False, 0.9),
        )
    ]
    card = EnsembleCard(
        model="A",
        checkpoints={"0": "k"},
        convention="article",
        candidates_from=0.1,
        score="percentile_95",
        average_precision={"percentile_95": 0.5},
        cases=4,
        patients=4,
        lesions=8,
        candidates=9,
        points=points,
    )
    first, half, one, two = card_lines(card)
    assert "4 validation cases, 8 lesions" in first and first.endswith("percentile-95")
    assert "0.5" in half and "no threshold" in half
    assert "0.75" in one and "0.600" in one and "all candidates" not in one
    assert "0.125" in two and "all candidates" in two
