"""Links between the lesions of two annotations: every rule by hand, and what holds for any two."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from fractions import Fraction

import numpy as np
import pytest
from helpers.refusals import has_reason
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from cta_data.errors import DataRefused
from cta_data.scoring.labelled import labelled_lesions
from cta_data.scoring.lesion_links import LinkedLesions, link_lesions

CUBES = (1.0, 1.0, 1.0)
Box = tuple[int, slice]

noise = arrays(np.uint8, (3, 4, 5), elements=st.sampled_from([0, 0, 0, 1, 2, 3, 4]))


def row(*boxes: Box, length: int = 40) -> np.ndarray:
    """A volume whose only filled row holds lesions: id and x from, to."""
    labels = np.zeros((3, 3, length), np.uint16)
    for lesion, where in boxes:
        labels[1, 1, where] = lesion
    return labels


def names(links: tuple[LinkedLesions, ...]) -> list[tuple[int | None, int | None, str]]:
    return [(link.first, link.second, link.how) for link in links]


def test_every_rule_by_hand() -> None:
    """A pair, a split, a merge, a pair by distance, and a lesion of each annotation alone."""
    first = np.concatenate(
        [
            row((7, slice(2, 8))),  # pair with 70
            row((9, slice(2, 14))),  # covers 90 and 91
            row((3, slice(2, 6)), (4, slice(8, 14))),  # both in 30
            row((5, slice(2, 4))),  # 3 mm from 50
            row((6, slice(2, 4))),  # alone
            row(),
        ]
    )
    second = np.concatenate(
        [
            row((70, slice(4, 10))),
            row((90, slice(2, 9)), (91, slice(10, 14))),
            row((30, slice(2, 14))),
            row((50, slice(5, 7))),
            row(),
            row((60, slice(20, 24))),
        ]
    )
    links = link_lesions(first, second, (1.0, 1.0, 10.0))
    assert names(links) == [
        (3, 30, "merge"),
        (4, 30, "overlap"),
        (5, 50, "distance"),
        (6, None, "first_only"),
        (7, 70, "overlap"),
        (9, 90, "overlap"),
        (9, 91, "split"),
        (None, 60, "second_only"),
    ]
    pair = links[4]
    assert pair.dice == pytest.approx(2 * 4 / 12)
    assert pair.centroid_distance_mm == pytest.approx(2.0)
    assert (pair.first_volume_mm3, pair.second_volume_mm3, pair.volume_mm3) == (60, 60, 60)
    apart = links[2]
    assert (apart.dice, apart.centroid_distance_mm) == (0.0, pytest.approx(3.0))
    alone = links[3]
    assert math.isnan(alone.dice) and math.isnan(alone.centroid_distance_mm)
    assert (alone.first_volume_mm3, alone.volume_mm3) == (20, 20)
    assert math.isnan(alone.second_volume_mm3)
    assert [links[0].volume_mm3, links[6].volume_mm3, links[7].volume_mm3] == [40, 40, 40]


def test_the_sum_of_dice_decides_and_not_the_best_pair() -> None:
    """Pairing 1 with 10 would leave 2 alone: the two lesser pairs have the larger sum."""
    first = row((1, slice(0, 6)), (2, slice(8, 14)))
    second = row((11, slice(0, 3)), (10, slice(3, 12)))
    assert names(link_lesions(first, second, CUBES)) == [(1, 11, "overlap"), (2, 10, "overlap")]


def test_distance_is_in_mm_and_its_limit_is_included() -> None:
    """Two voxels along x of 1.5 mm are 3 mm, along z of 4 mm 8 mm."""
    first, along_x = row((1, slice(4, 5))), row((2, slice(6, 7)))
    assert names(link_lesions(first, along_x, (1.5, 1, 4), distance_mm=3)) == [(1, 2, "distance")]
    assert len(link_lesions(first, along_x, (1.5, 1, 4), distance_mm=2.9)) == 2
    along_z = np.concatenate([row(), row(), first])
    link = link_lesions(np.concatenate([row(), first, row()]), along_z, (1.5, 1, 4), distance_mm=12)
    assert link[0].centroid_distance_mm == pytest.approx(12.0)


def test_the_nearest_come_first() -> None:
    """2 and 10 are each other's nearest; a least total distance would pair 1 and 10, 2 and 11."""
    first = row((1, slice(0, 1)), (2, slice(4, 5)))
    second = row((10, slice(3, 4)), (11, slice(8, 9)))
    assert names(link_lesions(first, second, CUBES)) == [
        (1, None, "first_only"),
        (2, 10, "distance"),
        (None, 11, "second_only"),
    ]


def test_a_graze_is_no_part() -> None:
    """1 of 20 voxels of lesion 11 is in lesion 1: it stays alone, unless so little is enough."""
    first = row((1, slice(0, 10)))
    second = row((10, slice(0, 9)), (11, slice(9, 29)))
    assert names(link_lesions(first, second, CUBES))[1] == (None, 11, "second_only")
    enough = link_lesions(first, second, CUBES, part_share=Fraction(1, 20))
    assert names(enough)[1] == (1, 11, "split")


