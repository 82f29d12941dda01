"""The grid of an image without its voxels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])


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
