"""Brain extraction without weights: intensities of the brain, cut loose from skull and scalp.

The brain is a compact region of middling intensity that fluid and bone separate from the rest of
the head but for thin bridges (vessels, nerves, brain stem, dura). Eroding the region cuts the
bridges, the central component is kept and grown back inside the region, and sulci and ventricles
are filled (after Shattuck et al. 2001 and Dogdas et al. 2005, on a 2 mm grid, with a homomorphic
bias estimate first).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import SimpleITK as sitk
from scipy import ndimage

from cta_data.errors import DataRefused
from cta_data.imaging.bias_field import bias_field, flattened
from cta_data.imaging.brain_extraction.result import BrainExtraction, Options
from cta_data.imaging.head_mask import head_mask, looks_like_ct
from cta_data.imaging.resampling import isotropic, resample

VERSION = "1"
_SPACING_MM = 2.0
_COARSE_MM = 4.0
_CT_BRAIN_HU = (5.0, 90.0)
_SCALP_MM = 5.0
_CROWN_TO_CENTRE_MM = 75.0
_CORE_RADIUS_MM = 40.0
NEXT_STEP = "Set brain_extraction.backend to hd-bet, provided or none in study.toml"
_EROSIONS_MM = (4.0, 5.0, 6.0, 7.0, 8.0)
_SEED_RADIUS_MM = 30.0
_LARGEST_MM3 = 2.0e6
_SMALLEST_MM3 = 4.0e5
_CLOSING_MM = 10.0
_SMOOTHING_MM = 2.5

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
        No compact region of a brain's size can be cut loose.
    """
    head = _prepare(image)
    tissue = _tissue(head)
    for erosion in _EROSIONS_MM:
        brain = _cut_loose(head, tissue, erosion)
        volume = float(brain.sum()) * _SPACING_MM**3
        if volume <= _LARGEST_MM3 and not _leaks(head, brain):
            break
    else:
        raise DataRefused(
            "no brain could be cut loose from the head",
            why=f"bridges of more than {2 * _EROSIONS_MM[-1]:g} mm join it to other tissue",
            next_step=NEXT_STEP,
        )
    if not _SMALLEST_MM3 <= volume <= _LARGEST_MM3:
        raise DataRefused(
            "no brain could be cut loose from the head",
            why=f"the central region has {volume / 1000:.0f} cm³",
            next_step=NEXT_STEP,
        )
    brain = _finished(head, brain)
    note = f"bridges of up to {2 * erosion:.0f} mm cut"
    return BrainExtraction(_on_grid(brain, head.grid, image), "morphology", VERSION, (note,))


def _prepare(image: sitk.Image) -> _Head:
    fine = isotropic(image, _SPACING_MM)
    coarse = isotropic(fine, _COARSE_MM)
    mask = head_mask(coarse)
    is_ct = looks_like_ct(coarse)
    if not sitk.GetArrayViewFromImage(mask).any():
        raise DataRefused("no head was found in the image")
    flat = fine if is_ct else flattened(fine, bias_field(coarse, mask))
    inside = sitk.GetArrayFromImage(resample(mask, flat, interpolation="nearest")) > 0
    # Where the field of view cuts the head there is no scalp: only the skin counts as outside.
    padded = np.pad(inside, 1, mode="edge")
    depth = ndimage.distance_transform_edt(padded)[1:-1, 1:-1, 1:-1] * _SPACING_MM
    points = _points(flat)
    distance = np.sqrt(((points - _brain_centre(points, inside)) ** 2).sum(axis=-1))
    return _Head(flat, sitk.GetArrayFromImage(flat), inside, depth, distance, is_ct)


def _points(grid: sitk.Image) -> npt.NDArray[np.float64]:
    """Physical points (LPS mm) of all voxels, shape (z, y, x, 3)."""
    index = np.moveaxis(np.indices(grid.GetSize()[::-1]), 0, -1)[..., ::-1].astype(np.float64)
    matrix = np.asarray(grid.GetDirection()).reshape(3, 3) * grid.GetSpacing()
    return np.asarray(index @ matrix.T + grid.GetOrigin())


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


def _tissue(head: _Head) -> Mask:
    """Voxels with a brain's intensity, deeper than the scalp."""
    low, high = _CT_BRAIN_HU if head.is_ct else _brain_range(head)
    deep = head.depth_mm > _SCALP_MM
    return np.asarray(deep & (head.values > low) & (head.values < high))


def _brain_range(head: _Head) -> tuple[float, float]:
    """Intensities of grey and white matter, from the middle of the head where little else is."""
    core = head.values[head.inside & (head.from_centre_mm < _CORE_RADIUS_MM)]
    typical = float(np.median(core))
    brain = core[(core > 0.5 * typical) & (core < 1.6 * typical)]
    centre, spread = float(np.median(brain)), float(np.subtract(*np.percentile(brain, (84, 16))))
    return max(0.6 * centre, centre - 2.5 * spread), centre + max(0.5 * centre, 2.5 * spread)


def _cut_loose(head: _Head, tissue: Mask, erosion_mm: float) -> Mask:
    """Erode, keep the central component, and grow it back inside the tissue."""
    eroded = ndimage.distance_transform_edt(tissue) * _SPACING_MM > erosion_mm
    core = _central(eroded, head.from_centre_mm)
    reach = ndimage.distance_transform_edt(~core) * _SPACING_MM if core.any() else None
    if reach is None:
        return core
    near = tissue & (reach <= erosion_mm + 0.5 * _SPACING_MM)
    return _central(near, head.from_centre_mm)


def _central(mask: Mask, from_centre_mm: npt.NDArray[np.float64]) -> Mask:
    """The component that fills most of a ball about the brain's centre."""
    labels, _ = ndimage.label(mask)
    inside = labels[(from_centre_mm < _SEED_RADIUS_MM) & mask]
    if inside.size == 0:
        return np.zeros_like(mask)
    return np.asarray(labels == int(np.bincount(inside).argmax()))


def _leaks(head: _Head, brain: Mask) -> bool:
    """Whether the region runs along the scalp, which a brain never does for long."""
    surface = brain & ~ndimage.binary_erosion(brain)
    shallow = float((head.depth_mm[surface] < _SCALP_MM + _SPACING_MM).mean())
    far = float((head.from_centre_mm[brain] > 115).mean())
    return shallow > 0.15 or far > 0.005


def _finished(head: _Head, brain: Mask) -> Mask:
    """Fill sulci and ventricles and smooth the surface."""
    pad = int(_CLOSING_MM / _SPACING_MM) + 2
    padded = np.pad(brain, pad)
    radius = _CLOSING_MM / _SPACING_MM
    reached = ndimage.distance_transform_edt(~padded) <= radius
    closed = ndimage.distance_transform_edt(reached) > radius
    closed = ndimage.binary_fill_holes(closed | padded)[(slice(pad, -pad),) * 3]
    closed &= head.inside
    smooth = ndimage.gaussian_filter(closed.astype(np.float32), _SMOOTHING_MM / _SPACING_MM)
    return _central(np.asarray(smooth > 0.5), head.from_centre_mm)


def _on_grid(brain: Mask, grid: sitk.Image, image: sitk.Image) -> sitk.Image:
    soft = ndimage.gaussian_filter(brain.astype(np.float32), 0.5)
    mask = sitk.GetImageFromArray(soft)
    mask.CopyInformation(grid)
    return sitk.Cast(resample(mask, image) > 0.5, sitk.sitkUInt8)
