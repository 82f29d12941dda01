"""Agreement of two annotations: by hand, against closed forms, and what holds for any cases."""

from __future__ import annotations

import math
from dataclasses import replace
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from cta_data.scoring import ARTICLE, find_instances
from cta_data.scoring.agreement import LinkedCase, PairSurfaces, link_case, summarise_agreement
from cta_data.scoring.agreement.figures import (
    LimitsOfAgreement,
    Resampling,
    cohens_kappa,
    mean_figure,
    positive_agreement,
    volume_differences,
    volume_ratios,
)
from cta_data.scoring.lesion_links import HowLinked, LinkedLesions
from cta_data.scoring.statistics import Interval, bootstrap_interval, cluster_mean_interval
from cta_data.scoring.statistics.clusters import cluster_sums_interval
from cta_data.scoring.surfaces import lesion_distances

FEW = Resampling(0.95, 200, 1)
SURFACES = PairSurfaces(0.5, 1.0, 0.25, 0.75)


def link(how: HowLinked, first_mm3: float, second_mm3: float, dice: float = 0.8) -> LinkedLesions:
    sides = {"first_only": (1, None), "second_only": (None, 1)}.get(how, (1, 1))
    return LinkedLesions(*sides, how, dice, 1.0, first_mm3, second_mm3)


def case(
    patient: str, *links: LinkedLesions, unmarked: tuple[float, ...] | None = None
) -> LinkedCase:
    surfaces = tuple(SURFACES if one.is_pair else None for one in links)
    return LinkedCase(patient, links, surfaces, unmarked)


def ball(centre: tuple[float, float, float], radius: float) -> np.ndarray:
    at = np.indices((20, 22, 24)) - np.array(centre)[:, None, None, None]
    return np.asarray((at**2).sum(axis=0) <= radius**2)


THREE_PATIENTS = [
    case(
        "a",
        link("overlap", 40, 50, dice=0.9),
        link("distance", 30, 30, dice=0.0),
        link("first_only", 20, math.nan),
        unmarked=(10.0, 300.0),
    ),
    case("b", link("overlap", 200, 400, dice=0.6), link("split", 200, 60), unmarked=()),
    case("b", link("second_only", math.nan, 600), link("merge", 45, 400), unmarked=(20.0,)),
    case("c", link("overlap", 90, 110, dice=0.7)),
    case("d"),
]


def test_counts_and_figures_by_hand() -> None:
    """Four pairs, one lesion of each reader alone; parts count for neither."""
    found = summarise_agreement(THREE_PATIENTS, resamples=200)
    assert (found.cases, found.patients) == (5, 4)
    assert (found.cases_without_lesions, found.cases_with_candidates) == (1, 3)
    counts = found.overall.counts
    assert (counts.both, counts.by_distance) == (4, 1)
    assert (counts.first_only, counts.second_only, counts.splits, counts.merges) == (1, 1, 1, 1)
    assert (counts.n_first, counts.n_second, counts.unmarked) == (6, 6, 3)
    assert found.overall.positive_agreement.estimate == pytest.approx(8 / 10)
    assert found.overall.f1 == found.overall.positive_agreement
    assert found.overall.patients == 3
    assert found.overall.dice.estimate == pytest.approx((0.9 + 0.0 + 0.6 + 0.7) / 4)
    assert found.overall.dice.n == 3
    assert found.overall.hausdorff95_mm.estimate == 1.0
    assert found.overall.surface_dice_0_5mm.estimate == 0.25
    # κ of patients a and b: 3 by both, 1 by each alone, 3 by neither.
    observed, chance = 6 / 8, (4 * 4 + 4 * 4) / 64
    assert found.overall.kappa is not None
    assert found.overall.kappa.estimate == pytest.approx((observed - chance) / (1 - chance))
    assert found.overall.volume_difference_mm3.bias.estimate == pytest.approx(230 / 4)


def test_classes_by_volume() -> None:
    """A pair belongs to the class of its mean volume, 50 mm³ to the class from 50; none is lost."""
    found = summarise_agreement(THREE_PATIENTS, (0.0, 0.05, 0.1, math.inf), resamples=200)
    both = [one.counts.both for one in found.classes]
    assert both == [2, 0, 2]
    edge = summarise_agreement([case("a", link("overlap", 40, 60))], resamples=200)
    assert [one.counts.both for one in edge.classes] == [0, 1, 0, 0, 0, 0]
    for name in ("both", "first_only", "second_only", "splits", "merges", "unmarked"):
        parts = [getattr(one.counts, name) for one in found.classes]
        assert sum(parts) == getattr(found.overall.counts, name)


