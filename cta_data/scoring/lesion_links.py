"""Links between the lesions of two annotations on one grid: pairs, splits, merges, and the rest.

The rules, in this order; each takes only lesions that no earlier rule has linked.

1. *overlap*: one-to-one, so that the sum of Dice over all pairs is largest (`match_instances`).
   Any shared voxel counts: small lesions that two readers contoured with a shift of 2 mm overlap
   poorly and are still one lesion. The Dice of each link is given for a stricter reading.
2. *split* and *merge*: a lesion without a partner that lies in one with a partner is a part of it.
   In a split, one lesion of the first annotation covers several of the second; in a merge, one of
   the second covers several of the first. At least `part_share` of the part's own voxels must be
   shared: a small lesion that a large neighbour's outline grazes is no part of it, and would be
   counted in no figure if it were called one. A part belongs to the lesion that shares most voxels
   with it.
3. *distance*: lesions that are left, the nearest centroids first, up to `distance_mm`. Nearest
   first keeps two lesions that are each other's nearest together, where the least total distance
   could separate them.
4. *first_only* and *second_only*: the others.

So each lesion is in exactly one link, except that one with parts is in one more link per part: the
numbers of lesions are n₁ = pairs + merges + first_only and n₂ = pairs + splits + second_only.

Ties never depend on ids, nor on which annotation is first. Lesions are ordered by the position of
their first voxel (z, then y, then x); the annotation whose runs of voxels come first in that order
is the reference of ties. Of equal sums of Dice the one with the most pairs is taken, then the one
with the first lesions; of equal shared voxels and equal distances (to 1 nm) the first lesions.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

from cta_data.scoring.conventions import Convention
from cta_data.scoring.instances import Overlaps, intersections
from cta_data.scoring.labelled import LabelledLesions, labelled_lesions
from cta_data.scoring.matching import match_instances

HowLinked = Literal["overlap", "distance", "split", "merge", "first_only", "second_only"]
PAIRED: Final[tuple[HowLinked, ...]] = ("overlap", "distance")
"""Links of a lesion with its one partner."""
DISTANCE_MM = 5.0
"""Farther apart, the centroids of lesions that share no voxel are taken for two lesions."""
PART_SHARE = Fraction(1, 2)
"""Least share of a part's voxels in the lesion that it is a part of."""
ANY_OVERLAP = Convention("any overlap", threshold=Fraction(0))
_EXCHANGED: Final[dict[HowLinked, HowLinked]] = {
    "overlap": "overlap",
    "distance": "distance",
    "split": "merge",
    "merge": "split",
    "first_only": "second_only",
    "second_only": "first_only",
}
_DECIMALS_MM = 6
_Numbers = tuple[int | None, int | None, HowLinked]


@dataclass(frozen=True)
class LinkedLesions:
    """A lesion of each annotation, or of one alone.

    Attributes
    ----------
    first, second
        Ids of the lesions; None where that annotation has none.
    how
        See the module. In a split, `second` is the part; in a merge, `first` is.
    dice
        2·|A∩B| / (|A| + |B|) of these two lesions, in voxels; 0 for a link by distance. NaN with
        one lesion.
    centroid_distance_mm
        Between the means of their voxels; NaN with one lesion.
    first_volume_mm3, second_volume_mm3
        NaN where there is no lesion.
    """

    first: int | None
    second: int | None
    how: HowLinked
    dice: float
    centroid_distance_mm: float
    first_volume_mm3: float
    second_volume_mm3: float

    def exchanged(self) -> LinkedLesions:
        """Return the link with the two annotations exchanged."""
        return LinkedLesions(
            self.second,
            self.first,
            _EXCHANGED[self.how],
            self.dice,
            self.centroid_distance_mm,
            self.second_volume_mm3,
            self.first_volume_mm3,
        )

    @property
    def is_pair(self) -> bool:
        """Whether each lesion is the other's one partner."""
        return self.how in PAIRED

    @property
    def volume_mm3(self) -> float:
        """The lesion's volume: mean of a pair; of the part in splits and merges; the one else."""
        if self.is_pair:
            return (self.first_volume_mm3 + self.second_volume_mm3) / 2
        of_second = self.how in ("split", "second_only")
        return self.second_volume_mm3 if of_second else self.first_volume_mm3


