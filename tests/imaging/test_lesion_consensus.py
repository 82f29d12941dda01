"""Consensus of readers: every rule by hand, STAPLE against its formulas, and what always holds."""

from __future__ import annotations

import math

import numpy as np
import pytest
import SimpleITK as sitk
from helpers.refusals import has_reason
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from cta_data.errors import DataRefused
from cta_data.imaging.lesions.consensus import METHODS, Consensus, ConsensusMethod, consensus

CUBES = (1.0, 1.0, 1.0)
METHOD = st.sampled_from(METHODS)

noise = arrays(np.uint8, (3, 4, 5), elements=st.sampled_from([0, 0, 0, 1, 2, 3, 4]))
several = st.integers(1, 4).flatmap(lambda n: st.lists(noise, min_size=n, max_size=n))


def row(*boxes: tuple[int, int, int]) -> np.ndarray:
    """A volume whose only filled row holds lesions: id, x from and to (not included)."""
    labels = np.zeros((3, 3, 40), np.uint16)
    for lesion, begin, end in boxes:
        labels[1, 1, begin:end] = lesion
    return labels


def agreed(
    labels: list[np.ndarray], method: ConsensusMethod, least: int | None = None
) -> Consensus:
    return consensus(labels, method, least, spacing_mm=CUBES)


def spans(found: Consensus) -> dict[int, tuple[int, int]]:
    """First and last x of each lesion."""
    values = found.labels[1, 1]
    places = {int(v): np.flatnonzero(values == v) for v in np.unique(values[values > 0])}
    assert all(len(p) == p[-1] - p[0] + 1 for p in places.values())
    return {v: (int(p[0]), int(p[-1])) for v, p in places.items()}


THREE = [
    row((4, 0, 6), (5, 10, 16), (6, 30, 34)),
    row((1, 2, 8), (2, 12, 20)),
    row((9, 4, 10)),
]
"""Lesions that three readers saw, two (not the third), and the first alone."""


@pytest.mark.parametrize(
    ("method", "expected"),
    [
        ("union", {1: (0, 9), 2: (10, 19), 3: (30, 33)}),
        ("majority", {1: (2, 7), 2: (12, 15)}),
        ("intersection", {1: (4, 5)}),
    ],
)
def test_lesions_and_voxels_by_hand(
    method: ConsensusMethod, expected: dict[int, tuple[int, int]]
) -> None:
    """The second lesion is decided between the two who saw it."""
    found = agreed(THREE, method)
    assert spans(found) == expected
    assert [one.lesions for one in found.decisions] == [
        ((4,), (1,), (9,)),
        ((5,), (2,), ()),
        ((6,), (), ()),
    ]
    assert [one.readers for one in found.decisions] == [(0, 1, 2), (0, 1), (0,)]
    assert [one.kept for one in found.decisions] == [n < len(expected) for n in range(3)]
    assert [one.lesion_id for one in found.decisions if one.kept] == list(expected)
    for one in found.decisions:
        assert one.voxel_rule == (method if one.kept else None)


def test_volumes_and_what_was_needed() -> None:
    """In mm³, of the consensus and of everything that was marked."""
    first, _, last = consensus(THREE, "majority", spacing_mm=(0.5, 1, 2)).decisions
    assert (first.volume_mm3, first.marked_mm3, first.min_readers) == (6, 10, 2)
    assert (last.kept, last.lesion_id, last.marked_mm3) == (False, None, 4)
    assert math.isnan(last.volume_mm3)


@pytest.mark.parametrize("least", [1, 2, 3])
@pytest.mark.parametrize("method", METHODS)
def test_min_readers_decides_which_lesions_are_kept(method: ConsensusMethod, least: int) -> None:
    """Of three candidates those that 1, 2 or 3 readers saw, whatever the voxel rule."""
    assert sum(one.kept for one in agreed(THREE, method, least).decisions) == 4 - least


