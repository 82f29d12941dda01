"""Scores against an independent implementation, written from the table of the conventions.

It floods voxel by voxel, tries every one-to-one matching and counts with fractions; it shares no
code with the package.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cta_data.scoring import ARTICLE, TABLES, CaseScore, Convention, score_masks

Voxel = tuple[int, int, int]
Example = tuple[np.ndarray, np.ndarray, list[tuple[int, int]]]
NAN = math.nan


def flood(mask: np.ndarray, connectivity: int) -> list[set[Voxel]]:
    """Components by flooding from one voxel after another."""
    most = {6: 1, 18: 2, 26: 3}[connectivity]
    steps = [
        s for s in itertools.product((-1, 0, 1), repeat=3) if 0 < sum(abs(v) for v in s) <= most
    ]
    left = {tuple(int(i) for i in v) for v in np.argwhere(mask)}
    found = []
    while left:
        start = min(left)
        left.remove(start)
        part, queue = {start}, [start]
        while queue:
            z, y, x = queue.pop()
            for a, b, c in steps:
                near = (z + a, y + b, x + c)
                if near in left:
                    left.remove(near)
                    part.add(near)
                    queue.append(near)
        found.append(part)
    return found


def instances(mask: np.ndarray, tables: bool) -> list[set[Voxel]]:
    """Instances as the convention's row `components` says."""
    if not tables:
        return flood(mask, 26)
    edge = np.pad(mask.astype(bool), 3)
    wide = np.zeros(mask.shape, dtype=bool)
    for a, b, c in itertools.product(range(7), repeat=3):
        if (a - 3) ** 2 + (b - 3) ** 2 + (c - 3) ** 2 <= 9:
            z, y, x = (slice(v, v + n) for v, n in zip((a, b, c), mask.shape, strict=True))
            wide |= edge[z, y, x]
    own = {tuple(int(i) for i in v) for v in np.argwhere(mask)}
    return sorted((part & own for part in flood(wide, 18) if part & own), key=min)


@dataclass(frozen=True)
class Pair:
    """Two instances that overlap."""

    reference: int
    predicted: int
    shared: int
    dice: Fraction


def is_detected(pair: Pair, tables: bool) -> bool:
    if tables:
        return float(np.float32(float(pair.dice))) > 0.1
    return pair.dice > Fraction(1, 10)


def best_matching(
    first: list[set[Voxel]], second: list[set[Voxel]], tables: bool
) -> tuple[list[Pair], int]:
    """The matching that the table's rule for ties takes, and how many have the largest sum."""
    ties = best_matchings(first, second)
    most = max(sum(is_detected(p, tables) for p in one) for one in ties)
    ties_of_most = [one for one in ties if sum(is_detected(p, tables) for p in one) == most]
    return min(ties_of_most, key=lambda one: [(p.reference, p.predicted) for p in one]), len(ties)


def best_matchings(first: list[set[Voxel]], second: list[set[Voxel]]) -> list[list[Pair]]:
    """All one-to-one matchings of overlapping instances with the largest sum of Dice.

    Sums are whole numbers over one denominator; what cannot reach the largest sum is not followed.
    """
    options = [
        [
            Pair(i, j, len(a & b), Fraction(2 * len(a & b), len(a) + len(b)))
            for j, b in enumerate(second)
            if a & b
        ]
        for i, a in enumerate(first)
    ]
    whole = math.lcm(*(pair.dice.denominator for row in options for pair in row))
    shares = [[int(pair.dice * whole) for pair in row] for row in options]
    most = [sum(max(row, default=0) for row in shares[i:]) for i in range(len(first) + 1)]
    best: tuple[int, list[list[Pair]]] = (-1, [])

    def extend(i: int, taken: list[Pair], total: int) -> None:
        nonlocal best
        if total + most[i] < best[0]:
            return
        if i == len(first):
            if total > best[0]:
                best = (total, [])
            best[1].append(list(taken))
            return
        for pair, share in zip(options[i], shares[i], strict=True):
            if all(pair.predicted != other.predicted for other in taken):
                extend(i + 1, [*taken, pair], total + share)
        extend(i + 1, taken, total)

    extend(0, [], 0)
    return best[1]


