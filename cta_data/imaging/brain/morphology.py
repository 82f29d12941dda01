"""Skull stripping without weights: intensities of the brain, cut loose from skull and scalp.

The brain is a compact region of middling intensity that fluid and bone separate from the rest of
the head but for thin bridges (vessels, nerves, brain stem, dura). Its deep core is safe; the
outside of the head is, too. A watershed between the two (Hahn and Peitgen 2000) finds where the
darkest layer lies: muscle that a blurred bone joins to the brain falls to the outside, however wide
the bridge. What is left of the brain's intensity is opened, and sulci and ventricles are filled
(after Shattuck et al. 2001 and Dogdas et al. 2005, on a 2 mm grid, with a homomorphic bias estimate
first).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import SimpleITK as sitk
from scipy import ndimage

from cta_data.errors import DataRefused
from cta_data.imaging.brain.bias_field import bias_field, flattened
from cta_data.imaging.brain.head_mask import head_mask, looks_like_ct
from cta_data.imaging.brain.result import BrainExtraction, Options
from cta_data.imaging.geometry.distances import box_around, depth_in_voxels
from cta_data.imaging.geometry.grid import Grid
from cta_data.imaging.geometry.resampling import isotropic, resample

VERSION = "2"
_SPACING_MM = 2.0
_COARSE_MM = 4.0
_LEAST_EXTENT_MM = 60.0
_CT_BRAIN_HU = (5.0, 90.0)
_SCALP_MM = 5.0
_SKIN_MM = 4.0
_CROWN_TO_CENTRE_MM = 75.0
_MIDDLE_RADIUS_MM = 40.0
_SEED_RADIUS_MM = 30.0
# The core is what is left of the tissue by the least of these erosions that frees it from neck and
# face, which is when nearly all of it lies within a brain's reach of the centre.
_EROSIONS_MM = (6.0, 7.0, 8.0, 9.0, 10.0)
_CORE_REACH_MM = 100.0
_MOST_BEYOND = 0.002
_HEAD_REACH_MM = 112.0
_OPENING_MM = 4.0
_CLOSING_MM = 10.0
_SMOOTHING_MM = 2.5
_WIDE_VOXELS = 3
_BRAIN, _OUTSIDE = 1, 2

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class _Head:
    """The head on the working grid (arrays z, y, x) and what is known before the brain is."""

    grid: sitk.Image
    values: npt.NDArray[np.float32]
    inside: Mask
    depth_mm: npt.NDArray[np.float64]
    from_centre_mm: npt.NDArray[np.float64]
    is_ct: bool


def extract(image: sitk.Image, options: Options) -> BrainExtraction:
    """Return the brain of a whole head on MR (any contrast with dark bone) or CT.

    Raises
    ------
    DataRefused
        The image shows no head or too little of it, or no compact region can be cut loose.
    """
    _require_volume(image)
    oriented = sitk.DICOMOrient(image, "RAS")
    head = _prepare(oriented)
    low, high = _CT_BRAIN_HU if head.is_ct else _brain_range(head)
    deep = head.depth_mm > _SCALP_MM
    tissue = np.asarray(deep & (head.values > low) & (head.values < high))
    core, erosion = _core(head, tissue)
    brain = _opened(head, tissue & _basin(head, core, high))
    mask = _on_grid(_finished(head, brain), head.grid, oriented)
    # The same voxels in another order: nearest neighbour puts each back where it came from.
    mask = resample(mask, image, interpolation="nearest")
    return BrainExtraction(mask, "morphology", VERSION, (f"core {erosion:.0f} mm deep",))


def _require_volume(image: sitk.Image) -> None:
    """Refuse what is no volume, and a slab that is too thin to hold a brain."""
    if image.GetDimension() != 3 or image.GetNumberOfComponentsPerPixel() != 1:
        raise DataRefused(
            "brain_image_not_a_volume",
            n_dimensions=image.GetDimension(),
            n_components=image.GetNumberOfComponentsPerPixel(),
        )
    extent = [n * step for n, step in zip(image.GetSize(), image.GetSpacing(), strict=True)]
    if min(extent) < _LEAST_EXTENT_MM:
        raise DataRefused(
            "field_of_view_too_small", min_extent=min(extent), least_extent_mm=_LEAST_EXTENT_MM
        )


def _prepare(image: sitk.Image) -> _Head:
    fine = isotropic(image, _SPACING_MM)
    coarse = isotropic(fine, _COARSE_MM)
    mask = head_mask(coarse)
    is_ct = looks_like_ct(coarse)
    if not sitk.GetArrayViewFromImage(mask).any():
        raise DataRefused("head_not_found")
    flat = fine if is_ct else flattened(fine, bias_field(coarse, mask))
    inside = sitk.GetArrayFromImage(resample(mask, flat, interpolation="nearest")) > 0
    # Where the field of view cuts the head there is no scalp: only the skin counts as outside.
    padded = np.pad(inside, 1, mode="edge")
    depth = depth_in_voxels(padded)[1:-1, 1:-1, 1:-1] * _SPACING_MM
    points = _points(flat)
    distance = np.sqrt(((points - _brain_centre(points, inside)) ** 2).sum(axis=-1))
    return _Head(flat, sitk.GetArrayFromImage(flat), inside, depth, distance, is_ct)


def _points(image: sitk.Image) -> npt.NDArray[np.float64]:
    """Physical points (LPS mm) of all voxels, shape (z, y, x, 3)."""
    index = np.moveaxis(np.indices(image.GetSize()[::-1]), 0, -1)[..., ::-1].astype(np.float64)
    return Grid.of(image).to_point(index)


def _brain_centre(points: npt.NDArray[np.float64], inside: Mask) -> npt.NDArray[np.float64]:
    """Guess the brain's centre: a fixed way below the crown, amid the head at that height.

    Only the crown is where it is in everybody and in every field of view; neck and face are not.
    """
    head = points[inside]
    centre_z = float(np.percentile(head[:, 2], 99.9)) - _CROWN_TO_CENTRE_MM
    slab = head[np.abs(head[:, 2] - centre_z) < 30]
    if len(slab) == 0:
        slab = head
    return np.asarray([slab[:, 0].mean(), slab[:, 1].mean(), max(centre_z, head[:, 2].min())])


def _brain_range(head: _Head) -> tuple[float, float]:
    """Intensities of grey and white matter, from the middle of the head where little else is."""
    core = head.values[head.inside & (head.from_centre_mm < _MIDDLE_RADIUS_MM)]
    typical = float(np.median(core))
    brain = core[(core > 0.5 * typical) & (core < 1.6 * typical)]
    centre, spread = float(np.median(brain)), float(np.subtract(*np.percentile(brain, (84, 16))))
    # Where grey and white matter differ much, grey matter reaches lower.
    floor = min(0.6 * centre, max(0.45 * centre, centre - 1.3 * spread))
    return max(floor, centre - 2.5 * spread), centre + max(0.5 * centre, 2.5 * spread)


def _core(head: _Head, tissue: Mask) -> tuple[Mask, float]:
    """Return what lies so deep in the tissue that it can only be brain, and how deep (mm)."""
    depth = depth_in_voxels(tissue) * _SPACING_MM
    for erosion in _EROSIONS_MM:
        core = _central(depth > erosion, head.from_centre_mm)
        if not core.any():
            break
        if float((head.from_centre_mm[core] > _CORE_REACH_MM).mean()) <= _MOST_BEYOND:
            return core, erosion
    raise DataRefused(
        "brain_not_separable",
        why=f"bridges of more than {2 * erosion:g} mm join it to other tissue"
        if core.any()
        else f"nothing of a brain's intensity lies deeper than {erosion:g} mm amid the head",
    )


def _basin(head: _Head, core: Mask, high: float) -> Mask:
    """The side of the core, where the head is divided along the darkest layer around it.

    Both sides grow from bright to dark. Thin bright bridges, such as enhancing vessels, would lead
    the outside into the brain: a grey opening takes them away, a wider one what is brighter than
    brain.
    """
    outside = ~head.inside | (head.depth_mm <= _SKIN_MM) | (head.from_centre_mm > _HEAD_REACH_MM)
    # All beyond is outside; the margin holds what the filters see from the rim.
    box = box_around(~outside, 2 * _WIDE_VOXELS + 4)
    values = head.values[box]
    values = np.where(values > high, 0.0, values) if head.is_ct else values
    values = ndimage.gaussian_filter(values.astype(np.float32), 0.5)
    narrow, wide = (
        ndimage.grey_opening(values, footprint=_ball(reach)) for reach in (1, _WIDE_VOXELS)
    )
    bright = np.clip(np.where(values > high, wide, narrow), 0.0, high)
    markers = np.where(outside[box], _OUTSIDE, 0).astype(np.uint8)
    markers[core[box]] = _BRAIN
    watershed = sitk.MorphologicalWatershedFromMarkersImageFilter()
    watershed.MarkWatershedLineOff()
    watershed.SetNumberOfThreads(1)
    sides = watershed.Execute(sitk.GetImageFromArray(-bright), sitk.GetImageFromArray(markers))
    basin = np.zeros_like(core)
    basin[box] = sitk.GetArrayFromImage(sides) == _BRAIN
    return basin


def _opened(head: _Head, tissue: Mask) -> Mask:
    """Erode, keep the central component, and grow it back inside the tissue."""
    depth = depth_in_voxels(tissue) * _SPACING_MM
    kept = _central(depth > _OPENING_MM, head.from_centre_mm)
    grown = np.zeros_like(kept)
    if kept.any():
        reach_mm = _OPENING_MM + 0.5 * _SPACING_MM
        box = box_around(kept, int(reach_mm / _SPACING_MM) + 1)
        grown[box] = tissue[box] & (depth_in_voxels(~kept[box]) * _SPACING_MM <= reach_mm)
    return _central(grown, head.from_centre_mm)


def _central(mask: Mask, from_centre_mm: npt.NDArray[np.float64]) -> Mask:
    """The component that fills most of a ball about the brain's centre."""
    labels, _ = ndimage.label(mask)
    inside = labels[(from_centre_mm < _SEED_RADIUS_MM) & mask]
    if inside.size == 0:
        return np.zeros_like(mask)
    return np.asarray(labels == int(np.bincount(inside).argmax()))