def test_candidates_have_one_number_in_every_method_and_ids_have_no_gap() -> None:
    """A dropped candidate in between changes later ids and no number of a candidate."""
    labels = [row((1, 0, 3), (2, 10, 13), (3, 20, 23)), row((1, 0, 3), (3, 20, 23))]
    kept = [one for one in agreed(labels, "majority").decisions if one.kept]
    assert [(one.candidate, one.lesion_id) for one in kept] == [(1, 1), (3, 2)]
    every = agreed(labels, "union").decisions
    assert [(one.candidate, one.lesion_id) for one in every] == [(1, 1), (2, 2), (3, 3)]


def test_a_lesion_that_one_reader_divided_is_one() -> None:
    """One lesion, and two of the other reader in it: one candidate, with all ids."""
    found = agreed([row((1, 0, 10)), row((5, 0, 5), (6, 7, 10))], "union")
    assert [one.lesions for one in found.decisions] == [((1,), (5, 6))]
    assert spans(found) == {1: (0, 9)}


def test_lesions_side_by_side_stay_two() -> None:
    """An overlap with the neighbour of one voxel joins nothing; it goes to the smaller lesion."""
    labels = [row((1, 0, 6), (2, 7, 12)), row((1, 0, 5), (2, 5, 12))]
    found = agreed(labels, "union")
    assert [one.lesions for one in found.decisions] == [((1,), (1,)), ((2,), (2,))]
    assert spans(found) == {1: (0, 5), 2: (6, 11)}


def test_lesions_that_touch_without_overlap_are_one_if_they_have_no_other() -> None:
    """Two voxels corner to corner are one lesion that two readers saw; most votes keep it."""
    first, second = np.zeros((4, 4, 4), np.uint8), np.zeros((4, 4, 4), np.uint8)
    first[1, 1, 1], second[2, 2, 2] = 7, 8
    for method in METHODS:
        (only,) = agreed([first, second], method).decisions
        assert only.kept and only.lesion_id == 1
        if method in ("majority", "intersection"):
            assert (only.voxel_rule, only.volume_mm3) == ("most_votes", 2)
    # With a lesion of its own for the second reader, the first reader's neighbour is no part of it.
    first[2, 2, 2] = 9
    assert len(agreed([first, second], "union").decisions) == 2
    # Across an edge of the volume nothing touches.
    first, second = np.zeros((4, 4, 4), np.uint8), np.zeros((4, 4, 4), np.uint8)
    first[1, 1, 3], second[1, 2, 0] = 7, 8
    assert len(agreed([first, second], "union").decisions) == 2


def test_a_kept_lesion_never_vanishes() -> None:
    """No voxel was marked by more than two of four: those of two stay, and the list says why."""
    labels = [row((1, 0, 6)), row((1, 4, 10)), row((1, 8, 14)), row((1, 12, 18))]
    for method in ("majority", "intersection"):
        found = agreed(labels, method)  # type: ignore[arg-type]
        (only,) = found.decisions
        assert (only.voxel_rule, only.volume_mm3, only.marked_mm3) == ("most_votes", 6, 18)
        assert np.flatnonzero(found.labels[1, 1]).tolist() == [4, 5, 8, 9, 12, 13]


def test_a_candidate_without_a_voxel_joins_another() -> None:
    """Others may take every voxel of a candidate: it joins one of them, and is not lost.

    Reader 13 has a lesion of 26 voxels. The other 13 have each a part of it, on a line of the
    projective plane of order 3, so that each two share two voxels; each voxel of the large lesion
    is in the part of 4 readers, and in a lesion of its own with a tail elsewhere to the other 9.
    """
    labels = [np.zeros((2, 3, 60), np.uint8) for _ in range(14)]
    labels[13][0, 0, :26] = 100
    for voxel in range(26):
        for reader, volume in enumerate(labels):
            tail = slice(2 * voxel, 2 * voxel + 2)
            volume[1, 2, tail] = voxel + 1
            if reader < 13:
                in_part = (voxel - reader) % 13 in (0, 1, 3, 9)
                volume[0, 0, voxel] = 100 if in_part else voxel + 1
    found = agreed(labels, "union")
    assert len(found.decisions) == 26
    assert np.array_equal(found.labels > 0, np.any(labels, axis=0))
    (joined,) = [one for one in found.decisions if 100 in one.lesions[13]]
    assert len(joined.lesions[13]) == 2
    assert all(100 in ids for ids in joined.lesions)


