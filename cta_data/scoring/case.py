"""The scores of one case, by a convention."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from cta_data.scoring.challenge import ChallengeScore, challenge_score
from cta_data.scoring.conventions import ARTICLE, Convention
from cta_data.scoring.instances import Instances, Overlaps, find_instances, intersections
from cta_data.scoring.matching import match_instances
from cta_data.scoring.surfaces import SurfaceDistances, lesion_distances, mask_distances

UNDEFINED = math.nan


@dataclass(frozen=True)
class PairScore:
    """A matched pair; lesions are numbered from 1 in raster order (RAS) of their first voxels."""

    reference_lesion: int
    predicted_lesion: int
    dice: float
    intersection_voxels: int
    reference_voxels: int
    predicted_voxels: int
    detected: bool
    surface: SurfaceDistances | None = None


@dataclass(frozen=True)
class LesionInstance:
    """One instance of a mask: its number from 1, its size, and its centroid in RAS mm.

    ``lesion_ids`` are the study's lesions that it is made of, where these are known: lesions that
    touch are one instance.
    """

    lesion: int
    voxels: int
    volume_mm3: float
    centroid_ras_mm: tuple[float, float, float]
    lesion_ids: tuple[int, ...] = ()


@dataclass(frozen=True)
class CaseScore:
    """All scores of one case; what is undefined is NaN.

    ``reference`` and ``predicted`` are all instances of the two masks, in the order of their
    numbers; ``pairs`` are all matched pairs, detected or not. A pair that is not detected counts as
    one missed and one false lesion in detection. The lesion-wise scores are sums over all pairs,
    divided by the pairs and half of the instances without a partner. ``surface`` is of the whole
    masks, and in ``pairs`` of two lesions, where it was asked for. ``labels`` are the
    values of lesion voxels in either mask, where they were read from files. ``challenge`` is what
    a convention of a challenge adds: its lesion-wise Dice is of large lesions, and it has no
    lesion-wise PPV and sensitivity.
    """

    case: str
    n_reference: int
    n_predicted: int
    tp: int
    fp: int
    fn: int
    sensitivity: float
    ppv: float
    f1: float
    lesionwise_dice: float
    lesionwise_ppv: float
    lesionwise_sensitivity: float
    voxel_dice: float
    reference: tuple[LesionInstance, ...]
    predicted: tuple[LesionInstance, ...]
    pairs: tuple[PairScore, ...]
    surface: SurfaceDistances | None = None
    labels: frozenset[int] = frozenset()
    challenge: ChallengeScore | None = None

    @property
    def missed(self) -> tuple[LesionInstance, ...]:
        """Instances of the reference that were not detected."""
        found = {pair.reference_lesion for pair in self.pairs if pair.detected}
        return tuple(one for one in self.reference if one.lesion not in found)

    @property
    def false(self) -> tuple[LesionInstance, ...]:
        """Instances of the prediction that detect nothing."""
        found = {pair.predicted_lesion for pair in self.pairs if pair.detected}
        return tuple(one for one in self.predicted if one.lesion not in found)


def score_masks(
    reference: NDArray[np.generic],
    predicted: NDArray[np.generic],
    convention: Convention = ARTICLE,
    *,
    affine: NDArray[np.float64] | None = None,
    case: str = "",
) -> CaseScore:
    """Score one mask against another on the same grid.

    Parameters
    ----------
    reference, predicted
        (z, y, x), equal shapes; every value but 0 is lesion.
    affine
        4 × 4 matrix from voxel index (x, y, z) to RAS mm; voxels of 1 mm at the origin without it.

    Raises
    ------
    ValueError
        The shapes differ.
    """
    if reference.shape != predicted.shape:
        raise ValueError(f"shapes differ: {reference.shape} and {predicted.shape}")
    first, second = (find_instances(mask, convention) for mask in (reference, predicted))
    return score_case(first, second, convention, affine=affine, case=case)


def score_case(
    reference: Instances,
    predicted: Instances,
    convention: Convention = ARTICLE,
    *,
    affine: NDArray[np.float64] | None = None,
    case: str = "",
    surfaces: bool = False,
    lesion_ids: Sequence[tuple[int, ...]] = (),
    file_axes: tuple[int, int, int] = (0, 1, 2),
) -> CaseScore:
    """Score instances that were found by the same convention; see `score_masks`.

    Parameters
    ----------
    lesion_ids
        Of each instance of the reference, where they are known.
    surfaces
        Whether surface distances are measured, too.
    file_axes
        Of the three axes (0 for x), which the file has first, second and third: conventions that
        reproduce another program's order of axes need it.
    """
    placed = np.eye(4) if affine is None else affine
    overlaps = intersections(reference, predicted)
    pairs = _pairs(reference, predicted, overlaps, convention)
    spacing = np.linalg.norm(placed[:3, :3], axis=0)
    if surfaces:
        pairs = [_with_surface(one, reference, predicted, spacing) for one in pairs]
    detected = [pair for pair in pairs if pair.detected]
    tp = len(detected)
    fp, fn = predicted.count - tp, reference.count - tp
    # Matched pairs, and half of what has no partner on either side: half of all instances.
    weight = (reference.count + predicted.count) / 2
    shared = int(overlaps.voxels.sum())
    total = int(reference.voxels.sum() + predicted.voxels.sum())
    voxel_mm3 = abs(float(np.linalg.det(placed[:3, :3])))
    challenge = None
    if rules := convention.challenge:
        about = (voxel_mm3, spacing, file_axes)
        challenge = challenge_score(reference, predicted, pairs, rules, *about)
    lesionwise = _lesionwise(pairs, weight, challenge)
    return CaseScore(
        case=case,
        n_reference=reference.count,
        n_predicted=predicted.count,
        tp=tp,
        fp=fp,
        fn=fn,
        sensitivity=_share(tp, tp + fn, convention),
        ppv=_share(tp, tp + fp, convention),
        f1=_share(2 * tp, 2 * tp + fp + fn, convention),
        lesionwise_dice=lesionwise[0],
        lesionwise_ppv=lesionwise[1],
        lesionwise_sensitivity=lesionwise[2],
        voxel_dice=_mean(2 * shared, total),
        reference=_instances(reference, placed, voxel_mm3, lesion_ids),
        predicted=_instances(predicted, placed, voxel_mm3),
        pairs=tuple(pairs),
        surface=mask_distances(reference, predicted, spacing) if surfaces else None,
        challenge=challenge,
    )


def _lesionwise(
    pairs: Sequence[PairScore], weight: float, challenge: ChallengeScore | None
) -> tuple[float, float, float]:
    """Return the lesion-wise Dice, PPV and sensitivity; a challenge has its own Dice alone."""
    if challenge:
        return challenge.lesionwise_dice, UNDEFINED, UNDEFINED
    return (
        _mean(sum(pair.dice for pair in pairs), weight),
        _mean(sum(pair.intersection_voxels / pair.predicted_voxels for pair in pairs), weight),
        _mean(sum(pair.intersection_voxels / pair.reference_voxels for pair in pairs), weight),
    )


def _pairs(
    reference: Instances, predicted: Instances, overlaps: Overlaps, convention: Convention
) -> list[PairScore]:
    pairs = []
    for match in match_instances(reference, predicted, overlaps, convention):
        a, b = int(reference.voxels[match.reference]), int(predicted.voxels[match.predicted])
        pairs.append(
            PairScore(
                reference_lesion=match.reference + 1,
                predicted_lesion=match.predicted + 1,
                dice=2 * match.intersection / (a + b),
                intersection_voxels=match.intersection,
                reference_voxels=a,
                predicted_voxels=b,
                detected=match.detected,
            )
        )
    return pairs


def _with_surface(
    pair: PairScore, reference: Instances, predicted: Instances, spacing: NDArray[np.float64]
) -> PairScore:
    numbers = (pair.reference_lesion - 1, pair.predicted_lesion - 1)
    return replace(pair, surface=lesion_distances(reference, predicted, numbers, spacing))


def _share(part: int, whole: int, convention: Convention) -> float:
    if whole:
        return part / whole
    return 1.0 if convention.empty_is_perfect else UNDEFINED


def _mean(total: float, weight: float) -> float:
    return total / weight if weight else UNDEFINED


def _instances(
    found: Instances,
    affine: NDArray[np.float64],
    voxel_mm3: float,
    lesion_ids: Sequence[tuple[int, ...]] = (),
) -> tuple[LesionInstance, ...]:
    points = found.centroids @ affine[:3, :3].T + affine[:3, 3]
    return tuple(
        LesionInstance(
            lesion=number,
            voxels=int(found.voxels[number - 1]),
            volume_mm3=int(found.voxels[number - 1]) * voxel_mm3,
            centroid_ras_mm=(float(point[0]), float(point[1]), float(point[2])),
            lesion_ids=lesion_ids[number - 1] if lesion_ids else (),
        )
        for number, point in enumerate(points, start=1)
    )
