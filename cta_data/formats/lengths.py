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
            "the distance between voxels cannot be right",
            where=where,
            why=f"{' × '.join(f'{value:.6g}' for value in spacing)} mm; from {SHORTEST_MM:g} to "
            f"{LONGEST_MM:g} mm is possible{f'; {told}' if told else ''}",
            next_step="Export it again",
        )
    if not all(abs(value) <= FARTHEST_MM for value in origin):
        raise DataRefused(
            "the place of the first voxel cannot be right",
            where=where,
            why=f"{', '.join(f'{value:.6g}' for value in origin)} mm",
            next_step="Export it again",
        )
