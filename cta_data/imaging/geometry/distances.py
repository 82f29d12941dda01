"""How far the voxels of a mask are from what is not in it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import SimpleITK as sitk


def depth_in_voxels(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
    """Return the distance of each voxel of a 3D mask to the nearest voxel outside of it.

    Distances are in voxels, between their centres, and exact (Maurer et al. 2003): the same bits as
    those of `scipy.ndimage.distance_transform_edt`, in half the time. Voxels outside have 0;
    infinity is the distance where the mask has no outside.
    """
    if mask.all() or not mask.any():
        return np.full(mask.shape, np.inf if mask.any() else 0.0)
    distance = sitk.SignedMaurerDistanceMapImageFilter()
    distance.SetNumberOfThreads(1)
    distance.SquaredDistanceOn()  # whole numbers, which single precision holds exactly
    distance.UseImageSpacingOff()
    squared = distance.Execute(sitk.GetImageFromArray((~mask).astype(np.uint8)))
    depth = np.maximum(sitk.GetArrayViewFromImage(squared), 0, dtype=np.float64)  # negative outside
    return np.asarray(np.sqrt(depth, out=depth))
