"""An image made ready for registration: coarse, flat, windowed, and with its head found."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

from cta_data.errors import DataRefused
from cta_data.imaging.brain.bias_field import bias_field, flattened
from cta_data.imaging.brain.head_mask import HeadMask, describe_head, head_mask, looks_like_ct
from cta_data.imaging.geometry.resampling import isotropic

MASK_SPACING_MM = 4.0
# CT numbers (HU) and what they become: soft tissue keeps its contrast, air and bone are compressed
# to an eighth, since the histogram has few bins. Clipping them instead would move the edges of skin
# and skull, and an affine fit would follow with 0.5 % of scale.
CT_KNOTS_HU = (-1000.0, -150.0, 150.0, 1500.0)
CT_COMPRESSED = (-256.0, -150.0, 150.0, 319.0)
_SMALLEST_HEAD_MM3 = 5e5


@dataclass(frozen=True)
class RegistrationVolume:
    """What registration and its quality checks look at.

    ``image`` is float32 on an isotropic grid, MR divided by its bias field and clipped at
    percentiles of the head, CT with air and bone compressed; ``head`` lies on a grid of 4 mm.
    """

    image: sitk.Image
    head: HeadMask
    is_ct: bool


def prepare_volume(image: sitk.Image, spacing_mm: float, name: str) -> RegistrationVolume:
    """Return ``image`` ready for registration at ``spacing_mm``.

    Raises
    ------
    DataRefused
        The image is not a volume, holds no head, or one value within it, as a mask does; ``name``
        says which image that was.
    """
    if image.GetDimension() != 3 or image.GetNumberOfComponentsPerPixel() != 1:
        raise DataRefused(
            "registration_image_not_a_volume",
            name=name,
            n_dimensions=image.GetDimension(),
            n_components=image.GetNumberOfComponentsPerPixel(),
        )
    # In one voxel order, so that the same head gives the same samples however it is stored.
    fine = isotropic(sitk.DICOMOrient(image, "RAS"), spacing_mm)
    coarse = isotropic(fine, MASK_SPACING_MM) if spacing_mm < MASK_SPACING_MM else fine
    is_ct = looks_like_ct(coarse)
    head = describe_head(head_mask(coarse))
    if head.volume_mm3 < _SMALLEST_HEAD_MM3:
        raise DataRefused(
            "head_not_found_for_registration", name=name, volume_cm3=head.volume_mm3 / 1000
        )
    if is_ct:
        return RegistrationVolume(_compressed(fine), head, is_ct)
    flat = flattened(fine, bias_field(coarse, head.mask))
    low, high = _percentile_window(flat, head.mask)
    if not low < high:
        raise DataRefused("registration_image_constant", name=name, value=low)
    return RegistrationVolume(sitk.Clamp(flat, sitk.sitkFloat32, low, high), head, is_ct)


def _compressed(image: sitk.Image) -> sitk.Image:
    values = np.interp(sitk.GetArrayViewFromImage(image), CT_KNOTS_HU, CT_COMPRESSED)
    compressed = sitk.GetImageFromArray(values.astype(np.float32))
    compressed.CopyInformation(image)
    return compressed


def _percentile_window(image: sitk.Image, mask: sitk.Image) -> tuple[float, float]:
    on_grid = sitk.Resample(mask, image, sitk.Transform(), sitk.sitkNearestNeighbor, 0)
    inside = sitk.GetArrayViewFromImage(image)[sitk.GetArrayViewFromImage(on_grid) > 0]
    low, high = np.percentile(inside, (0.5, 99.0))
    return float(low), float(high)