def expected(
    first: list[set[Voxel]], second: list[set[Voxel]], matching: list[Pair], tables: bool
) -> dict[str, float]:
    """The numbers of a case, row by row of the table."""
    hits = [p for p in matching if is_detected(p, tables)]
    tp, fn, fp = len(hits), len(first) - len(hits), len(second) - len(hits)
    counts = {"tp": tp, "fn": fn, "fp": fp}
    names = ("lesionwise_dice", "lesionwise_ppv", "lesionwise_sensitivity")
    if not first and not second:
        one = 1.0 if tables else NAN
        return counts | dict.fromkeys(("sensitivity", "ppv", "f1"), one) | dict.fromkeys(names, NAN)
    if not second:
        ppv = 1.0 if tables else NAN
        return counts | {"sensitivity": 0.0, "ppv": ppv, "f1": 0.0} | dict.fromkeys(names, 0.0)
    if not first:
        sensitivity = 1.0 if tables else NAN
        return (
            counts | {"sensitivity": sensitivity, "ppv": 0.0, "f1": 0.0} | dict.fromkeys(names, 0.0)
        )
    alone = len(first) - len(matching), len(second) - len(matching)
    weight = len(matching) + alone[0] / 2 + alone[1] / 2
    values = [
        sum(float(p.dice) for p in matching) / weight,
        sum(p.shared / len(second[p.predicted]) for p in matching) / weight,
        sum(p.shared / len(first[p.reference]) for p in matching) / weight,
    ]
    return counts | {
        "sensitivity": tp / (tp + fn),
        "ppv": tp / (tp + fp),
        "f1": 2 * tp / (2 * tp + fp + fn),
        **dict(zip(names, values, strict=True)),
    }


def agrees(score: CaseScore, wanted: dict[str, float]) -> bool:
    return all(
        getattr(score, name) == pytest.approx(value, abs=1e-12, nan_ok=True)
        for name, value in wanted.items()
    )


def check(reference: np.ndarray, predicted: np.ndarray, convention: Convention) -> int:
    """Compare all that is scored; return how many matchings have the largest sum."""
    tables = convention is TABLES
    first, second = instances(reference, tables), instances(predicted, tables)
    score = score_masks(reference, predicted, convention)
    assert (score.n_reference, score.n_predicted) == (len(first), len(second))
    matching, ties = best_matching(first, second, tables)
    assert agrees(score, expected(first, second, matching, tables))
    assert [(p.reference_lesion - 1, p.predicted_lesion - 1) for p in score.pairs] == [
        (p.reference, p.predicted) for p in matching
    ]
    shared = int((reference.astype(bool) & predicted.astype(bool)).sum())
    total = int(reference.astype(bool).sum() + predicted.astype(bool).sum())
    assert score.voxel_dice == pytest.approx(2 * shared / total if total else NAN, nan_ok=True)
    volumes = sorted(len(part) for part in first)
    assert sorted(one.volume_mm3 for one in score.reference) == volumes
    return ties


def boxes(rng: np.random.Generator, shape: tuple[int, int, int], many: int) -> np.ndarray:
    """Lesions of all kinds: boxes that touch, nest, reach the border, and single voxels."""
    mask = np.zeros(shape, np.uint8)
    for _ in range(many):
        low = [int(rng.integers(0, n)) for n in shape]
        size = [int(rng.integers(1, 4)) for _ in shape]
        box = tuple(slice(a, a + s) for a, s in zip(low, size, strict=True))
        mask[box] = 1
        if rng.random() < 0.2:  # a hole, or a shell around another lesion
            mask[tuple(slice(a + 1, a + max(s - 1, 1)) for a, s in zip(low, size, strict=True))] = 0
        if rng.random() < 0.3:
            mask[tuple(min(a + s, n - 1) for a, s, n in zip(low, size, shape, strict=True))] = 1
    return mask


@settings(max_examples=300, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    shape=st.tuples(*[st.integers(1, 11)] * 3),
    many=st.integers(0, 5),
    shift=st.integers(-2, 2),
    convention=st.sampled_from([ARTICLE, TABLES]),
)
def test_random_volumes_agree_with_brute_force(
    seed: int, shape: tuple[int, int, int], many: int, shift: int, convention: Convention
) -> None:
    """300 volumes, both conventions: every count and every score is that of the best matching."""
    rng = np.random.default_rng(seed)
    reference = boxes(rng, shape, many)
    predicted = np.roll(reference, shift, axis=int(rng.integers(0, 3)))
    extra = boxes(rng, shape, int(rng.integers(0, 3)))
    predicted = np.where(rng.random() < 0.5, predicted | extra, extra).astype(np.uint8)
    assert check(reference, predicted, convention) >= 1