def link_lesions(
    first: NDArray[np.generic],
    second: NDArray[np.generic],
    spacing_mm: Sequence[float] | NDArray[np.float64],
    *,
    distance_mm: float = DISTANCE_MM,
    part_share: Fraction = PART_SHARE,
) -> tuple[LinkedLesions, ...]:
    """Link the lesions of two label volumes on one grid; see the module for the rules.

    Parameters
    ----------
    first, second
        (z, y, x), equal shapes; 0 is background, every other whole number the id of a lesion.
    spacing_mm
        Along x, y, z.
    distance_mm
        Largest distance of centroids that links lesions without overlap, included; 0 for none
        but lesions with the same centroid.
    part_share
        See the module; above 0, at most 1.

    Returns
    -------
    tuple of LinkedLesions
        Ordered by first id, then by second id; lesions of the second annotation alone come last.

    Raises
    ------
    DataRefused
        A value is not finite or not a whole number.
    ValueError
        The shapes differ, an id is negative, or a limit is out of range.
    """
    return link_labelled(
        labelled_lesions(first),
        labelled_lesions(second),
        spacing_mm,
        distance_mm=distance_mm,
        part_share=part_share,
    )


def link_labelled(
    first: LabelledLesions,
    second: LabelledLesions,
    spacing_mm: Sequence[float] | NDArray[np.float64],
    *,
    distance_mm: float = DISTANCE_MM,
    part_share: Fraction = PART_SHARE,
) -> tuple[LinkedLesions, ...]:
    """Link lesions that were found already; see `link_lesions`."""
    shapes = first.instances.runs.shape, second.instances.runs.shape
    if shapes[0] != shapes[1]:
        raise ValueError(f"shapes differ: {shapes[0]} and {shapes[1]}")
    if not distance_mm >= 0:
        raise ValueError(f"distance_mm is {distance_mm}, at least 0 is needed")
    if not 0 < part_share <= 1:
        raise ValueError(f"part_share is {float(part_share):g}, above 0 and at most 1 is needed")
    step = np.asarray([float(mm) for mm in spacing_mm])
    exchanged = _key(second) < _key(first)
    a, b = (second, first) if exchanged else (first, second)
    overlaps = intersections(a.instances, b.instances)
    found = _linked(a, b, overlaps, step, distance_mm, part_share)
    if exchanged:
        found = [(j, i, _EXCHANGED[how]) for i, j, how in found]
        overlaps = Overlaps(overlaps.predicted, overlaps.reference, overlaps.voxels)
    return _described(first, second, found, overlaps, step)


def _key(lesions: LabelledLesions) -> tuple[list[int], list[int], list[int]]:
    """What orders two annotations: positions alone. Equal keys are equal annotations."""
    found = lesions.instances
    return found.runs.first.tolist(), found.runs.last.tolist(), found.of_run.tolist()


def _linked(
    a: LabelledLesions,
    b: LabelledLesions,
    overlaps: Overlaps,
    step: NDArray[np.float64],
    distance_mm: float,
    part_share: Fraction,
) -> list[_Numbers]:
    """Apply the rules in their order; lesions are numbers from 0 in the order of positions."""
    matches = match_instances(a.instances, b.instances, overlaps, ANY_OVERLAP)
    links: list[_Numbers] = [(one.reference, one.predicted, "overlap") for one in matches]
    free_a = set(range(a.instances.count)) - {one.reference for one in matches}
    free_b = set(range(b.instances.count)) - {one.predicted for one in matches}
    # Two free lesions never overlap: their pair would add to the sum of Dice.
    wholes = _wholes(overlaps.predicted, overlaps.reference, overlaps.voxels, b, part_share)
    links += [(wholes[j], j, "split") for j in sorted(free_b & set(wholes))]
    free_b -= set(wholes)
    wholes = _wholes(overlaps.reference, overlaps.predicted, overlaps.voxels, a, part_share)
    links += [(i, wholes[i], "merge") for i in sorted(free_a & set(wholes))]
    free_a -= set(wholes)
    for i, j in _nearest(a, b, sorted(free_a), sorted(free_b), step, distance_mm):
        links.append((i, j, "distance"))
        free_a.remove(i)
        free_b.remove(j)
    links += [(i, None, "first_only") for i in sorted(free_a)]
    links += [(None, j, "second_only") for j in sorted(free_b)]
    return links