def test_undefined_is_nan_and_counted() -> None:
    """No pair: no Dice, no bias, no distance; no lesion: no agreement; no candidates: no κ."""
    found = summarise_agreement([case("a", link("first_only", 20, math.nan))], resamples=200)
    assert found.overall.positive_agreement.estimate == 0.0
    assert found.overall.kappa is None and found.overall.counts.unmarked is None
    for one in (found.overall.dice, found.overall.mean_surface_mm):
        assert math.isnan(one.estimate) and (one.n, one.method) == (0, "none")
    limits = found.overall.volume_ratio
    assert limits.n == 0 and math.isnan(limits.bias.estimate) and math.isnan(limits.upper.estimate)
    empty = found.classes[-1]
    assert math.isnan(empty.positive_agreement.estimate) and empty.patients == 0
    nothing = summarise_agreement([], resamples=200)
    assert math.isnan(nothing.overall.positive_agreement.estimate)


def test_one_pair_has_a_bias_and_no_limits() -> None:
    """A standard deviation needs two."""
    found = volume_differences([10.0], [12.0], ["a"], FEW)
    assert (found.n, found.bias.estimate) == (1, 2.0)
    assert math.isnan(found.lower.estimate) and math.isnan(found.upper.estimate)


def test_bland_altman_by_the_textbook() -> None:
    """Bias ± 1.96 standard deviations; the log scale gives geometric means of ratios."""
    rng = np.random.default_rng(1)
    first = rng.lognormal(5, 1.5, 60)
    second = first * rng.lognormal(0.1, 0.2, 60)
    patients = [f"p{n}" for n in rng.integers(0, 20, 60)]
    plain = volume_differences(first.tolist(), second.tolist(), patients, FEW)
    differences = second - first
    spread = 1.96 * np.std(differences, ddof=1)
    assert ends(plain) == pytest.approx(
        [differences.mean() - spread, differences.mean(), differences.mean() + spread]
    )
    ratios = volume_ratios(first.tolist(), second.tolist(), patients, FEW)
    logs = np.log(second / first)
    spread = 1.96 * np.std(logs, ddof=1)
    assert ends(ratios) == pytest.approx(
        np.exp([logs.mean() - spread, logs.mean(), logs.mean() + spread])
    )
    for found in (plain, ratios):
        for one in (found.lower, found.bias, found.upper):
            assert one.low < one.estimate < one.high
            assert (one.method, one.n) == ("bca", len(set(patients)))


def ends(found: LimitsOfAgreement) -> list[float]:
    return [found.lower.estimate, found.bias.estimate, found.upper.estimate]


def test_kappa_of_a_textbook_table() -> None:
    """Of 50 candidates 20 were marked by both, 15 by neither, 5 and 10 by one: κ is 0.4."""
    table = np.array([[10, 2, 6, 5], [6, 2, 2, 5], [4, 1, 2, 5]], np.float64)
    found = cohens_kappa(table, FEW)
    assert found.estimate == pytest.approx(0.4)
    assert found.low <= found.estimate <= found.high


def test_kappa_is_undefined_where_all_answers_are_one() -> None:
    """All candidates marked by both: agreement by chance is certain."""
    found = cohens_kappa(np.array([[3, 0, 0, 0], [2, 0, 0, 0], [1, 0, 0, 0.0]]), FEW)
    assert math.isnan(found.estimate) and found.method == "none"
    # Defined for all patients, but not for resamples without the third.
    some = cohens_kappa(np.array([[3, 0, 0, 0], [2, 0, 0, 0], [1, 0, 0, 2.0]]), FEW)
    assert some.estimate == 1.0 and math.isnan(some.low) and some.method == "none"


@settings(max_examples=100, deadline=None)
@given(arrays(np.float64, (4, 4), elements=st.integers(0, 6).map(float)))
def test_kappa_is_the_closed_form(table: np.ndarray) -> None:
    """(o − e) / (1 − e) from proportions, and symmetric in the readers."""
    a, b, c, d = table.sum(axis=0).tolist()
    found = cohens_kappa(table, FEW).estimate
    n = a + b + c + d
    chance = ((a + b) * (a + c) + (c + d) * (b + d)) / n**2 if n else 1.0
    if chance == 1:
        assert math.isnan(found)
        return
    assert found == pytest.approx(((a + d) / n - chance) / (1 - chance), abs=1e-12)
    assert cohens_kappa(table[:, [0, 2, 1, 3]], FEW).estimate == pytest.approx(found, abs=1e-12)


