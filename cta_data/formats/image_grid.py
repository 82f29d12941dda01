"""The grid of an image without its voxels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from cta_data.errors import DataRefused

LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])

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


@dataclass(frozen=True)
class ImageGrid:
    """Size (x, y, z), spacing (mm), origin and direction (LPS) of a 3-D image.

    It answers to the names of SimpleITK, so that whatever looks at geometry alone takes it where
    it takes an image; an image of a head would have to be filled with zeros first.
    """

    size: tuple[int, int, int]
    spacing: tuple[float, ...]
    origin: tuple[float, ...]
    direction: tuple[float, ...]

    @classmethod
    def of(cls, size: tuple[int, int, int], affine: NDArray[np.float64]) -> ImageGrid:
        """Grid of so many voxels, from the 4 × 4 matrix from voxel index (x, y, z) to RAS mm."""
        lps = LPS_TO_RAS @ affine
        spacing = np.linalg.norm(lps[:3, :3], axis=0)
        direction = (lps[:3, :3] / spacing).ravel()
        x, y, z = (int(n) for n in size)
        return cls(
            (x, y, z),
            tuple(spacing.tolist()),
            tuple(lps[:3, 3].tolist()),
            tuple(direction.tolist()),
        )

    def image(self, voxels: NDArray[np.generic]) -> sitk.Image:
        """Return an image of voxels (z, y, x) on this grid."""
        made = sitk.GetImageFromArray(voxels)
        made.SetSpacing(self.spacing)
        made.SetOrigin(self.origin)
        made.SetDirection(self.direction)
        return made

    def GetSize(self) -> tuple[int, int, int]:  # noqa: N802 - as SimpleITK
        """Size along x, y, z."""
        return self.size

    def GetSpacing(self) -> tuple[float, ...]:  # noqa: N802 - as SimpleITK
        """Spacing along x, y, z, mm."""
        return self.spacing

    def GetOrigin(self) -> tuple[float, ...]:  # noqa: N802 - as SimpleITK
        """Place of the first voxel, LPS mm."""
        return self.origin

    def GetDirection(self) -> tuple[float, ...]:  # noqa: N802 - as SimpleITK
        """Direction cosines, row by row."""
        return self.direction