def test_a_lesion_beside_a_large_outline_is_no_part_of_it() -> None:
    """2 of 6 voxels of a small lesion that one reader missed are under the other's neighbour."""
    first = row((1, slice(0, 20)))
    second = row((10, slice(0, 17)), (11, slice(18, 24)))
    found = link_lesions(first, second, CUBES)
    assert [(one.first, one.second, one.how) for one in found] == [
        (1, 10, "overlap"),
        (None, 11, "second_only"),
    ]


def test_parts_go_where_most_of_them_lies() -> None:
    """Lesion 12 lies between 1 and 2, two voxels in one and three in the other."""
    first = row((1, slice(0, 12)), (2, slice(12, 24)))
    second = row((10, slice(0, 10)), (12, slice(10, 15)), (11, slice(15, 24)))
    assert (2, 12, "split") in names(link_lesions(first, second, CUBES))
    mirrored = link_lesions(first[..., 23::-1], second[..., 23::-1], CUBES)
    assert (2, 12, "split") in names(mirrored)


def test_a_lesion_in_two_pieces_is_one() -> None:
    """An id is a lesion, whatever its connectivity."""
    first = row((1, slice(0, 3)), (1, slice(10, 13)))
    assert names(link_lesions(first, first, CUBES)) == [(1, 1, "overlap")]
    assert link_lesions(first, first, CUBES)[0].first_volume_mm3 == 6


def test_lesions_that_touch_stay_apart() -> None:
    """Two values side by side along x are two lesions."""
    labels = row((5, slice(0, 3)), (6, slice(3, 7)))
    found = labelled_lesions(labels)
    assert found.ids.tolist() == [5, 6]
    assert found.instances.voxels.tolist() == [3, 4]


def test_what_was_planted_comes_back() -> None:
    """Of 512 lesions some are missed, divided or joined by plan; all ids are shuffled."""
    rng = np.random.default_rng(11)
    plan = ["overlap"] * 362 + ["first_only"] * 40 + ["second_only"] * 60 + ["split"] * 30
    plan += ["merge"] * 20
    rng.shuffle(plan)
    places = np.array(list(itertools.product(range(8), repeat=3))) * 12 + 3
    ids = [iter((rng.permutation(1100) + 1).tolist()) for _ in range(2)]
    volumes = [np.zeros((96, 96, 96), np.uint16) for _ in range(2)]

    def paint(side: int, corner: np.ndarray, size: tuple[int, ...]) -> int:
        z, y, x = (slice(int(a), int(a) + n) for a, n in zip(corner, size, strict=True))
        lesion = int(next(ids[side]))
        volumes[side][z, y, x] = lesion
        return lesion

    expected: set[tuple[int | None, int | None, str]] = set()
    for how, place in zip(plan, places, strict=True):
        whole, moved = (3, 4, 6), place + rng.integers(-1, 2, 3)
        if how in ("split", "merge"):
            one = 0 if how == "split" else 1
            large = paint(one, place, whole)
            beside = place + np.array([0, 0, 4])
            parts = [paint(1 - one, place, (3, 4, 3)), paint(1 - one, beside, (3, 4, 2))]
            for part, link in zip(parts, ("overlap", how), strict=True):
                expected.add((large, part, link) if how == "split" else (part, large, link))
        else:
            first = paint(0, place, whole) if how != "second_only" else None
            second = paint(1, moved, whole) if how != "first_only" else None
            expected.add((first, second, how))
    assert set(names(link_lesions(*volumes, CUBES))) == expected


@pytest.mark.parametrize("both", [True, False])
def test_empty_volumes(both: bool) -> None:
    """Nothing gives no link; one annotation's lesions alone are its own."""
    empty, one = row(), row((4, slice(0, 2)))
    links = link_lesions(empty, empty if both else one, CUBES)
    assert names(links) == ([] if both else [(None, 4, "second_only")])


def test_what_is_refused() -> None:
    """Fractions, negative ids, other shapes, and limits that mean nothing."""
    labels = row((1, slice(0, 2)))
    with pytest.raises(DataRefused, check=has_reason("mask_values_fractional")):
        link_lesions(labels + 0.5, labels, CUBES)
    with pytest.raises(ValueError, match="positive"):
        link_lesions(labels.astype(int) * -1, labels, CUBES)
    with pytest.raises(ValueError, match="shapes differ"):
        link_lesions(labels, labels[:2], CUBES)
    with pytest.raises(ValueError, match="three axes"):
        link_lesions(labels[0], labels[0], CUBES)
    for wrong in ({"distance_mm": -1.0}, {"distance_mm": math.nan}, {"part_share": Fraction(0)}):
        with pytest.raises(ValueError, match="needed"):
            link_lesions(labels, labels, CUBES, **wrong)  # type: ignore[arg-type]