def test_a_mean_is_a_figure_of_sums() -> None:
    """Both ways to a clustered mean draw the same patients and give the same interval."""
    rng = np.random.default_rng(2)
    values, who = rng.exponential(size=50), rng.integers(0, 12, 50)
    rows = np.array([[values[who == n].sum(), (who == n).sum()] for n in dict.fromkeys(who)])
    one = cluster_sums_interval(rows, lambda sums: sums[..., 0] / sums[..., 1], resamples=500)
    other = cluster_mean_interval(values, who.tolist(), resamples=500)
    assert (one.estimate, one.low, one.high) == pytest.approx(
        (other.estimate, other.low, other.high)
    )


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (0.7, 0.9, 3.0)])
def test_surfaces_of_a_pair(spacing: tuple[float, float, float]) -> None:
    """All four figures are those of scoring, whatever the values of the labels."""
    a, b = ball((9, 10, 11), 4.2), ball((10, 10, 12), 5.1)
    found = link_case(a * 3, b * 8, spacing, patient="p").surfaces[0]
    assert found is not None
    known = lesion_distances(
        find_instances(a, ARTICLE), find_instances(b, ARTICLE), (0, 0), spacing
    )
    assert (found.mean_mm, found.hausdorff95_mm) == (known.mean_surface_mm, known.hausdorff95_mm)
    dice = (found.surface_dice_0_5mm, found.surface_dice_1mm)
    assert dice == (known.surface_dice_0_5mm, known.surface_dice_1mm)


def test_a_shift_of_one_millimetre() -> None:
    """A cube of 3 moved by its depth of 1 mm: within 1 mm all of the surface, at 0.5 mm a part."""
    a = np.zeros((8, 9, 10), np.uint8)
    a[2:5, 3:6, 3:6] = 1
    found = link_case(a, np.roll(a, 1, axis=2), (1, 1, 1), patient="p").surfaces[0]
    assert found is not None
    # An element counts 1 on a face, √½ on an edge, √3/8 at a corner. Three rings of twelve are
    # shared: in each cube two between its ends, and one that is the rim of an end.
    edge, corner = math.sqrt(0.5), math.sqrt(3) / 8
    shared = 2 * (8 + 4 * edge) + 8 * edge + 4 * corner
    assert found.surface_dice_1mm == pytest.approx(1.0)
    assert found.surface_dice_0_5mm == pytest.approx(shared / (6 * 4 + 24 * edge + 8 * corner))
    assert found.hausdorff95_mm == 1.0


def test_candidates_that_nobody_marked() -> None:
    """One candidate is marked by the first reader, one by the second, one by none: 4 voxels."""
    candidates = np.zeros((3, 3, 30), np.uint8)
    first, second = np.zeros_like(candidates), np.zeros_like(candidates)
    candidates[1, 1, 0:4], candidates[1, 1, 10:14], candidates[1, 1, 20:24] = 1, 2, 3
    first[1, 1, 3:6], second[1, 1, 9:12] = 1, 1
    found = link_case(first, second, (1, 1, 2), patient="p", candidates=candidates)
    assert found.unmarked_mm3 == (8.0,)
    assert link_case(first, second, (1, 1, 2), patient="p").unmarked_mm3 is None
    with pytest.raises(ValueError, match="shapes differ"):
        link_case(first, second, (1, 1, 2), patient="p", candidates=candidates[:2])


def test_surfaces_and_links_belong_together() -> None:
    """A pair without its surfaces, or surfaces without a pair, is a mistake of the caller."""
    with pytest.raises(ValueError, match="one per pair"):
        LinkedCase("p", (link("overlap", 1, 1),), (None,))


def phantom_cases(seed: int) -> list[tuple[np.ndarray, np.ndarray, str]]:
    rng = np.random.default_rng(seed)
    cases = []
    for number in range(6):
        volumes = [np.zeros((20, 22, 24), np.uint8) for _ in range(2)]
        for lesion, centre in enumerate([(5, 5, 5), (14, 6, 17), (6, 15, 16)], start=1):
            for volume in volumes:
                if rng.random() < 0.8:
                    moved = tuple(float(v + rng.normal(0, 0.7)) for v in centre)
                    volume[ball(moved, rng.uniform(1.2, 3.5))] = lesion  # type: ignore[arg-type]
        cases.append((volumes[0], volumes[1], f"p{number // 2}" if number > 3 else f"q{number}"))
    return cases


def test_exchanging_the_readers() -> None:
    """The same agreement; the bias changes its sign, ratios are inverted, limits change sides."""
    cases = phantom_cases(3)
    one = summarise_agreement(
        [link_case(a, b, (1, 1, 1), patient=p, candidates=a) for a, b, p in cases], resamples=300
    )
    other = summarise_agreement(
        [link_case(b, a, (1, 1, 1), patient=p, candidates=a) for a, b, p in cases], resamples=300
    )
    for first, second in zip(
        (one.overall, *one.classes), (other.overall, *other.classes), strict=True
    ):
        assert same(first.positive_agreement, second.positive_agreement)
        assert first.counts.first_only == second.counts.second_only
        assert first.counts.splits == second.counts.merges
        for name in ("dice", "mean_surface_mm", "hausdorff95_mm", "surface_dice_1mm"):
            assert same(getattr(first, name), getattr(second, name))
        assert first.kappa is not None and second.kappa is not None
        assert same(first.kappa, second.kappa)
        ratio, inverse = first.volume_ratio, second.volume_ratio
        assert same(ratio.bias, inverted(inverse.bias))
        assert same(ratio.lower, inverted(inverse.upper))
        plain, negative = first.volume_difference_mm3, second.volume_difference_mm3
        assert plain.upper.estimate == pytest.approx(-negative.lower.estimate, nan_ok=True)


