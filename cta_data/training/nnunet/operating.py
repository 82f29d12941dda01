"""The mask of a probability map at an operating point: candidates whose score is high enough."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cta_data.scoring import convention_named
from cta_data.scoring.instances import instances_of_voxels
from cta_data.scoring.probabilities.candidates import candidate_scores
from cta_data.training.nnunet.jobs import PointInUse


def mask_at(probability: NDArray[np.float32], point: PointInUse) -> NDArray[np.bool_]:
    """Return the candidates that an operating point keeps, whole.

    Parameters
    ----------
    probability
        (z, y, x).
    """
    z, y, x = probability.shape
    flat = np.ascontiguousarray(probability).reshape(-1)
    index = np.flatnonzero(flat >= point.candidates_from)
    found = instances_of_voxels(index, (z, y, x), convention_named(point.convention))
    scores = candidate_scores(found, flat[index].astype(np.float64))[point.score]
    of_voxel = np.repeat(found.of_run, found.runs.lengths)
    mask = np.zeros(flat.shape, bool)
    mask[index] = (scores >= point.threshold)[of_voxel]
    return mask.reshape(z, y, x)
