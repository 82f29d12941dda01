"""Predicted arrays on the grid of their image, whatever way the model's reader turned it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import nibabel
import numpy as np
from numpy.typing import NDArray


def as_in_the_file(array: NDArray[Any], properties: Mapping[str, Any]) -> NDArray[Any]:
    """Return an array (…, z, y, x) in the orientation of the image file.

    nnU-Net's `NibabelIOWithReorient` reads images turned to RAS, and turns masks back when it
    writes them; its other readers keep the file's own order, and nothing is done.

    Parameters
    ----------
    properties
        What nnU-Net's reader tells of the image, with both affines where it turned it.
    """
    turned = properties.get("nibabel_stuff", {})
    if "reoriented_affine" not in turned:
        return array
    now, then = (
        nibabel.orientations.io_orientation(turned[name])
        for name in ("reoriented_affine", "original_affine")
    )
    change = nibabel.orientations.ornt_transform(now, then)
    axes = array.ndim - 3
    # nibabel's axes are x, y, z and come first.
    swapped = np.moveaxis(array, range(axes), range(3, array.ndim)).transpose(
        2, 1, 0, *range(3, array.ndim)
    )
    restored = nibabel.orientations.apply_orientation(swapped, change)
    back = restored.transpose(2, 1, 0, *range(3, array.ndim))
    return np.ascontiguousarray(np.moveaxis(back, range(3, array.ndim), range(axes)))