def same(one: Interval, other: Interval) -> bool:
    return [one.estimate, one.low, one.high] == pytest.approx(
        [other.estimate, other.low, other.high], nan_ok=True
    )


def inverted(one: Interval) -> Interval:
    return replace(one, estimate=1 / one.estimate, low=1 / one.high, high=1 / one.low)


def test_an_annotation_and_itself_agree_perfectly() -> None:
    """Every figure has its best value, in every class that has lesions, without uncertainty."""
    cases = [link_case(a, a, (1, 1, 1), patient=p) for a, _, p in phantom_cases(4)]
    found = summarise_agreement(cases, resamples=200)
    for one in (found.overall, *(c for c in found.classes if c.counts.both)):
        assert one.counts.both == one.counts.n_first == one.counts.n_second
        best = {
            "positive_agreement": 1,
            "dice": 1,
            "mean_surface_mm": 0,
            "hausdorff95_mm": 0,
            "surface_dice_0_5mm": 1,
            "surface_dice_1mm": 1,
        }
        assert {name: getattr(one, name).estimate for name in best} == best
        if one.counts.both > 1:
            assert ends(one.volume_difference_mm3) == [0, 0, 0]
            assert ends(one.volume_ratio) == [1, 1, 1]
    assert (found.overall.dice.low, found.overall.dice.high) == (1, 1)


def test_the_same_call_gives_the_same_bits_and_the_seed_matters() -> None:
    """Seeded; another seed draws other patients."""
    cases = [link_case(a, b, (1, 1, 1), patient=p) for a, b, p in phantom_cases(5)]
    one, again, other = (summarise_agreement(cases, resamples=300, seed=seed) for seed in (1, 1, 2))
    assert repr(one) == repr(again)
    assert one.overall.dice.low != other.overall.dice.low


def test_the_order_of_cases_has_no_influence() -> None:
    """The same bits in any order."""
    cases = [
        replace(link_case(a, b, (1, 1, 1), patient=p), case=str(n))
        for n, (a, b, p) in enumerate(phantom_cases(6))
    ]
    found = [summarise_agreement(some, resamples=200) for some in (cases, cases[::-1])]
    assert repr(found[0]) == repr(found[1])


def test_intervals_cover_what_they_should() -> None:
    """Of 100 studies of 30 patients with alike lesions, about 95 % of the intervals hold the truth.

    Lesions taken for independent would give intervals that are too short.
    """
    rng = np.random.default_rng(6)
    resampling = Resampling(0.95, 300, 7)
    between, within, share = 0.8, 0.5, 0.7
    spread = math.hypot(between, within)
    upper = 0.3 + 1.96 * spread
    agreement = 2 * share / (1 + share)
    held = np.zeros(4)
    for _ in range(100):
        sizes = rng.integers(1, 9, 30)
        patients = [f"p{n}" for n, size in enumerate(sizes) for _ in range(size)]
        shift = np.repeat(rng.normal(0.3, between, 30), sizes)
        seen = rng.random(len(patients)) < np.repeat(rng.beta(3.5, 1.5, 30), sizes)
        differences = shift + rng.normal(0, within, len(patients))
        limits = volume_differences(
            [0.0] * len(patients), differences.tolist(), patients, resampling
        )
        both = [who for who, found in zip(patients, seen, strict=True) if found]
        alone = [who for who, found in zip(patients, seen, strict=True) if not found]
        positive = positive_agreement(both, alone, resampling)
        naive = bootstrap_interval(differences, resamples=300, seed=7)
        held += [
            limits.bias.low <= 0.3 <= limits.bias.high,
            limits.upper.low <= upper <= limits.upper.high,
            positive.low <= agreement <= positive.high,
            naive.low <= 0.3 <= naive.high,
        ]
    assert (held[:3] / 100 >= 0.88).all() and (held[:3] / 100 <= 0.99).all()
    assert held[3] / 100 < 0.75


def test_the_interval_of_a_mean_is_near_the_normal_one() -> None:
    """With 400 patients of one lesion each the interval is mean ± 1.96 standard errors."""
    values = np.random.default_rng(8).normal(size=400)
    found = mean_figure(values.tolist(), [str(n) for n in range(400)], Resampling(0.95, 4000, 9))
    error = NormalDist().inv_cdf(0.975) * values.std(ddof=1) / 20
    assert (found.high - found.low) / 2 == pytest.approx(error, rel=0.05)