def most_dice(first: np.ndarray, second: np.ndarray) -> Fraction:
    """The largest sum of Dice, by trying every one-to-one pairing."""
    ids = [np.unique(labels[labels > 0]).tolist() for labels in (first, second)]
    ids[1] += [None] * len(ids[0])
    best = Fraction(0)
    for partners in itertools.permutations(ids[1], len(ids[0])):
        total = Fraction(0)
        for i, j in zip(ids[0], partners, strict=True):
            if j is not None:
                a, b = first == i, second == j
                total += Fraction(2 * int((a & b).sum()), int(a.sum() + b.sum()))
        best = max(best, total)
    return best


@settings(max_examples=100, deadline=None)
@given(noise, noise)
def test_links_of_any_two_annotations(first: np.ndarray, second: np.ndarray) -> None:
    """Each lesion is in one link; only parts come on top; the sum of Dice is the largest."""
    links = link_lesions(first, second, (0.5, 1.0, 2.0), distance_mm=2)
    how = Counter(link.how for link in links)
    pairs = how["overlap"] + how["distance"]
    counts = [len(np.unique(labels[labels > 0])) for labels in (first, second)]
    assert counts[0] == pairs + how["merge"] + how["first_only"]
    assert counts[1] == pairs + how["split"] + how["second_only"]
    for side, part in (("first", "split"), ("second", "merge")):
        once = Counter(getattr(link, side) for link in links if link.how != part)
        del once[None]
        assert set(once) == set(np.unique(first if side == "first" else second).tolist()) - {0}
        assert set(once.values()) <= {1}
    overlapping = {(link.first, link.second) for link in links if link.how == "overlap"}
    for link in links:
        if link.how == "split":
            assert any(link.first == i for i, _ in overlapping)
        if link.how == "merge":
            assert any(link.second == j for _, j in overlapping)
        if link.how == "distance":
            assert link.centroid_distance_mm <= 2 + 1e-6 and link.dice == 0
        elif link.first and link.second:
            a, b = first == link.first, second == link.second
            assert link.dice == 2 * (a & b).sum() / (a.sum() + b.sum()) > 0
    total = sum(
        Fraction(link.dice).limit_denominator(500) for link in links if link.how == "overlap"
    )
    assert total == most_dice(first, second)


@settings(max_examples=150, deadline=None)
@given(noise, noise)
def test_exchanging_the_annotations_exchanges_the_links(
    first: np.ndarray, second: np.ndarray
) -> None:
    """Ties included: the same pairs, splits where there were merges."""
    other = {
        "split": "merge",
        "merge": "split",
        "first_only": "second_only",
        "second_only": "first_only",
    }
    there = link_lesions(first, second, CUBES)
    back = link_lesions(second, first, CUBES)
    assert {(i, j, how) for i, j, how in names(there)} == {
        (i, j, other.get(how, how)) for j, i, how in names(back)
    }


def test_exchanging_the_annotations_where_two_assignments_are_equal() -> None:
    """Six overlaps of one voxel in a circle, two best assignments: the order of either differs.

    First lesions of each annotation are 1, 2, 3 and 11, 12, 13. The first pair of lesion 1 would
    be 12 in one order, the first pair of lesion 11 would be 2 in the other.
    """
    circle = [(1, 12), (3, 12), (3, 11), (2, 11), (2, 13), (1, 13)]
    first = row(*((n + 1, slice(n, n + 1)) for n in range(3)))
    second = row(*((n + 11, slice(n + 3, n + 4)) for n in range(3)))
    for x, (i, j) in enumerate(circle, start=6):
        first[1, 1, x], second[1, 1, x] = i, j
    there, back = link_lesions(first, second, CUBES), link_lesions(second, first, CUBES)
    assert {link.how for link in there} == {"overlap"}
    assert {(i, j) for i, j, _ in names(there)} == {(i, j) for j, i, _ in names(back)}


@settings(max_examples=100, deadline=None)
@given(noise, noise, st.permutations([1, 2, 3, 4]), st.permutations([1, 2, 3, 4]))
def test_ids_are_names_alone(
    first: np.ndarray, second: np.ndarray, one: list[int], other: list[int]
) -> None:
    """With other ids the same lesions are linked, ties included."""
    renamed = [np.array([0, *new])[labels] for new, labels in ((one, first), (other, second))]
    expected = {
        (i and one[i - 1], j and other[j - 1], how)
        for i, j, how in names(link_lesions(first, second, CUBES))
    }
    assert set(names(link_lesions(*renamed, CUBES))) == expected


@settings(max_examples=50, deadline=None)
@given(noise)
def test_an_annotation_and_itself(labels: np.ndarray) -> None:
    """Every lesion is paired with itself, at Dice 1 and 0 mm."""
    for link in link_lesions(labels, labels, CUBES):
        assert (link.first, link.how) == (link.second, "overlap")
        assert (link.dice, link.centroid_distance_mm) == (1.0, 0.0)
