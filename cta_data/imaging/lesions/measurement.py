"""What a lesion is like: its size, its place, and how far it stands out from its surroundings."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import ConvexHull
from scipy.spatial.distance import pdist

from cta_data.errors import DataRefused
from cta_data.imaging.geometry.grid import Grid, describe_grid_difference, same_grid
from cta_data.imaging.lesions.label_values import whole_numbers
from cta_data.imaging.lesions.mask_lesions import MOST_LESIONS

SHELL_MM = (2.0, 4.0)
_LEAST_SHELL_VOXELS = 20
_MAD_TO_SD = 1.4826


@dataclass(frozen=True)
class LesionMeasurement:
    """Measurements of one lesion.

    Volumes in mm³ and cm³; the centroid in RAS mm; ``max_diameter_mm`` is the largest distance
    between corners of its voxels, so a single voxel has its diagonal and a sphere about one
    voxel more than its diameter. ``contrast_to_noise_ratio`` is NaN where it is undefined,
    and ``contrast_to_noise_reason`` says why.
    """

    lesion_id: int
    n_voxels: int
    volume_mm3: float
    volume_cm3: float
    centroid_ras_mm: tuple[float, float, float]
    max_diameter_mm: float
    contrast_to_noise_ratio: float
    contrast_to_noise_reason: str


def measure_lesions(
    labels: sitk.Image, image: sitk.Image, brain_mask: sitk.Image | None = None
) -> tuple[LesionMeasurement, ...]:
    """Measure every lesion of an instance label image, in the order of ids.

    Parameters
    ----------
    labels
        Instance labels, whole numbers, 0 outside.
    image
        The technique on which contrast is measured, on the same grid.
    brain_mask
        Where surroundings may be taken from; everywhere if not given.

    Raises
    ------
    DataRefused
        If the images do not share one grid, or the labels hold fractions, values that are not
        finite or are no lesion ids.
    """
    grid = Grid.of(labels)
    for other, what in ((image, "image"), (brain_mask, "brain mask")):
        if other is not None and not same_grid(labels, other):
            raise DataRefused(
                "labels_off_grid", what=what, difference=describe_grid_difference(labels, other)
            )
    voxels = whole_numbers(sitk.GetArrayViewFromImage(labels), "labels").astype(np.int64)
    lowest, highest = int(voxels.min(initial=0)), int(voxels.max(initial=0))
    if lowest < 0 or highest > MOST_LESIONS:
        raise DataRefused("lesion_ids_invalid", lowest=lowest, highest=highest)
    values = sitk.GetArrayViewFromImage(image)
    allowed = None if brain_mask is None else sitk.GetArrayViewFromImage(brain_mask) > 0
    rows: list[LesionMeasurement] = []
    for number, box in enumerate(ndimage.find_objects(voxels), start=1):
        if box is None:
            continue
        ratio, reason = _contrast_to_noise(voxels, values, allowed, number, box, grid)
        rows.append(_measurement(voxels[box] == number, box, number, grid, ratio, reason))
    return tuple(rows)


def _measurement(
    lesion: NDArray[np.bool_],
    box: tuple[slice, slice, slice],
    number: int,
    grid: Grid,
    ratio: float,
    reason: str,
) -> LesionMeasurement:
    count = int(lesion.sum())
    index = np.argwhere(lesion)[:, ::-1] + np.array([part.start for part in box])[::-1]
    centre = grid.to_point(index.mean(axis=0)[None])[0] * [-1, -1, 1]
    volume = count * grid.voxel_volume_mm3
    return LesionMeasurement(
        lesion_id=number,
        n_voxels=count,
        volume_mm3=volume,
        volume_cm3=volume / 1000,
        centroid_ras_mm=(float(centre[0]), float(centre[1]), float(centre[2])),
        max_diameter_mm=largest_diameter_mm(index, grid),
        contrast_to_noise_ratio=ratio,
        contrast_to_noise_reason=reason,
    )


def largest_diameter_mm(index: NDArray[np.int64], grid: Grid) -> float:
    """Largest distance between corners of voxels, mm; ``index`` is (n, 3), x, y, z."""
    steps = np.array(np.meshgrid(*[[-0.5, 0.5]] * 3)).reshape(3, -1).T
    points = grid.to_point((_ends(index)[:, None, :] + steps).reshape(-1, 3))
    # Corners of voxels always span a volume, so the hull exists; its vertices decide.
    return float(pdist(points[ConvexHull(points).vertices]).max())


def _ends(index: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the first and last voxel of every row along x: no other can be farthest."""
    rows = index[np.lexsort(index.T)]  # by z, then y, then x
    changes = (np.diff(rows[:, 1:], axis=0) != 0).any(axis=1)
    return rows[np.append(True, changes) | np.append(changes, True)]


def _contrast_to_noise(
    voxels: NDArray[np.int64],
    values: NDArray[np.generic],
    allowed: NDArray[np.bool_] | None,
    number: int,
    box: tuple[slice, slice, slice],
    grid: Grid,
) -> tuple[float, str]:
    """Lesion mean minus the surroundings' mean, over their robust SD (1.4826 · MAD).

    The surroundings are voxels 2 to 4 mm from the lesion (between voxel centres), at least 2 mm
    from every other lesion, and inside the brain mask.
    """
    margin = np.ceil(SHELL_MM[1] / grid.spacing[::-1]).astype(int) + 1
    wide = tuple(
        slice(max(0, part.start - m), min(n, part.stop + m))
        for part, m, n in zip(box, margin, voxels.shape, strict=True)
    )
    near, spacing = voxels[wide], grid.spacing[::-1]
    lesion = near == number
    from_lesion = ndimage.distance_transform_edt(~lesion, sampling=spacing)
    from_any = ndimage.distance_transform_edt(near == 0, sampling=spacing)
    shell = (from_lesion <= SHELL_MM[1]) & (from_any >= SHELL_MM[0])
    if allowed is not None:
        shell &= allowed[wide]
    intensity = np.asarray(values[wide], dtype=np.float64)
    around = intensity[shell]
    if len(around) < _LEAST_SHELL_VOXELS:
        return float("nan"), f"only {len(around)} voxels of brain 2-4 mm around it"
    spread = _MAD_TO_SD * float(np.median(np.abs(around - np.median(around))))
    inside = intensity[lesion]
    if not (np.isfinite(around).all() and np.isfinite(inside).all()):
        return float("nan"), "the image has values that are not finite"
    if spread == 0:
        return float("nan"), "the surroundings have no noise (half of them share one value)"
    return float((inside.mean() - around.mean()) / spread), ""
