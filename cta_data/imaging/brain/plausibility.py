"""Whether a mask can be a brain: size, shape and place in the head of what is returned.

The limits lie between masks of four real heads and of digital ones, each looked at, and masks of
the same heads that run into muscle, neck or scalp (docs/how-to/choose-a-brain-extraction.md).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
import SimpleITK as sitk
from scipy import ndimage
from scipy.spatial import ConvexHull

from cta_data.imaging.brain.head_mask import head_mask
from cta_data.imaging.geometry.distances import depth_in_voxels
from cta_data.imaging.geometry.resampling import isotropic, resample
from cta_data.reasons import Reason

_SPACING_MM = 4.0
_SHALLOW_MM = 8.0
_FEWEST_VOXELS = 100


@dataclass(frozen=True)
class BrainShape:
    """What is measured of a mask, on a grid of 4 mm.

    ``volume_cm3``; ``solidity``: volume over that of the convex hull; ``farthest_mm``: from the
    mask's own centre to its farthest point; ``share_of_head``: volume over that of the head inside
    the field of view; ``share_inside_head``: part of the mask that lies inside the head;
    ``share_shallow``: part of its surface that lies less than 8 mm below the skin.
    """

    volume_cm3: float
    solidity: float
    farthest_mm: float
    share_of_head: float
    share_inside_head: float
    share_shallow: float

    def as_dict(self) -> dict[str, float]:
        """Return the values by their name."""
        return asdict(self)


@dataclass(frozen=True)
class BrainLimits:
    """What is taken for a brain.

    Intracranial volumes of adults reach 2,100 cm³, and a right mask on voxels of 3 mm fills 0.89 of
    its hull: volume alone tells little, which is why shape and place are measured as well.
    """

    least_volume_cm3: float = 400.0
    most_volume_cm3: float = 2200.0
    least_solidity: float = 0.87
    most_farthest_mm: float = 110.0
    most_share_of_head: float = 0.65
    least_share_inside_head: float = 0.98
    most_share_shallow: float = 0.05


def measure_brain(mask: sitk.Image, image: sitk.Image) -> BrainShape:
    """Measure a mask (0 = not brain) on the grid of its image, a whole head."""
    share = isotropic(sitk.Cast(mask != 0, sitk.sitkFloat32), _SPACING_MM)
    brain = sitk.GetArrayFromImage(share) > 0.5
    count = np.count_nonzero(sitk.GetArrayViewFromImage(mask))
    volume = float(count * np.prod(mask.GetSpacing()))
    if int(brain.sum()) < _FEWEST_VOXELS:
        return BrainShape(volume / 1000, 0.0, 0.0, 0.0, 0.0, 0.0)
    found = head_mask(isotropic(image, _SPACING_MM))
    head = sitk.GetArrayFromImage(resample(found, share, interpolation="nearest")) > 0
    # Where the field of view cuts the head there is no skin.
    padded = depth_in_voxels(np.pad(head, 1, mode="edge"))
    depth_mm = padded[1:-1, 1:-1, 1:-1] * _SPACING_MM
    surface = brain & ~ndimage.binary_erosion(brain, border_value=1)
    points = np.argwhere(brain) * _SPACING_MM
    away = np.linalg.norm(points - points.mean(axis=0), axis=1)
    coarse = float(brain.sum()) * _SPACING_MM**3
    return BrainShape(
        volume_cm3=volume / 1000,
        solidity=coarse / float(ConvexHull(points).volume),
        farthest_mm=float(away.max()),
        share_of_head=float(brain.sum() / max(1, head.sum())),
        share_inside_head=float(head[brain].mean()),
        share_shallow=float((depth_mm[surface] < _SHALLOW_MM).mean()) if surface.any() else 0.0,
    )


def reasons_against_brain(
    shape: BrainShape, limits: BrainLimits | None = None
) -> tuple[Reason, ...]:
    """Return why a mask is not taken for a brain; empty where it is."""
    given = limits or BrainLimits()
    least = (
        ("brain_too_small", shape.volume_cm3, given.least_volume_cm3),
        ("brain_not_convex", shape.solidity, given.least_solidity),
        ("brain_outside_head", shape.share_inside_head, given.least_share_inside_head),
    )
    most = (
        ("brain_too_large", shape.volume_cm3, given.most_volume_cm3),
        ("brain_too_long", shape.farthest_mm, given.most_farthest_mm),
        ("brain_fills_head", shape.share_of_head, given.most_share_of_head),
        ("brain_below_skin", shape.share_shallow, given.most_share_shallow),
    )
    reasons = [Reason(code, value=v, limit=limit) for code, v, limit in least if not v >= limit]
    reasons += [Reason(code, value=v, limit=limit) for code, v, limit in most if not v <= limit]
    return tuple(reasons)
