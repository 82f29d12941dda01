"""Planes through images for people to look at: where they lie, and what an image shows there.

Planes are shown as radiologists see them: the patient's right on the left, anterior (axial) or
superior (coronal, sagittal) at the top. A sagittal plane looks to the left.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from cta_data.imaging.geometry.resampling import resample

Vector = NDArray[np.float64]
Pixels = NDArray[np.float64]
CT_WINDOW = (-100.0, 200.0)
_BRIGHT, _DARK = 99.8, 1.0  # percent of voxels
_LESION = 98.0  # percent of a lesion's pixels


@dataclass(frozen=True, eq=False)
class ViewPlane:
    """A square of pixels in space.

    Attributes
    ----------
    centre
        Of the square, LPS, mm.
    right, down
        Unit vectors (LPS) along the rows and the columns of what is shown.
    width_mm, pixel_mm
        Edge of the square and of its pixels.
    """

    centre: Vector
    right: Vector
    down: Vector
    width_mm: float
    pixel_mm: float

    @property
    def n_pixels(self) -> int:
        """Pixels along each edge."""
        return round(self.width_mm / self.pixel_mm)

    def grid(self) -> sitk.Image:
        """Return the plane as an empty image of one slice."""
        n = self.n_pixels
        normal = np.cross(self.right, self.down)
        grid = sitk.Image([n, n, 1], sitk.sitkUInt8)
        grid.SetSpacing([self.pixel_mm, self.pixel_mm, 1.0])
        grid.SetDirection(np.column_stack([self.right, self.down, normal]).ravel().tolist())
        half = (n - 1) / 2 * self.pixel_mm
        grid.SetOrigin((self.centre - half * (self.right + self.down)).tolist())
        return grid


def anatomical_axes(image: sitk.Image) -> tuple[Vector, Vector, Vector]:
    """Return the image's own axes (unit vectors, LPS) that point most to left, posterior, superior.

    An oblique image is so shown along its own slices.
    """
    columns = np.array(image.GetDirection()).reshape(3, 3).T
    axes, free = [], [0, 1, 2]
    for world in range(3):
        chosen = max(free, key=lambda i: abs(columns[i][world]))
        free.remove(chosen)
        axes.append(columns[chosen] * (1.0 if columns[chosen][world] >= 0 else -1.0))
    return axes[0], axes[1], axes[2]


def orthogonal_planes(
    image: sitk.Image, centre: Vector, width_mm: float, pixel_mm: float
) -> dict[str, ViewPlane]:
    """Return the axial, coronal and sagittal plane through a point, along the image's own axes."""
    left, posterior, superior = anatomical_axes(image)
    sides = {
        "axial": (left, posterior),
        "coronal": (left, -superior),
        "sagittal": (posterior, -superior),
    }
    return {name: ViewPlane(centre, *both, width_mm, pixel_mm) for name, both in sides.items()}


def middle(mask: sitk.Image) -> Vector:
    """Return the centroid (LPS, mm) of what is not 0, or of the image where all is."""
    inside = sitk.GetArrayViewFromImage(mask) != 0
    # By counts along each axis: the indices of all voxels of a head would be hundreds of megabytes.
    counts = [np.count_nonzero(inside, axis=others) for others in ((0, 1), (0, 2), (1, 2))]
    total = int(counts[0].sum())
    if total:
        index = [float(one @ np.arange(len(one))) / total for one in counts]
    else:
        index = [(n - 1) / 2 for n in mask.GetSize()]
    return np.array(mask.TransformContinuousIndexToPhysicalPoint(index))


