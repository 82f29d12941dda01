"""Lesion candidates of one case: parts of a probability map, their scores, what each detects.

A candidate is a component of the voxels at or above one probability. A threshold on its score then
decides whether it is kept. So the candidates of a case are found once, and every threshold is
settled exactly: what is kept is matched with the lesions as a mask of these candidates would be.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from cta_data.imaging.lesions.measurement import largest_diameter_mm
from cta_data.scoring.conventions import Convention
from cta_data.scoring.instances import (
    Instances,
    Overlaps,
    instances_of_voxels,
    intersections,
)
from cta_data.scoring.mask_files import MaskVoxels
from cta_data.scoring.matching import Match, match_instances

ScoreName = Literal["mean", "maximum", "percentile_95"]
SCORES: tuple[ScoreName, ...] = ("mean", "maximum", "percentile_95")
"""What a candidate's score may be, of the probabilities of its voxels."""
CANDIDATES_FROM = 0.1
"""Probability from which on voxels are candidates; below one half, so that a curve goes on where
the mask of a network ends."""
DIGITS = 9
"""Of scores; a map in single precision has seven."""
FALSE_POSITIVE = 0


@dataclass(frozen=True)
class Candidate:
    """One candidate: number from 1 in raster order (RAS), size, scores, and what it detects.

    ``lesion`` is the number of the lesion that it is matched with where all candidates are kept, 0
    for none; ``dice`` of the two, 0 for none; ``detected`` whether that is a detection.
    """

    case: str
    candidate: int
    voxels: int
    volume_mm3: float
    centroid_ras_mm: tuple[float, float, float]
    mean: float
    maximum: float
    percentile_95: float
    lesion: int
    dice: float
    detected: bool


@dataclass(frozen=True)
class ReferenceLesion:
    """A lesion of the reference: number from 1, volume, and largest diameter (corner to corner)."""

    case: str
    lesion: int
    volume_mm3: float
    diameter_mm: float


class CountStep(NamedTuple):
    """What changes where a threshold falls to a score: a lesion or false positive more, or less.

    ``lesion`` is `FALSE_POSITIVE` or the number of the lesion; ``change`` is 1 or −1, or how many
    false positives there are more.
    """

    score: float
    lesion: int
    change: int


@dataclass(frozen=True)
class CaseCandidates:
    """Candidates and lesions of one case, and the steps of its counts along each score."""

    case: str
    candidates: tuple[Candidate, ...]
    lesions: tuple[ReferenceLesion, ...]
    steps: Mapping[ScoreName, tuple[CountStep, ...]]


def option_of(score: ScoreName) -> str:
    """Return what a score is called on the command line."""
    return score.replace("_", "-")


def case_candidates(
    reference: MaskVoxels,
    probability: MaskVoxels,
    convention: Convention,
    *,
    case: str = "",
    candidates_from: float = CANDIDATES_FROM,
) -> CaseCandidates:
    """Find the candidates of a case, and what each threshold of their scores detects.

    Parameters
    ----------
    reference, probability
        On one grid; the values of the second are probabilities, and voxels below
        ``candidates_from`` may be missing.
    candidates_from
        Voxels at or above it are candidates.
    """
    every = np.asarray(probability.values, np.float64)
    kept = every >= candidates_from
    values = every[kept]
    known = instances_of_voxels(reference.index, reference.shape, convention)
    found = instances_of_voxels(probability.index[kept], probability.shape, convention)
    overlaps = intersections(known, found)
    matches = match_instances(known, found, overlaps, convention)
    scores = candidate_scores(found, values)
    rows = tuple(_candidates(case, found, known, scores, matches, reference))
    lesions = tuple(_lesions(case, known, reference))
    parts = list(_parts(known, found, overlaps))
    steps = {name: tuple(_steps(scores[name], parts, known, found, convention)) for name in SCORES}
    return CaseCandidates(case, rows, lesions, steps)


