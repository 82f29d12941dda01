"""The slow variation of MR intensity over the head, and images without it.

Coil sensitivity shifts the optimum of mutual information by some tenths of a millimetre and makes
one threshold for the whole brain impossible. A homomorphic estimate (the local mean of the
logarithm over the head's bright voxels; Brinkmann, Manduca and Robb 1998) costs a fraction of a
second, where N4 costs several.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import SimpleITK as sitk
from scipy import ndimage

from cta_data.imaging.geometry.resampling import resample

_DARK = 0.3  # of the typical intensity: below is air, bone or fluid, which says nothing of the coil
_FLOOR = 0.1


def bias_field(coarse: sitk.Image, head: sitk.Image, sigma_mm: float = 20.0) -> sitk.Image:
    """Estimate the multiplicative field on the grid of ``coarse`` (isotropic, 3 to 5 mm).

    ``head`` is a mask on the same grid. The field is near 1 where the intensity is typical of the
    head, and positive everywhere; an image without signal gives a field of ones.
    """
    values = sitk.GetArrayFromImage(coarse).astype(np.float64)
    inside = sitk.GetArrayViewFromImage(head) > 0
    typical = float(np.percentile(values[inside], 60)) if inside.any() else 0.0
    field = np.ones_like(values)
    if typical > 0:
        bright = (inside & (values > _DARK * typical)).astype(np.float64)
        logarithm = np.log(np.maximum(values, _FLOOR * typical) / typical)
        field = np.exp(_local_mean(logarithm, bright, sigma_mm / coarse.GetSpacing()[0]))
    image = sitk.GetImageFromArray(field.astype(np.float32))
    image.CopyInformation(coarse)
    return image


def flattened(image: sitk.Image, field: sitk.Image) -> sitk.Image:
    """Return ``image`` divided by ``field`` (any grid over the same space), as float32.

    Outside the field's own field of view the image is left as it is.
    """
    on_grid = resample(field, image, default=1.0)
    return sitk.Divide(sitk.Cast(image, sitk.sitkFloat32), on_grid)


def _local_mean(
    values: npt.NDArray[np.float64], weights: npt.NDArray[np.float64], sigma: float
) -> npt.NDArray[np.float64]:
    # Normalised convolution; far from any bright voxel the overall mean takes over.
    overall = float((values * weights).sum() / max(weights.sum(), 1.0))
    faint = 1e-3
    total = ndimage.gaussian_filter(values * weights, sigma) + faint * overall
    return np.asarray(total / (ndimage.gaussian_filter(weights, sigma) + faint))
