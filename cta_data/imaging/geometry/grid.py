"""Where the voxels of an image lie, and whether two images lie on one grid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

import nibabel as nib
import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

_T = TypeVar("_T", bound=np.generic)


LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
SAME_GRID_MM = 1e-2
"""Voxels no farther apart than this are one: headers are rounded, and no lesion is that small."""


class Placed(Protocol):
    """Whatever says where its voxels lie, as SimpleITK says it: an image, or a `Grid`."""

    def GetSize(self) -> Sequence[int]: ...  # noqa: D102, N802
    def GetSpacing(self) -> Sequence[float]: ...  # noqa: D102, N802
    def GetOrigin(self) -> Sequence[float]: ...  # noqa: D102, N802
    def GetDirection(self) -> Sequence[float]: ...  # noqa: D102, N802


@dataclass(frozen=True)
class Arrangement:
    """An order of an image's axes and which of them are reversed.

    ``axes`` are the image's axes (0 = x) in their new order; ``flipped`` is by image axis.
    """

    axes: tuple[int, int, int]
    flipped: tuple[bool, ...]

    def apply(self, voxels: NDArray[_T]) -> NDArray[_T]:
        """Return an image's voxels (z, y, x) as (third, second, first axis) of the new order."""
        back = tuple(2 - axis for axis in range(3) if self.flipped[axis])
        turned = np.transpose(np.flip(voxels, back), [2 - axis for axis in self.axes[::-1]])
        return np.ascontiguousarray(turned)

    def undo(
        self,
        region: NDArray[_T],
        start: tuple[int, int, int],
        size: tuple[int, int, int],
    ) -> tuple[NDArray[_T], tuple[int, int, int]]:
        """Bring a box (third, second, first axis) that starts at ``start`` back to the image.

        ``size`` is the image's own. Returns the box as (z, y, x) and its start (x, y, z).
        """
        position = [self.axes.index(axis) for axis in range(3)]
        box = np.transpose(region, [2 - position[axis] for axis in (2, 1, 0)])
        low = [start[position[axis]] for axis in range(3)]
        for axis in range(3):
            if self.flipped[axis]:
                box = np.flip(box, 2 - axis)
                low[axis] = size[axis] - low[axis] - box.shape[2 - axis]
        return np.ascontiguousarray(box), (low[0], low[1], low[2])


@dataclass(frozen=True, eq=False)
class Grid:
    """Size (x, y, z), spacing (mm), origin (LPS, mm) and direction (3 × 3) of a 3-D image.

    It answers to the names of SimpleITK, so that whatever looks at geometry alone takes it where
    it takes an image; an image of a head would have to be filled with zeros first.
    """

    size: tuple[int, int, int]
    spacing: NDArray[np.float64]
    origin: NDArray[np.float64]
    direction: NDArray[np.float64]

    @classmethod
    def of(cls, image: Placed) -> Grid:
        """The geometry of ``image``."""
        x, y, z = image.GetSize()
        return cls(
            (x, y, z),
            np.array(image.GetSpacing()),
            np.array(image.GetOrigin()),
            np.array(image.GetDirection()).reshape(3, 3),
        )

    @classmethod
    def of_affine(cls, size: tuple[int, int, int], affine: NDArray[np.float64]) -> Grid:
        """The grid of so many voxels, from the 4 × 4 matrix from index (x, y, z) to RAS mm."""
        lps = LPS_TO_RAS @ affine
        spacing = np.linalg.norm(lps[:3, :3], axis=0)
        x, y, z = (int(n) for n in size)
        return cls((x, y, z), spacing, lps[:3, 3], lps[:3, :3] / spacing)

    def GetSize(self) -> tuple[int, int, int]:  # noqa: N802 - as SimpleITK
        """Size along x, y, z."""
        return self.size

    def GetSpacing(self) -> tuple[float, ...]:  # noqa: N802 - as SimpleITK
        """Spacing along x, y, z, mm."""
        return tuple(self.spacing.tolist())

    def GetOrigin(self) -> tuple[float, ...]:  # noqa: N802 - as SimpleITK
        """Place of the first voxel, LPS mm."""
        return tuple(self.origin.tolist())

    def GetDirection(self) -> tuple[float, ...]:  # noqa: N802 - as SimpleITK
        """Direction cosines, row by row."""
        return tuple(self.direction.ravel().tolist())

    def image(self, voxels: NDArray[np.generic]) -> sitk.Image:
        """An image of voxels (z, y, x) on this grid."""
        made = sitk.GetImageFromArray(voxels)
        made.SetSpacing(self.spacing.tolist())
        made.SetOrigin(self.origin.tolist())
        made.SetDirection(self.direction.ravel().tolist())
        return made

    @property
    def index_to_point(self) -> NDArray[np.float64]:
        """The 3 × 3 matrix that takes index steps (x, y, z) to mm (LPS)."""
        return self.direction * self.spacing

    @property
    def slice_normal(self) -> NDArray[np.float64]:
        """Unit vector (LPS) across the slices, that is across both in-plane axes."""
        normal = np.cross(self.direction[:, 0], self.direction[:, 1])
        return np.asarray(normal / np.linalg.norm(normal))

    def towards_ras(self) -> Arrangement:
        """The arrangement whose axes lead right, anterior and superior, as nearly as can be."""
        affine = np.diag([-1.0, -1.0, 1.0, 1.0])
        affine[:3, :3] @= self.index_to_point
        codes = nib.io_orientation(affine)
        x, y, z = (int(axis) for axis in np.argsort(codes[:, 0]))
        return Arrangement((x, y, z), tuple(bool(sign < 0) for sign in codes[:, 1]))

    def arranged(self, arrangement: Arrangement) -> Grid:
        """The same voxels with their axes in another order and direction."""
        last = np.array(self.size) - 1
        first_voxel = np.where(arrangement.flipped, last, 0)
        signs = np.where(arrangement.flipped, -1.0, 1.0)
        axes = list(arrangement.axes)
        return Grid(
            (self.size[axes[0]], self.size[axes[1]], self.size[axes[2]]),
            self.spacing[axes],
            self.to_point(first_voxel[None])[0],
            (self.direction * signs)[:, axes],
        )

    def facing(self, normal: NDArray[np.float64]) -> Arrangement:
        """The arrangement whose slices lie across ``normal``, with every axis towards +LPS.

        Of the two axes within slices, the one nearer to x comes first.

        The last axis becomes the one whose slices face ``normal`` best.
        """
        across = np.linalg.inv(self.direction)  # row i is across the other two axes
        across /= np.linalg.norm(across, axis=1)[:, None]
        slices = int(np.argmax(np.round(np.abs(across @ normal), 6)))
        dominant = np.argmax(np.abs(self.direction), axis=0)
        within = [axis for axis in range(3) if axis != slices]
        axes = [*sorted(within, key=lambda axis: int(dominant[axis])), slices]
        flipped = tuple(bool(self.direction[dominant[axis], axis] < 0) for axis in range(3))
        return Arrangement((axes[0], axes[1], axes[2]), flipped)

    def along(self, direction: NDArray[np.float64]) -> Arrangement:
        """The arrangement whose axes lead along the columns of ``direction`` (3 × 3), nearly."""
        cosines = direction.T @ self.direction
        orders = [(0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0)]
        axes = max(orders, key=lambda one: float(np.abs(cosines[[0, 1, 2], one]).sum()))
        new_axis = np.argsort(axes)
        flipped = tuple(bool(cosines[new_axis[axis], axis] < 0) for axis in range(3))
        return Arrangement(axes, flipped)

    @property
    def voxel_volume_mm3(self) -> float:
        """Volume of one voxel, mm³."""
        return float(abs(np.linalg.det(self.index_to_point)))

    def to_index(self, points_lps_mm: NDArray[np.floating]) -> NDArray[np.float64]:
        """Continuous index (x, y, z) of points, shape (n, 3), LPS, mm."""
        relative = points_lps_mm - self.origin
        return np.asarray(np.linalg.solve(self.index_to_point, relative.T).T)

    def to_point(self, index: NDArray[np.number]) -> NDArray[np.float64]:
        """Points (LPS, mm) of continuous indices (x, y, z), shape (..., 3)."""
        return np.asarray(index @ self.index_to_point.T + self.origin)


