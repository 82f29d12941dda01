"""Where the head is: everything inside the skin, on MR and on CT, without the couch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import SimpleITK as sitk
from scipy import ndimage

from cta_data.imaging.geometry.distances import depth_in_voxels

# CT numbers (HU): below the first is air in any patient; the second lies between air and fat.
CT_AIR_HU = -500.0
CT_SKIN_HU = -300.0
_BRIDGE_MM = 6.0
_GAP_MM = 9.0


@dataclass(frozen=True)
class HeadMask:
    """The head on a coarse grid.

    ``mask`` is uint8 (1 = head) on an isotropic grid over the image's field of view;
    ``centre_mm`` is its centre of mass (LPS), ``radius_mm`` the radius of a ball of its volume.
    """

    mask: sitk.Image
    centre_mm: tuple[float, float, float]
    radius_mm: float
    volume_mm3: float


def looks_like_ct(image: sitk.Image) -> bool:
    """Tell CT from MR by the values alone: only CT holds a mass of strongly negative numbers."""
    values = sitk.GetArrayViewFromImage(image)[::4, ::4, ::4]
    return bool(np.percentile(values, 5) < CT_AIR_HU) or bool(
        np.min(values) < CT_AIR_HU and np.mean(values < CT_AIR_HU) > 0.02
    )


def head_mask(coarse: sitk.Image) -> sitk.Image:
    """Return the head (uint8 0/1) of an isotropic volume of 2 to 4 mm.

    The threshold is a CT number for CT and the minimum cross entropy (Li and Tam 1998) for MR.
    Thin bridges to a couch or a head holder are cut by an opening, the largest component is kept,
    gaps such as dark skull that is open to the outside are closed, and holes are filled. An image
    with nothing in it gives an empty mask.
    """
    values = sitk.GetArrayFromImage(coarse).astype(np.float32)
    spacing = float(coarse.GetSpacing()[0])
    foreground = values > (CT_SKIN_HU if looks_like_ct(coarse) else _mr_threshold(values))
    body = _largest(_opened(foreground, _BRIDGE_MM / 2 / spacing))
    # What the opening shaved off comes back, but nothing beyond its own reach.
    body = ndimage.binary_dilation(body, _ball(_BRIDGE_MM / 2 / spacing)) & foreground
    closed = _closed(body, _GAP_MM / spacing)
    mask = sitk.GetImageFromArray(_filled_in_planes(closed).astype(np.uint8))
    mask.CopyInformation(coarse)
    return mask


def describe_head(mask: sitk.Image) -> HeadMask:
    """Return centre, radius and volume of a mask (LPS mm)."""
    array = sitk.GetArrayViewFromImage(mask)
    count = int(np.count_nonzero(array))
    volume = count * float(np.prod(mask.GetSpacing()))
    radius = float((3 * volume / (4 * np.pi)) ** (1 / 3))
    middle = (np.asarray(mask.GetSize()) - 1) / 2
    index = np.argwhere(array).mean(axis=0)[::-1] if count else middle
    centre = mask.TransformContinuousIndexToPhysicalPoint([float(i) for i in index])
    return HeadMask(mask, (centre[0], centre[1], centre[2]), radius, volume)


def _mr_threshold(values: npt.NDArray[np.float32]) -> float:
    # Bright fat and vessels would pull the threshold up: they are cut at the 95th percentile.
    top = float(np.percentile(values, 95))
    clipped = sitk.GetImageFromArray(np.minimum(values, top))
    if top <= float(values.min()):
        return top
    threshold = sitk.LiThresholdImageFilter()
    threshold.SetNumberOfThreads(1)
    threshold.Execute(clipped)
    return float(threshold.GetThreshold())


def _largest(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    labels, count = ndimage.label(mask)
    if count == 0:
        return mask
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    return np.asarray(labels == int(sizes.argmax()))


def _opened(mask: npt.NDArray[np.bool_], radius: float) -> npt.NDArray[np.bool_]:
    # Outside the field of view counts as head while eroding: a cropped head is not worn away.
    ball = _ball(radius)
    eroded = ndimage.binary_erosion(mask, ball, border_value=1)
    return np.asarray(ndimage.binary_dilation(_largest(eroded), ball))


def _closed(mask: npt.NDArray[np.bool_], radius: float) -> npt.NDArray[np.bool_]:
    pad = int(np.ceil(radius)) + 1
    padded = np.pad(mask, pad)
    outside = depth_in_voxels(~padded) > radius
    closed = depth_in_voxels(~outside) > radius
    core = (slice(pad, -pad),) * 3
    return np.asarray(closed[core] | mask)


def _filled_in_planes(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    # Plane by plane along each axis, since a head cut by the field of view is open there in 3D.
    filled = ndimage.binary_fill_holes(mask)
    for axis in range(3):
        planes = np.moveaxis(filled, axis, 0)
        for plane in planes:
            plane[...] = ndimage.binary_fill_holes(plane)
    return np.asarray(filled)


def _ball(radius: float) -> npt.NDArray[np.bool_]:
    reach = max(1, int(np.floor(radius)))
    grid = np.indices((2 * reach + 1,) * 3) - reach
    return np.asarray((grid**2).sum(axis=0) <= max(radius, 1.0) ** 2 + 1e-6)
