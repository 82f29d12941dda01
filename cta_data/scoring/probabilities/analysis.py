"""All that the probabilities of several models on several test sets tell."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from cta_data.scoring.agreement.figures import Resampling
from cta_data.scoring.paper import in_paper_order
from cta_data.scoring.probabilities.calibration import (
    Reliability,
    candidate_reliability,
    voxel_reliability,
)
from cta_data.scoring.probabilities.candidates import ScoreName
from cta_data.scoring.probabilities.collection import CandidateSet
from cta_data.scoring.probabilities.comparison import FrocDifference, compare_curves
from cta_data.scoring.probabilities.curve import (
    DRAWN,
    LEVELS,
    Curve,
    froc_curve,
    score_precisions,
)


@dataclass(frozen=True)
class SetAnalysis:
    """One model on one test set.

    Attributes
    ----------
    found
        Its candidates.
    precisions
        Average precision along each score.
    reliability
        Of candidates by their score, of voxels, and of voxels that are not background.
    """

    found: CandidateSet
    curve: Curve
    precisions: Mapping[ScoreName, float]
    reliability: tuple[Reliability, ...]


@dataclass(frozen=True)
class ProbabilityAnalysis:
    """Several models on several test sets, and every two models on one test set."""

    sets: tuple[SetAnalysis, ...]
    differences: tuple[FrocDifference, ...]
    drawn: Resampling


def analyse(
    sets: Sequence[CandidateSet],
    scores: Mapping[str, ScoreName],
    levels: Sequence[float] = LEVELS,
    drawn: Resampling = DRAWN,
) -> ProbabilityAnalysis:
    """Return the curves of all sets that have a case, and their differences; in one order.

    Parameters
    ----------
    scores
        By model, the score of its candidates.
    """
    test_sets = in_paper_order(one.test_set for one in sets)
    filled = sorted(
        (one for one in sets if one.cases), key=lambda one: test_sets.index(one.test_set)
    )
    made = tuple(_analysed(one, scores[one.model], levels, drawn) for one in filled)
    differences = tuple(
        compare_curves(a, b, (scores[a.model], scores[b.model]), levels, drawn)
        for a, b in _pairs(filled)
    )
    return ProbabilityAnalysis(made, differences, drawn)


def _pairs(sets: Iterable[CandidateSet]) -> list[tuple[CandidateSet, CandidateSet]]:
    """Return every two models on one test set that have a case in common."""
    by_set: dict[str, list[CandidateSet]] = {}
    for one in sets:
        by_set.setdefault(one.test_set, []).append(one)
    pairs = (pair for own in by_set.values() for pair in combinations(own, 2))
    return [(a, b) for a, b in pairs if a.case_names & b.case_names]


def _analysed(
    found: CandidateSet, score: ScoreName, levels: Sequence[float], drawn: Resampling
) -> SetAnalysis:
    candidates = found.candidates
    of_candidates = candidate_reliability(
        [getattr(one, score) for one in candidates], [one.detected for one in candidates]
    )
    every, foreground = voxel_reliability(one.bins for one in found.cases)
    curve = froc_curve(found, score, levels, drawn)
    return SetAnalysis(found, curve, score_precisions(found), (of_candidates, every, foreground))