def _finished(head: _Head, brain: Mask) -> Mask:
    """Fill sulci and ventricles and smooth the surface."""
    pad = int(_CLOSING_MM / _SPACING_MM) + 2
    box = box_around(brain, 0)  # a closing leaves it nowhere
    padded = np.pad(brain[box], pad)
    radius = _CLOSING_MM / _SPACING_MM
    reached = depth_in_voxels(~padded) <= radius
    closed = np.zeros_like(brain)
    filled = ndimage.binary_fill_holes((depth_in_voxels(reached) > radius) | padded)
    closed[box] = filled[(slice(pad, -pad),) * 3]
    closed &= head.inside
    smooth = ndimage.gaussian_filter(closed.astype(np.float32), _SMOOTHING_MM / _SPACING_MM)
    return _central(np.asarray(smooth > 0.5), head.from_centre_mm)


def _on_grid(brain: Mask, grid: sitk.Image, image: sitk.Image) -> sitk.Image:
    soft = ndimage.gaussian_filter(brain.astype(np.float32), 0.5)
    mask = sitk.GetImageFromArray(soft)
    mask.CopyInformation(grid)
    return sitk.Cast(resample(mask, image) > 0.5, sitk.sitkUInt8)


def _ball(reach: int) -> Mask:
    grid = np.indices((2 * reach + 1,) * 3) - reach
    return np.asarray((grid**2).sum(axis=0) <= reach**2)