def lesion_centre(labels: sitk.Image, lesion_id: int) -> tuple[Vector, float] | None:
    """Return where to look at a lesion (LPS, mm) and how far it reaches from there in plane (mm).

    The point is the lesion's centroid, moved to the middle of the axial slice in which the lesion
    is largest (of several, the one nearest to the centroid). None where there is no such lesion.
    """
    held = sitk.GetArrayViewFromImage(labels)
    # Much faster than numpy's search in three dimensions.
    found = np.flatnonzero(held == lesion_id)
    if not len(found):
        return None
    voxels = np.column_stack(np.unravel_index(found, held.shape)[::-1])
    superior = anatomical_axes(labels)[2]
    columns = np.array(labels.GetDirection()).reshape(3, 3).T
    axis = int(np.argmax(np.abs(columns @ superior)))
    centre = voxels.mean(axis=0)
    slices, areas = np.unique(voxels[:, axis], return_counts=True)
    largest = slices[areas == areas.max()]
    centre[axis] = largest[np.argmin(np.abs(largest - centre[axis]))]
    steps = (voxels - voxels.mean(axis=0)) * np.array(labels.GetSpacing())
    steps[:, axis] = 0
    reach = float(np.sqrt((steps**2).sum(axis=1)).max())
    return np.array(labels.TransformContinuousIndexToPhysicalPoint(centre.tolist())), reach


def grey_window(
    image: sitk.Image, brain: sitk.Image | None, modality: str = "MR"
) -> tuple[float, float]:
    """Return the values that are shown black and white.

    Both are of the brain, so that it has the contrast, and not the air around it. Without a mask,
    black is of the whole image, and white of what is brighter than the mean.
    """
    if modality == "CT":
        return CT_WINDOW
    values = sitk.GetArrayViewFromImage(image)[::2, ::2, ::2].astype(np.float64)
    inside = values > values.mean()
    if brain is not None and brain.GetSize() == image.GetSize():
        of_brain = sitk.GetArrayViewFromImage(brain)[::2, ::2, ::2] != 0
        if of_brain.any():
            inside, values = of_brain, np.where(of_brain, values, np.nan)
    low = float(np.nanpercentile(values, _DARK))
    high = float(np.percentile(values[inside], _BRIGHT)) if inside.any() else low
    return low, max(high, low + 1e-6)


def lesion_window(
    window: tuple[float, float], values: Pixels, inside: NDArray[np.bool_], modality: str = "MR"
) -> tuple[float, float]:
    """Return a window from the brain to the lesion: what enhances is not shown as one white.

    Parameters
    ----------
    window
        Of the brain.
    values, inside
        What the image shows in a plane, and which of it is lesion.
    """
    if modality == "CT" or not inside.any():
        return window
    low, high = window
    return low, max(high, float(np.percentile(values[inside], _LESION)))


def sample(
    image: sitk.Image, plane: ViewPlane, outside: float, transform: sitk.Transform | None = None
) -> Pixels:
    """Return the values of an image in a plane, rows from the top; `outside` where it ends.

    Parameters
    ----------
    transform
        Maps points of the plane's space to points of the image (LPS, mm); identity without it.
    """
    flat = resample(image, plane.grid(), transform, default=outside, floating=True)
    return np.asarray(sitk.GetArrayFromImage(flat)[0].astype(np.float64))


def show(
    image: sitk.Image,
    plane: ViewPlane,
    window: tuple[float, float],
    transform: sitk.Transform | None = None,
) -> Pixels:
    """Return what an image shows in a plane: rows from the top, 0 (black) to 1 (white).

    Parameters
    ----------
    transform
        Maps points of the plane's space to points of the image (LPS, mm); identity without it.
    """
    low, high = window
    return np.clip((sample(image, plane, low, transform) - low) / (high - low), 0, 1)


def show_lesion(
    labels: sitk.Image, lesion_id: int, plane: ViewPlane, transform: sitk.Transform | None = None
) -> NDArray[np.bool_]:
    """Return where the voxels of a lesion are cut by a plane, voxel for voxel (not smoothed)."""
    flat = resample(labels, plane.grid(), transform, interpolation="nearest")
    return np.asarray(sitk.GetArrayFromImage(flat)[0] == lesion_id)