def _wholes(
    part: NDArray[np.int64],
    whole: NDArray[np.int64],
    shared: NDArray[np.int64],
    parts: LabelledLesions,
    share: Fraction,
) -> dict[int, int]:
    """Of lesions with enough voxels in another: the one that shares most, of equals the first."""
    sizes = parts.instances.voxels
    best: dict[int, tuple[int, int]] = {}
    for one, other, both in zip(part.tolist(), whole.tolist(), shared.tolist(), strict=True):
        if both * share.denominator >= share.numerator * int(sizes[one]):
            best[one] = min(best.get(one, (0, -1)), (-both, other))
    return {one: other for one, (_, other) in best.items()}


def _nearest(
    a: LabelledLesions,
    b: LabelledLesions,
    free_a: list[int],
    free_b: list[int],
    step: NDArray[np.float64],
    distance_mm: float,
) -> list[tuple[int, int]]:
    """Pair lesions one-to-one, the nearest centroids first."""
    if not free_a or not free_b:
        return []
    points = a.instances.centroids[free_a] * step, b.instances.centroids[free_b] * step
    # The limit is widened by the rounding of distances, which are compared as rounded.
    reach = distance_mm + 10.0**-_DECIMALS_MM
    near = KDTree(points[0]).query_ball_tree(KDTree(points[1]), reach)
    pairs = sorted(
        (round(math.dist(points[0][i], points[1][j]), _DECIMALS_MM), free_a[i], free_b[j])
        for i, some in enumerate(near)
        for j in some
    )
    left_a, left_b = set(free_a), set(free_b)
    found = []
    for distance, i, j in pairs:
        if i in left_a and j in left_b and distance <= distance_mm:
            found.append((i, j))
            left_a.remove(i)
            left_b.remove(j)
    return found


def _described(
    first: LabelledLesions,
    second: LabelledLesions,
    found: Sequence[_Numbers],
    overlaps: Overlaps,
    step: NDArray[np.float64],
) -> tuple[LinkedLesions, ...]:
    """Return the links with ids and measurements, in the order of ids."""
    voxel_mm3 = float(np.prod(step))
    shared = {(i, j): both for i, j, both in zip(*(o.tolist() for o in overlaps), strict=True)}
    sizes = first.instances.voxels.tolist(), second.instances.voxels.tolist()
    ids = first.ids.tolist(), second.ids.tolist()
    places = first.instances.centroids * step, second.instances.centroids * step
    links = []
    for i, j, how in found:
        dice = distance = math.nan
        if i is not None and j is not None:
            dice = 2 * shared.get((i, j), 0) / (sizes[0][i] + sizes[1][j])
            distance = math.dist(places[0][i], places[1][j])
        links.append(
            LinkedLesions(
                first=None if i is None else ids[0][i],
                second=None if j is None else ids[1][j],
                how=how,
                dice=dice,
                centroid_distance_mm=distance,
                first_volume_mm3=math.nan if i is None else sizes[0][i] * voxel_mm3,
                second_volume_mm3=math.nan if j is None else sizes[1][j] * voxel_mm3,
            )
        )
    return tuple(sorted(links, key=_by_ids))


def _by_ids(link: LinkedLesions) -> tuple[float, float]:
    first = math.inf if link.first is None else link.first
    return first, -math.inf if link.second is None else link.second
