"""Lengths that an image of a person can have."""

from __future__ import annotations

from collections.abc import Sequence

from cta_data.errors import DataRefused

SHORTEST_MM, LONGEST_MM = 1e-3, 1e2
"""Distances of neighbouring voxels that images of people have, with room on both sides."""
FARTHEST_MM = 1e5
"""No scanner puts an image farther from its origin than 100 m."""


def require_plausible_lengths(
    spacing: Sequence[float], origin: Sequence[float], *, where: str = "", told: str = ""
) -> None:
    """Refuse what is no image's spacing and place (both mm), such as 1e30 or NaN.

    `told` is what else a reader of the message has to know.

    Raises
    ------
    DataRefused
        With what was found.
    """
    # Written so that NaN fails.
    if not all(SHORTEST_MM <= value <= LONGEST_MM for value in spacing):
        raise DataRefused(
            "voxel_spacing_implausible",
            where=where,
            spacing=" × ".join(f"{value:.6g}" for value in spacing),
            shortest_mm=SHORTEST_MM,
            longest_mm=LONGEST_MM,
            more=f"; {told}" if told else "",
        )
    if not all(abs(value) <= FARTHEST_MM for value in origin):
        raise DataRefused(
            "origin_implausible",
            where=where,
            origin=", ".join(f"{value:.6g}" for value in origin),
        )
