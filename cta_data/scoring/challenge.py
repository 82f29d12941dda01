"""What the scorer of the BraTS-METS challenge computes beside the counts of all lesions.

The rules were found from what brats-evaluation 0.0.10 returns for masks of known content; see
docs/explanation/scoring-conventions.md. They include two things that a reader would not expect,
and that matter on grids that are not cubes of 1 mm: distances between lesions take the lengths of
voxels in the reverse order of axes, and distances of whole masks are in voxels.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from cta_data.imaging.geometry.surfaces import Distances
from cta_data.scoring.conventions import ChallengeRules
from cta_data.scoring.instances import Instances
from cta_data.scoring.size_classes import reached
from cta_data.scoring.surfaces import distances_of_masks, distances_of_pair

SCORES = (
    *("lesionwise_hd95_mm", "lesionwise_nsd"),
    *("lesionwise_dice_sd", "lesionwise_hd95_sd_mm", "lesionwise_nsd_sd"),
    *("voxel_hd95", "voxel_nsd"),
)
SIZE_COUNTS = ("tp", "fp", "fn", "sensitivity", "ppv", "f1")
_MASK_TOLERANCE = 0.5
"""Voxels that the surfaces of whole masks may be apart."""
_ROUNDING = 1e-6
"""Share of a tolerance that a distance of just that length may exceed it by, in floating point."""


class MatchedPair(Protocol):
    """A matched pair: lesions (numbers from 1), and the voxels that they share."""

    @property
    def reference_lesion(self) -> int:
        """Number in the reference."""

    @property
    def predicted_lesion(self) -> int:
        """Number in the prediction."""

    @property
    def intersection_voxels(self) -> int:
        """Voxels of both."""


@dataclass(frozen=True)
class SizeCounts:
    """Counts of the lesions of one size, small or large.

    ``fp`` counts every predicted lesion without a partner, whatever its size. A ratio of nothing
    to nothing is 0.
    """

    tp: int
    fp: int
    fn: int

    @property
    def sensitivity(self) -> float:
        """Found lesions of all of this size."""
        return self.tp / max(self.tp + self.fn, 1)

    @property
    def ppv(self) -> float:
        """Found lesions of these and all false positives."""
        return self.tp / max(self.tp + self.fp, 1)

    @property
    def f1(self) -> float:
        """F1 of both."""
        return 2 * self.tp / max(2 * self.tp + self.fp + self.fn, 1)


@dataclass(frozen=True)
class ChallengeScore:
    """Scores of a case; None and NaN where the reference has no lesion of the size.

    Attributes
    ----------
    large, small
        Counts by the size of the lesion of the reference.
    lesionwise_dice, lesionwise_nsd
        Mean over the large lesions and all false positives; 0 of a missed and of a false one.
    lesionwise_hd95_mm
        Mean over the same, with the penalty of the missed and the false ones.
    lesionwise_dice_sd, lesionwise_hd95_sd_mm, lesionwise_nsd_sd
        Standard deviations of the three, with n in the denominator.
    voxel_hd95, voxel_nsd
        Of the whole masks, in voxels. NaN where both are empty; where no lesion has a partner,
        the penalty and 0.
    """

    large: SizeCounts | None
    small: SizeCounts | None
    lesionwise_dice: float
    lesionwise_hd95_mm: float
    lesionwise_nsd: float
    lesionwise_dice_sd: float
    lesionwise_hd95_sd_mm: float
    lesionwise_nsd_sd: float
    voxel_hd95: float
    voxel_nsd: float

    def columns(self) -> dict[str, float | int | None]:
        """Return all scores by the names of their columns; the lesion-wise Dice has its own."""
        values: dict[str, float | int | None] = {name: getattr(self, name) for name in SCORES}
        for size in ("large", "small"):
            counts = getattr(self, size)
            values |= {f"{size}_{name}": getattr(counts, name, None) for name in SIZE_COUNTS}
        return values


class _ChallengeLesion(NamedTuple):
    """A lesion of the reference: whether it is large and found, and the scores of its pair."""

    is_large: bool
    is_found: bool
    dice: float
    hd95_mm: float
    nsd: float


def challenge_score(
    reference: Instances,
    predicted: Instances,
    pairs: Sequence[MatchedPair],
    rules: ChallengeRules,
    voxel_mm3: float,
    spacing_mm: NDArray[np.float64],
    file_axes: Sequence[int],
) -> ChallengeScore:
    """Score instances that were matched one to one.

    Parameters
    ----------
    voxel_mm3
        Volume of a voxel.
    spacing_mm
        Along x, y, z.
    file_axes
        Of these axes (0 for x), which the file has first, second and third.
    """
    axes = list(file_axes)
    reversed_mm = np.empty(3)
    reversed_mm[axes] = spacing_mm[axes][::-1]
    partner = {pair.reference_lesion - 1: pair for pair in pairs}
    n_false = predicted.count - len(pairs)
    nothing = _ChallengeLesion(True, False, 0.0, rules.penalty_mm, 0.0)
    lesions = []
    for number, voxels in enumerate(reference.voxels.tolist()):
        pair = partner.get(number)
        one = _lesion(reference, predicted, pair, rules, reversed_mm) if pair else nothing
        lesions.append(one._replace(is_large=voxels * voxel_mm3 >= reached(rules.large_mm3)))
    large = [one for one in lesions if one.is_large]
    judged = [*large, *([nothing] * n_false if large else [])]
    hd95, nsd = _of_masks(reference, predicted, bool(pairs), rules)
    means, spreads = _means_and_spreads([(one.dice, one.hd95_mm, one.nsd) for one in judged])
    return ChallengeScore(
        large=_counts(large, n_false),
        small=_counts([one for one in lesions if not one.is_large], n_false),
        lesionwise_dice=means[0],
        lesionwise_hd95_mm=means[1],
        lesionwise_nsd=means[2],
        lesionwise_dice_sd=spreads[0],
        lesionwise_hd95_sd_mm=spreads[1],
        lesionwise_nsd_sd=spreads[2],
        voxel_hd95=hd95,
        voxel_nsd=nsd,
    )


def _lesion(
    reference: Instances,
    predicted: Instances,
    pair: MatchedPair,
    rules: ChallengeRules,
    spacing_mm: NDArray[np.float64],
) -> _ChallengeLesion:
    """The scores of a pair."""
    numbers = (pair.reference_lesion - 1, pair.predicted_lesion - 1)
    both = distances_of_pair(reference, predicted, numbers, spacing_mm)
    sizes = int(reference.voxels[numbers[0]]), int(predicted.voxels[numbers[1]])
    return _ChallengeLesion(
        is_large=True,
        is_found=rules.found(pair.intersection_voxels, *sizes),
        dice=2 * pair.intersection_voxels / sum(sizes),
        hd95_mm=_hausdorff95(both),
        nsd=_surface_dice(both, float(spacing_mm.min())),
    )


def _of_masks(
    reference: Instances, predicted: Instances, is_matched: bool, rules: ChallengeRules
) -> tuple[float, float]:
    """Hausdorff 95 (voxels) and surface Dice of the whole masks."""
    if not reference.count and not predicted.count:
        return math.nan, math.nan
    both = distances_of_masks(reference, predicted, (1.0, 1.0, 1.0)) if is_matched else None
    if both is None:
        return rules.penalty_mm, 0.0
    return _hausdorff95(both), _surface_dice(both, _MASK_TOLERANCE)


def _hausdorff95(both: tuple[Distances, Distances]) -> float:
    """Return the 95th percentile of the distances of both directions together."""
    return float(np.percentile(np.concatenate(both), 95))


def _surface_dice(both: tuple[Distances, Distances], tolerance: float) -> float:
    """Return the mean over both directions of the share of the surface within the tolerance."""
    limit = tolerance * (1 + _ROUNDING)
    there, back = (float(np.mean(distances <= limit)) for distances in both)
    return (there + back) / 2


def _counts(lesions: Sequence[_ChallengeLesion], n_false: int) -> SizeCounts | None:
    if not lesions:
        return None
    tp = sum(one.is_found for one in lesions)
    return SizeCounts(tp, n_false, len(lesions) - tp)


def _means_and_spreads(
    scores: Sequence[tuple[float, float, float]],
) -> tuple[list[float], list[float]]:
    """Return mean and standard deviation of each of three scores; NaN without a lesion."""
    if not scores:
        return [math.nan] * 3, [math.nan] * 3
    values = np.array(scores)
    return values.mean(axis=0).tolist(), values.std(axis=0).tolist()