def test_empty_volumes() -> None:
    """Nothing to decide; and one reader's lesion among empty ones is dropped by a majority."""
    empty = row()
    assert agreed([empty] * 3, "staple").decisions == ()
    assert not agreed([empty] * 3, "staple").labels.any()
    found = agreed([empty, row((1, 0, 3)), empty], "majority")
    assert [one.kept for one in found.decisions] == [False] and not found.labels.any()


def test_what_is_refused() -> None:
    """Fractions, negative ids, other shapes, unknown methods and impossible numbers of readers."""
    labels = row((1, 0, 3))
    with pytest.raises(DataRefused, check=has_reason("mask_values_fractional")):
        agreed([labels + 0.5, labels], "union")
    for volumes, match in (
        ([], "at least one reader"),
        ([labels, labels[:2]], "equal shapes"),
        ([labels[0], labels[0]], "three axes"),
        ([labels.astype(int) * -1], "positive"),
    ):
        with pytest.raises(ValueError, match=match):
            agreed(volumes, "union")
    for least in (0, 3):
        with pytest.raises(ValueError, match="min_readers"):
            agreed([labels, labels], "union", least)
    with pytest.raises(ValueError, match="method"):
        agreed([labels], "mean")  # type: ignore[arg-type]


def readers_of_a_ball(seed: int, n: int, radius: float = 4.0) -> list[np.ndarray]:
    """A ball of n readers, each shifted and scaled a little."""
    rng = np.random.default_rng(seed)
    at = np.indices((16, 17, 18))
    labels = []
    for _ in range(n):
        centre = np.array([8, 8, 9]) + rng.normal(0, 0.6, 3)
        far = ((at - centre[:, None, None, None]) ** 2).sum(axis=0)
        labels.append((far <= rng.uniform(0.75 * radius, 1.25 * radius) ** 2).astype(np.uint8))
    return labels


def staple(masks: np.ndarray) -> np.ndarray:
    """Expectation maximisation by the formulas of Warfield et al. 2004; masks (readers, voxels)."""
    prior = masks.mean()
    p = q = np.full(len(masks), 0.99999)
    for _ in range(3000):
        inside = prior * np.where(masks, p[:, None], 1 - p[:, None]).prod(axis=0)
        outside = (1 - prior) * np.where(masks, 1 - q[:, None], q[:, None]).prod(axis=0)
        weight = inside / (inside + outside)
        p = (masks * weight).sum(axis=1) / weight.sum()
        q = ((1 - masks) * (1 - weight)).sum(axis=1) / (1 - weight).sum()
    return np.asarray(weight)


@pytest.mark.parametrize("seed", range(4))
def test_staple_is_the_published_one(seed: int) -> None:
    """In the box of the lesion and one voxel around it."""
    labels = readers_of_a_ball(seed, 4)
    marked = np.argwhere(np.any(labels, axis=0))
    box = tuple(
        slice(low - 1, high + 2) for low, high in zip(marked.min(0), marked.max(0), strict=True)
    )
    known = staple(np.stack([one[box].ravel() for one in labels]))
    assert (np.abs(known - 0.5) > 1e-3).all()
    found = agreed(labels, "staple")
    assert np.array_equal(found.labels[box].ravel() > 0, known >= 0.5)
    assert not np.delete(found.labels.ravel(), np.flatnonzero(np.any(labels, axis=0))).any()


def test_staple_among_those_who_saw_it() -> None:
    """A reader without the lesion changes nothing, as long as it is kept."""
    labels = readers_of_a_ball(3, 3)
    empty = np.zeros_like(labels[0])
    alone, with_empty = agreed(labels, "staple"), agreed([*labels, empty], "staple")
    assert np.array_equal(alone.labels, with_empty.labels)


def test_lesions_are_decided_apart() -> None:
    """In one volume with 60 others, small and large, a lesion has the voxels that it has alone."""
    alone = [readers_of_a_ball(seed, 3, 1.2 + seed % 10 / 4) for seed in range(60)]
    together = [np.concatenate([one[n] * (k + 1) for k, one in enumerate(alone)]) for n in range(3)]
    for method in METHODS:
        expected = np.concatenate([agreed(one, method).labels > 0 for one in alone])
        assert np.array_equal(agreed(together, method).labels > 0, expected)


