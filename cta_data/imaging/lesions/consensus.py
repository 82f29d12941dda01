"""The consensus of several readers: lesion by lesion, then voxel by voxel.

First, candidates are found (`find_candidates`). Then a candidate is kept if enough readers saw it.
Last, the voxels of a kept candidate are decided among the readers *who saw it*: a reader who missed
a lesion has no opinion about its outline, and would only make it smaller.

| method | kept if it was seen by at least | a voxel of a kept candidate belongs to it if |
|---|---|---|
| `union` | 1 reader | any of them marked it |
| `majority` | more than half of all readers | more than half of them marked it |
| `staple` | more than half of all readers | its probability is at least 0.5 |
| `intersection` | all readers | all of them marked it |

`min_readers` replaces the second column. Where the rule leaves no voxel of a kept candidate, it is
replaced by `most_votes`: the voxels that most readers marked, which is the union where no voxel was
marked twice. So a kept lesion never vanishes, and with equal `min_readers` (or with the defaults)
the voxels of `intersection` are among those of `majority`, and these among those of `union`.

STAPLE (Warfield et al. 2004, IEEE Trans Med Imaging 23:903) is SimpleITK's, for each candidate
apart, in the box of its voxels with a margin of one voxel: sensitivity and specificity of a reader
are those at this lesion's outline. In a whole head, background makes every specificity nearly 1,
and lesions of all sizes share one sensitivity. With two readers it cannot tell which of them is
better; prefer `majority` or `intersection` then.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, get_args

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from cta_data.imaging.lesions.consensus_candidates import Candidates, Numbers, find_candidates

ConsensusMethod = Literal["union", "majority", "staple", "intersection"]
VoxelRule = Literal["union", "majority", "staple", "intersection", "most_votes"]
METHODS: Final[tuple[ConsensusMethod, ...]] = get_args(ConsensusMethod)
STAPLE_THRESHOLD = 0.5
_STAPLE_ITERATIONS = 1000
"""Lesions converge in tens, those without a common voxel in hundreds; ITK has no limit."""


@dataclass(frozen=True)
class CandidateDecision:
    """What was decided about one candidate lesion.

    Attributes
    ----------
    candidate
        From 1, in the order of the first voxels (z, then y, then x); the same for every method.
    lesions
        Of each reader, the ids of the lesions that are this candidate; none if not seen.
    kept
        Whether as many readers as `min_readers` saw it.
    min_readers
        How many were needed.
    lesion_id
        Its value in the consensus: kept candidates from 1, in order; None if dropped.
    voxel_rule
        The rule that decided its voxels: that of the method, or `most_votes` where that left none;
        None if dropped.
    volume_mm3
        In the consensus; NaN if dropped.
    marked_mm3
        Of all voxels that any reader marked.
    """

    candidate: int
    lesions: tuple[tuple[int, ...], ...]
    kept: bool
    min_readers: int
    lesion_id: int | None
    voxel_rule: VoxelRule | None
    volume_mm3: float
    marked_mm3: float

    @property
    def readers(self) -> tuple[int, ...]:
        """Readers who saw it, from 0 in the order of the label volumes."""
        return tuple(reader for reader, ids in enumerate(self.lesions) if ids)


@dataclass(frozen=True, eq=False)
class Consensus:
    """A label volume (z, y, x; value = new lesion id), and the decision about each candidate."""

    labels: NDArray[np.unsignedinteger]
    decisions: tuple[CandidateDecision, ...]


def consensus(
    labels: Sequence[NDArray[np.generic]],
    method: ConsensusMethod = "union",
    min_readers: int | None = None,
    *,
    spacing_mm: Sequence[float] | NDArray[np.float64],
) -> Consensus:
    """Return the consensus of the label volumes of several readers; see the module for the rules.

    The order of readers and the ids of lesions change neither labels nor decisions, apart from the
    readers and ids that these name; nor does the number of threads.

    Parameters
    ----------
    labels
        Of each reader (z, y, x), on one grid; 0 is background, other whole numbers are lesion ids.
    min_readers
        From 1 to the number of readers; see the module for the defaults.
    spacing_mm
        Along x, y, z.

    Raises
    ------
    DataRefused
        A value is not finite or not a whole number.
    ValueError
        No reader, an unknown method, `min_readers` out of range, shapes that differ, an array
        without three axes, or a negative id.
    """
    if not labels:
        raise ValueError("a consensus needs at least one reader")
    if method not in METHODS:
        raise ValueError(f"the method is {method!r}, not one of {', '.join(METHODS)}")
    needed = default_readers(method, len(labels)) if min_readers is None else min_readers
    if not 1 <= needed <= len(labels):
        raise ValueError(f"min_readers is {needed}, from 1 to {len(labels)} is needed")
    candidates = find_candidates(labels)
    seen_by = np.array([sum(map(bool, ids)) for ids in candidates.lesions], np.int64)
    kept = seen_by >= needed
    chosen, by_votes = _voxels(candidates, seen_by, kept, method, labels[0].shape)
    ids = np.where(kept, np.cumsum(kept), 0)
    volume = np.zeros(labels[0].size, np.min_scalar_type(int(ids.max(initial=0))))
    volume[candidates.voxel[chosen]] = ids[candidates.candidate[chosen]]
    decisions = _decisions(candidates, needed, ids, chosen, by_votes, method, spacing_mm)
    return Consensus(volume.reshape(labels[0].shape), decisions)


def default_readers(method: ConsensusMethod, n: int) -> int:
    """Return how many of `n` readers have to see a lesion, unless another number is asked for."""
    return {"union": 1, "majority": n // 2 + 1, "staple": n // 2 + 1, "intersection": n}[method]


def _voxels(
    candidates: Candidates,
    seen_by: Numbers,
    kept: NDArray[np.bool_],
    method: ConsensusMethod,
    shape: tuple[int, ...],
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which voxels are in the consensus, and which candidates have theirs by `most_votes`."""
    of, votes = candidates.candidate, candidates.marked.sum(axis=0)
    if method == "staple":
        chosen = _by_staple(candidates, kept, shape)
    else:
        needed = {"union": np.ones_like(seen_by), "majority": seen_by // 2 + 1}
        chosen = votes >= needed.get(method, seen_by)[of]
    by_votes = kept & (np.bincount(of[chosen], minlength=len(kept)) == 0)
    most = np.zeros(len(kept), np.int64)
    np.maximum.at(most, of, votes)
    chosen = np.where(by_votes[of], votes == most[of], chosen)
    return chosen & kept[of], by_votes


def _by_staple(
    candidates: Candidates, kept: NDArray[np.bool_], shape: tuple[int, ...]
) -> NDArray[np.bool_]:
    """The voxels that STAPLE gives to the kept candidates."""
    chosen = np.zeros(len(candidates.voxel), bool)
    ends = np.searchsorted(candidates.candidate, np.arange(len(kept) + 1))
    for number in np.flatnonzero(kept).tolist():
        part = slice(int(ends[number]), int(ends[number + 1]))
        place = np.stack(np.unravel_index(candidates.voxel[part], shape))
        readers = [bool(ids) for ids in candidates.lesions[number]]
        chosen[part] = _staple(place, candidates.marked[readers, part])
    return chosen


def _staple(place: Numbers, marked: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Whether each voxel (3, n; marked: readers, n) has at least the threshold's probability."""
    if marked.all():
        return marked[0]
    place = place - place.min(axis=1, keepdims=True) + 1
    masks = np.zeros((len(marked), *(place.max(axis=1) + 2)), np.uint8)
    masks[:, place[0], place[1], place[2]] = marked
    estimate = sitk.STAPLEImageFilter()
    estimate.SetForegroundValue(1)
    estimate.SetMaximumIterations(_STAPLE_ITERATIONS)
    estimate.SetNumberOfThreads(1)
    # Sums in floating point depend on their order, which is that of the masks and not of readers.
    images = [sitk.GetImageFromArray(one) for one in sorted(masks, key=lambda one: one.tobytes())]
    probability = sitk.GetArrayFromImage(estimate.Execute(images))
    return np.asarray(probability[place[0], place[1], place[2]] >= STAPLE_THRESHOLD)


def _decisions(
    candidates: Candidates,
    needed: int,
    ids: Numbers,
    chosen: NDArray[np.bool_],
    by_votes: NDArray[np.bool_],
    method: ConsensusMethod,
    spacing_mm: Sequence[float] | NDArray[np.float64],
) -> tuple[CandidateDecision, ...]:
    voxel_mm3 = float(np.prod([float(mm) for mm in spacing_mm]))
    marked = np.bincount(candidates.candidate, minlength=len(ids))
    left = np.bincount(candidates.candidate[chosen], minlength=len(ids))
    return tuple(
        CandidateDecision(
            candidate=number + 1,
            lesions=lesions,
            kept=bool(ids[number]),
            min_readers=needed,
            lesion_id=int(ids[number]) or None,
            voxel_rule=_rule(method, bool(by_votes[number])) if ids[number] else None,
            volume_mm3=int(left[number]) * voxel_mm3 if ids[number] else math.nan,
            marked_mm3=int(marked[number]) * voxel_mm3,
        )
        for number, lesions in enumerate(candidates.lesions)
    )


def _rule(method: ConsensusMethod, by_votes: bool) -> VoxelRule:
    return "most_votes" if by_votes else method
