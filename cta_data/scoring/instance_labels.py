"""The instances of a mask as voxels again, with the numbers that scores call them by."""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk

from cta_data.scoring.conventions import Convention
from cta_data.scoring.instances import instances_of_voxels
from cta_data.scoring.mask_files import MaskVoxels


def instance_labels(mask: MaskVoxels, convention: Convention) -> sitk.Image:
    """Return an image (LPS, mm) of the mask's instances, numbered from 1 as in the scores."""
    instances = instances_of_voxels(mask.index, mask.shape, convention)
    kind = np.uint16 if instances.count < np.iinfo(np.uint16).max else np.uint32
    labels = np.zeros(int(np.prod(mask.shape)), kind)
    # Runs are in the order of their voxels, and each of a mask's voxels is in one run.
    labels[mask.index] = np.repeat(instances.of_run + 1, instances.runs.lengths)
    return mask.grid.image(labels.reshape(mask.shape))
