"""FROC: sensitivity over all lesions against false positives per case, and its figures.

Sensitivity at x false positives is that of the lowest score with x false positives per case or
fewer, as a threshold that can be set; nothing is interpolated. Where all candidates together have
fewer, it is the sensitivity of all of them. Average precision is the sum over falling scores of
precision times the increase of sensitivity; lesions without a candidate count as missed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cta_data.scoring.agreement.figures import Resampling, ratio, share
from cta_data.scoring.probabilities.candidates import SCORES, ScoreName
from cta_data.scoring.probabilities.collection import CandidateSet
from cta_data.scoring.probabilities.events import CLASSES, Events, SizeClass, events_of
from cta_data.scoring.statistics import RESAMPLES, SEED, Interval
from cta_data.scoring.statistics.clusters import weighted_intervals

LEVELS = (0.5, 1.0, 2.0, 4.0, 8.0)
"""False positives per case at which sensitivity is reported."""
BAND = tuple(round(2.0 ** (step / 4), 6) for step in range(-16, 17))
"""False positives per case at which the band of a curve is drawn: from 1/16 to 16."""
DRAWN = Resampling(0.95, RESAMPLES, SEED)
"""How intervals are computed where nothing else is asked for."""
_ROUNDING = 1e-12
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class CurvePoint:
    """One score as a threshold: what is found with it, over all cases."""

    threshold: float
    tp: int
    fp: int
    sensitivity: float
    fp_per_case: float


@dataclass(frozen=True)
class LevelFigure:
    """Sensitivity at a number of false positives per case.

    Attributes
    ----------
    threshold
        Candidates with this score or more are kept; infinite where none may be.
    is_reached
        Whether a lower score has more false positives than the level; where not, all candidates
        are kept, and more false positives per case are not to be had.
    """

    level: float
    threshold: float
    is_reached: bool
    tp: int
    fp: int
    sensitivity: Interval

    @property
    def keeps_none(self) -> bool:
        """Whether even the highest score has more false positives, such as one that many share.

        Nothing may be kept then, and sensitivity is 0 however many lesions have that score.
        """
        return self.is_reached and math.isinf(self.threshold)


@dataclass(frozen=True)
class ClassFigure:
    """Sensitivity for lesions of one class of size at a number of false positives per case."""

    size: SizeClass
    level: float
    lesions: int
    patients: int
    found: int
    sensitivity: Interval


@dataclass(frozen=True)
class Curve:
    """The FROC of one model on one test set along one score."""

    model: str
    test_set: str
    score: ScoreName
    cases: int
    patients: int
    lesions: int
    candidates: int
    points: tuple[CurvePoint, ...]
    levels: tuple[LevelFigure, ...]
    classes: tuple[ClassFigure, ...]
    band: tuple[tuple[float, Interval], ...]
    average_precision: Interval

    @property
    def name(self) -> str:
        """Name for people."""
        return f"model {self.model} on {self.test_set}" if self.test_set else self.model


def froc_curve(
    found: CandidateSet,
    score: ScoreName,
    levels: Sequence[float] = LEVELS,
    drawn: Resampling = DRAWN,
) -> Curve:
    """Return the FROC of a set, with intervals by drawing whole patients."""
    events = events_of(found, score)
    tp, fp = events.counts
    n_cases = int(events.cases_of_patient.sum())
    n_lesions = int(events.all_lesions.per_patient.sum())
    asked = (*levels, *BAND)
    figures = weighted_intervals(
        lambda weights: curve_figures(events, asked, len(levels), weights),
        len(events.patients),
        confidence=drawn.confidence,
        resamples=drawn.resamples,
        seed=drawn.seed,
    )
    at_levels, band = figures[: len(levels)], figures[len(levels) : len(asked)]
    of_classes = figures[len(asked) + 1 :]
    points = [
        CurvePoint(float(s), int(t), int(f), share(int(t), n_lesions), share(int(f), n_cases))
        for s, t, f in zip(events.scores, tp, fp, strict=True)
    ]
    ones = np.ones((1, len(events.patients)))
    kept = scores_kept(events, levels, ones)[0] if len(points) else np.zeros(len(levels), int)
    return Curve(
        found.model,
        found.test_set,
        score,
        n_cases,
        len(events.patients),
        n_lesions,
        sum(len(one.candidates.candidates) for one in found.cases),
        tuple(points),
        tuple(
            _level(level, int(n), points, interval)
            for level, n, interval in zip(levels, kept, at_levels, strict=True)
        ),
        tuple(_classes(events, levels, kept, of_classes)),
        tuple(zip(BAND, band, strict=True)),
        figures[len(asked)],
    )


def score_precisions(found: CandidateSet) -> dict[ScoreName, float]:
    """Return the average precision along each score: the best of them ranks candidates best."""
    result: dict[ScoreName, float] = {}
    for name in SCORES:
        events = events_of(found, name, classes=())
        ones = np.ones((1, len(events.patients)))
        result[name] = float(_average_precision(events, ones)[0])
    return result


def best_score(precisions: dict[ScoreName, float]) -> ScoreName:
    """Return the score with the highest average precision; of equal ones the first."""
    known = {name: value for name, value in precisions.items() if not math.isnan(value)}
    return max(known, key=lambda name: known[name]) if known else SCORES[0]


def curve_figures(events: Events, asked: Sequence[float], n_levels: int, weights: Floats) -> Floats:
    """Return the figures of a curve, by weights of patients.

    Parameters
    ----------
    asked
        False positives per case; sensitivity of classes is computed at the first ``n_levels``.
    weights
        (resamples, patients).

    Returns
    -------
    numpy.ndarray
        (resamples, figures): sensitivity at each of ``asked``, average precision, and sensitivity
        of each class at each level, class by class; NaN without a lesion.
    """
    kept = scores_kept(events, asked, weights)
    columns = [_sensitivities(events, None, kept, weights)]
    columns.append(_average_precision(events, weights)[:, None])
    columns += [
        _sensitivities(events, number, kept[:, :n_levels], weights)
        for number in range(len(events.classes))
    ]
    return np.concatenate(columns, axis=1)


def scores_kept(events: Events, levels: Sequence[float], weights: Floats) -> NDArray[np.int64]:
    """Return how many first scores have no more false positives per case; (resamples, levels)."""
    steps = events.false_positives
    sums = steps.cumulated(weights)[:, steps.until]
    # Matches may change so that false positives become fewer: what was exceeded stays so.
    highest = np.maximum.accumulate(sums, axis=1)
    # False positives are whole numbers: 0.29 per case of 100 cases are 29, and not 28.999….
    limits = np.outer(weights @ events.cases_of_patient, levels) * (1 + _ROUNDING)
    rows = zip(highest, limits, strict=True)
    kept = [np.searchsorted(row, limit, side="right") for row, limit in rows]
    return np.stack(kept).astype(np.int64)


def _sensitivities(
    events: Events, number: int | None, kept: NDArray[np.int64], weights: Floats
) -> Floats:
    own = events.all_lesions if number is None else events.classes[number]
    until = np.concatenate([[0], own.found.until])
    sums = own.found.cumulated(weights)
    lesions = (weights @ own.per_patient)[:, None]
    return ratio(np.take_along_axis(sums, until[kept], axis=1), lesions)


def _average_precision(events: Events, weights: Floats) -> Floats:
    found, false = events.all_lesions.found, events.false_positives
    tp = found.cumulated(weights)[:, found.until]
    fp = false.cumulated(weights)[:, false.until]
    total = tp + fp
    precision = np.divide(tp, total, out=np.zeros_like(tp), where=total > 0)
    gained = np.diff(tp, axis=1, prepend=0.0)
    area = np.einsum("ij,ij->i", precision, gained)
    return ratio(area, weights @ events.all_lesions.per_patient)


def _level(
    level: float, kept: int, points: Sequence[CurvePoint], interval: Interval
) -> LevelFigure:
    last = points[kept - 1] if kept else None
    return LevelFigure(
        level,
        last.threshold if last else math.inf,
        kept < len(points),
        last.tp if last else 0,
        last.fp if last else 0,
        interval,
    )


def _classes(
    events: Events,
    levels: Sequence[float],
    kept: NDArray[np.int64],
    figures: Sequence[Interval],
) -> list[ClassFigure]:
    made = []
    ones = np.ones((1, len(events.patients)))
    rest = iter(figures)
    for size, own in zip(CLASSES, events.classes, strict=True):
        sums = own.found.cumulated(ones)[0][np.concatenate([[0], own.found.until])]
        n_patients = int((own.per_patient > 0).sum())
        for level, n in zip(levels, kept.tolist(), strict=True):
            found = round(float(sums[n]))
            n_lesions = int(own.per_patient.sum())
            made.append(ClassFigure(size, level, n_lesions, n_patients, found, next(rest)))
    return made