def ras_affine(image: Placed) -> NDArray[np.float64]:
    """4 × 4 matrix from voxel index (x, y, z) to RAS mm."""
    affine = np.eye(4)
    direction = np.array(image.GetDirection()).reshape(3, 3)
    affine[:3, :3] = direction * np.array(image.GetSpacing())
    affine[:3, 3] = image.GetOrigin()
    return LPS_TO_RAS @ affine


def same_grid(first: Placed, second: Placed) -> bool:
    """Whether two 3-D images have the same size and every voxel within `SAME_GRID_MM`."""
    return distance_of_grids_mm(first, second) <= SAME_GRID_MM


def same_voxels(first: Placed, second: Placed) -> bool:
    """Whether two 3-D images have the same voxels in space, in any order and direction of axes."""
    own, other = Grid.of(first), Grid.of(second)
    return same_grid(own.arranged(own.along(other.direction)), other)


def distance_of_grids_mm(first: Placed, second: Placed) -> float:
    """Largest distance between the places that two 3-D grids give a voxel; infinite by size."""
    if tuple(first.GetSize()) != tuple(second.GetSize()):
        return float("inf")
    last = np.array(first.GetSize()) - 1
    corners = np.array(np.meshgrid(*[(0, end) for end in last])).reshape(3, -1)
    corners = np.vstack([corners, np.ones(corners.shape[1])])
    difference = (ras_affine(first) - ras_affine(second)) @ corners
    return float(np.linalg.norm(difference[:3], axis=0).max())


def describe_grid_difference(first: Placed, second: Placed) -> str:
    """Both grids in words, and how far apart their corners lie where the sizes agree."""
    text = f"{_describe_grid(first)} against {_describe_grid(second)}"
    apart = distance_of_grids_mm(first, second)
    return text if np.isinf(apart) else f"{text}; corners up to {apart:.3g} mm apart"


def describe_affine(affine: NDArray[np.float64]) -> str:
    """Spacing, directions of the axes and place of the first voxel, in words."""
    spacing = " × ".join(f"{value:.5g}" for value in np.linalg.norm(affine[:3, :3], axis=0))
    origin = ", ".join(f"{value:.2f}" for value in affine[:3, 3])
    codes = "".join(nib.aff2axcodes(affine))
    return f"{spacing} mm, {codes}, first voxel at RAS ({origin})"


def _describe_grid(image: Placed) -> str:
    size = " × ".join(str(n) for n in image.GetSize())
    return f"{size} voxels of {describe_affine(ras_affine(image))}"