def candidate_scores(
    found: Instances, values: NDArray[np.float64]
) -> dict[ScoreName, NDArray[np.float64]]:
    """Return each score of every instance; ``values`` are the probabilities of its voxels.

    Parameters
    ----------
    values
        Of all voxels of all instances, in the order of their indices.
    """
    # Runs are in the order of their voxels, and each voxel is in one run.
    of_voxel = np.repeat(found.of_run, found.runs.lengths)
    order = np.lexsort((values, of_voxel))
    ends = np.cumsum(found.voxels)
    split = np.split(values[order], ends[:-1]) if found.count else []
    found_scores: dict[ScoreName, list[float]] = {
        "mean": [part.mean() for part in split],
        "maximum": [part[-1] for part in split],
        "percentile_95": [np.percentile(part, 95) for part in split],
    }
    # Means of equal values differ by rounding with their number: equal scores are kept together.
    return {name: np.round(np.array(one), DIGITS) for name, one in found_scores.items()}


def _candidates(
    case: str,
    found: Instances,
    known: Instances,
    scores: Mapping[ScoreName, NDArray[np.float64]],
    matches: list[Match],
    placed: MaskVoxels,
) -> Iterator[Candidate]:
    by_candidate = {match.predicted: match for match in matches}
    points = found.centroids @ placed.affine[:3, :3].T + placed.affine[:3, 3]
    for number in range(found.count):
        match = by_candidate.get(number)
        voxels = int(found.voxels[number])
        total = voxels + int(known.voxels[match.reference]) if match else 1
        x, y, z = points[number].tolist()
        yield Candidate(
            case=case,
            candidate=number + 1,
            voxels=voxels,
            volume_mm3=voxels * placed.grid.voxel_volume_mm3,
            centroid_ras_mm=(x, y, z),
            **{name: float(scores[name][number]) for name in SCORES},
            lesion=match.reference + 1 if match else 0,
            dice=2 * match.intersection / total if match else 0.0,
            detected=bool(match and match.detected),
        )


def _lesions(case: str, known: Instances, reference: MaskVoxels) -> Iterator[ReferenceLesion]:
    z, y, x = known.runs.places
    last = x + known.runs.lengths - 1
    # The ends of its runs span what a lesion spans.
    ends = np.stack([np.concatenate([x, last]), np.tile(y, 2), np.tile(z, 2)], axis=1)
    of_end = np.tile(known.of_run, 2)
    grid = reference.grid
    for number in range(known.count):
        yield ReferenceLesion(
            case,
            number + 1,
            int(known.voxels[number]) * grid.voxel_volume_mm3,
            largest_diameter_mm(ends[of_end == number], grid),
        )


class _Neighbours(NamedTuple):
    """Candidates (numbers from 0) that share lesions, directly or by others, and their overlaps."""

    candidates: NDArray[np.int64]
    overlaps: Overlaps


def _parts(known: Instances, found: Instances, overlaps: Overlaps) -> Iterator[_Neighbours]:
    """Yield the groups in which matches depend on each other; a candidate alone is one."""
    a, b, _ = overlaps
    n_nodes = known.count + found.count
    pairs = coo_array((np.ones(len(a)), (a, b + known.count)), (n_nodes, n_nodes))
    _, group = connected_components(pairs, directed=False)
    of_candidate, of_pair = group[known.count :], group[a]
    for number in dict.fromkeys(of_candidate.tolist()):
        inside = of_pair == number
        mine = np.flatnonzero(of_candidate == number)
        yield _Neighbours(mine, Overlaps(*(side[inside] for side in overlaps)))


def _steps(
    score: NDArray[np.float64],
    parts: list[_Neighbours],
    known: Instances,
    found: Instances,
    convention: Convention,
) -> Iterator[CountStep]:
    """Yield the steps of a case along one score, in no order."""
    for part in parts:
        before: set[int] = set()
        false_before = 0
        own = score[part.candidates]
        for threshold in sorted(set(own.tolist()), reverse=True):
            n_kept = int((own >= threshold).sum())
            inside = score[part.overlaps.predicted] >= threshold
            some = Overlaps(*(side[inside] for side in part.overlaps))
            matches = match_instances(known, found, some, convention)
            detected = {match.reference + 1 for match in matches if match.detected}
            yield from (CountStep(threshold, lesion, 1) for lesion in sorted(detected - before))
            yield from (CountStep(threshold, lesion, -1) for lesion in sorted(before - detected))
            false = n_kept - len(detected)
            if false != false_before:
                yield CountStep(threshold, FALSE_POSITIVE, false - false_before)
            before, false_before = detected, false