def test_the_number_of_threads_changes_nothing() -> None:
    """The same bits with one thread and with several, and the default is as before."""
    labels = readers_of_a_ball(8, 5)
    before = sitk.ProcessObject.GetGlobalDefaultNumberOfThreads()
    found = []
    try:
        for threads in (1, 4):
            sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(threads)
            found.append(agreed(labels, "staple").labels)
            assert sitk.ProcessObject.GetGlobalDefaultNumberOfThreads() == threads
    finally:
        sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(before)
    assert np.array_equal(*found)


@settings(max_examples=100, deadline=None)
@given(several, METHOD, st.data())
def test_of_any_readers(
    labels: list[np.ndarray], method: ConsensusMethod, data: st.DataObject
) -> None:
    """Each lesion is in one candidate; the kept ones are in the labels, where someone marked."""
    least = data.draw(st.none() | st.integers(1, len(labels)))
    found = agreed(labels, method, least)
    for reader, volume in enumerate(labels):
        ids = sorted(one for decision in found.decisions for one in decision.lesions[reader])
        assert ids == sorted(np.unique(volume[volume > 0]).tolist())
    kept = [one for one in found.decisions if one.kept]
    assert [one.lesion_id for one in kept] == list(range(1, len(kept) + 1))
    values, counts = np.unique(found.labels[found.labels > 0], return_counts=True)
    assert values.tolist() == [one.lesion_id for one in kept]
    assert counts.tolist() == [one.volume_mm3 for one in kept]
    assert (np.any(labels, axis=0) | (found.labels == 0)).all()
    assert sum(one.marked_mm3 for one in found.decisions) == np.any(labels, axis=0).sum()
    for one in found.decisions:
        assert one.kept == (len(one.readers) >= one.min_readers)


@settings(max_examples=100, deadline=None)
@given(several, st.booleans())
def test_methods_are_nested(labels: list[np.ndarray], one_rule: bool) -> None:
    """What all marked is in the majority's, and that in the union, which is what anyone marked."""
    least = 1 if one_rule else None
    union, majority, both = (
        agreed(labels, method, least).labels > 0
        for method in ("union", "majority", "intersection")  # type: ignore[arg-type]
    )
    assert (union >= majority).all() and (majority >= both).all()
    assert np.array_equal(union, np.any(labels, axis=0))


@settings(max_examples=100, deadline=None)
@given(several, METHOD, st.data())
def test_readers_and_ids_can_be_exchanged(
    labels: list[np.ndarray], method: ConsensusMethod, data: st.DataObject
) -> None:
    """The order of readers and the ids of lesions are names alone."""
    order = data.draw(st.permutations(range(len(labels))))
    renamed = [0, *data.draw(st.permutations([1, 2, 3, 4]))]
    one = agreed(labels, method)
    other = agreed([np.array(renamed)[labels[n]] for n in order], method)
    assert np.array_equal(one.labels, other.labels)
    for first, second in zip(one.decisions, other.decisions, strict=True):
        assert (first.lesion_id, first.voxel_rule) == (second.lesion_id, second.voxel_rule)
        expected = [sorted(renamed[i] for i in first.lesions[n]) for n in order]
        assert [sorted(ids) for ids in second.lesions] == expected


@settings(max_examples=50, deadline=None)
@given(noise, METHOD, st.integers(1, 4))
def test_readers_who_agree_have_their_own_annotation(
    labels: np.ndarray, method: ConsensusMethod, n: int
) -> None:
    """The same lesions, numbered by position; one reader alone is a consensus, too."""
    found = agreed([labels] * n, method)
    assert np.array_equal(found.labels > 0, labels > 0)
    pairs = {(int(a), int(b)) for a, b in zip(labels.ravel(), found.labels.ravel(), strict=True)}
    assert len(pairs) == len(np.unique(labels)) == len(np.unique(found.labels))
    assert all(one.voxel_rule == method for one in found.decisions)