def slivers(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """A few blocks in one mask, and voxels inside of them in the other: pairs of a small Dice."""
    large = np.zeros((11, 11, 11), np.uint8)
    small = np.zeros_like(large)
    for corner in rng.permutation([(z, y, x) for z in (0, 6) for y in (0, 6) for x in (0, 6)])[:6]:
        block = tuple(slice(int(c), int(c) + int(rng.integers(3, 6))) for c in corner)
        large[block] = 1
        points = rng.permutation(np.argwhere(large[block])) + np.array(corner)
        small[tuple(points[: rng.integers(0, 4)].T)] = 1
    return (large, small) if rng.random() < 0.5 else (small, large)


@settings(max_examples=400, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), convention=st.sampled_from([ARTICLE, TABLES]))
def test_pairs_of_a_small_dice_count_in_the_lesion_wise_scores(
    seed: int, convention: Convention
) -> None:
    """400 volumes, most of whose pairs are at or under a Dice of 0.1: all of them are summed."""
    assert check(*slivers(np.random.default_rng(seed)), convention) >= 1


def test_that_volumes_of_slivers_hold_many_pairs_under_the_threshold() -> None:
    """What the test above relies on: of 100 such volumes, most pairs are not detected."""
    scores = [score_masks(*slivers(np.random.default_rng(seed)), ARTICLE) for seed in range(100)]
    pairs = [pair for score in scores for pair in score.pairs]
    assert len(pairs) > 200
    assert sum(not pair.detected for pair in pairs) > len(pairs) / 2


@settings(max_examples=100, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), density=st.floats(0.02, 0.25))
def test_scattered_voxels_agree_with_brute_force(seed: int, density: float) -> None:
    """Diagonal contacts of every kind: 100 volumes of scattered voxels, by the article's rules."""
    rng = np.random.default_rng(seed)
    shape = (5, 4, 5)
    reference, predicted = (rng.random((2, *shape)) < density / 2).astype(np.uint8)
    assert check(reference, predicted, ARTICLE) >= 1


def split_evenly() -> Example:
    """One lesion under two equal predictions: the first is taken."""
    reference, predicted = np.zeros((2, 1, 1, 12), np.uint8)
    reference[0, 0, 2:8] = 1
    predicted[0, 0, 1:4] = predicted[0, 0, 6:9] = 1
    return reference, predicted, [(1, 1)]


def more_are_detected() -> Example:
    """0.05 + 0.35 = 0.2 + 0.2: the second finds two lesions, though its numbers are higher."""
    reference, predicted = np.zeros((2, 9, 1, 20), np.uint8)
    reference[0], reference[8] = 1, 1
    predicted[:, 0, 0], predicted[4, 0, :9], predicted[8, 0, :4] = 1, 1, 1
    predicted[:, 0, 19], predicted[0, 0, 16:], predicted[4, 0, 17:] = 1, 1, 1
    predicted[8, 0, 13:] = 1
    return reference, predicted, [(1, 2), (2, 1)]


def who_stays_alone() -> Example:
    """Two lesions under one prediction, equally: the first is found, the second missed."""
    predicted, reference, _ = split_evenly()
    return reference, predicted, [(1, 1)]


@pytest.mark.parametrize("made", [split_evenly, more_are_detected, who_stays_alone])
def test_ties_made_by_hand(made: Callable[[], Example]) -> None:
    """Equal sums of Dice: most detected first, lowest numbers then; there really is a tie."""
    reference, predicted, pairs = made()
    assert check(reference, predicted, ARTICLE) > 1
    score = score_masks(reference, predicted, ARTICLE)
    assert [(p.reference_lesion, p.predicted_lesion) for p in score.pairs] == pairs


def test_a_long_chain_of_ties() -> None:
    """30 lesions, each under the ends of two of 31 predictions: each takes its first."""
    reference, predicted = np.zeros((2, 1, 1, 190), np.uint8)
    for number in range(31):
        predicted[0, 0, 6 * number : 6 * number + 4] = 1
        if number < 30:
            reference[0, 0, 6 * number + 3 : 6 * number + 7] = 1
    score = score_masks(reference, predicted, ARTICLE)
    assert (score.tp, score.fp, score.fn) == (30, 1, 0)
    assert {(p.reference_lesion, p.predicted_lesion) for p in score.pairs} == {
        (number, number) for number in range(1, 31)
    }
