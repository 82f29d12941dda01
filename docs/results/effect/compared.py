"""What `judge.py` compares: the models of a setting as one reference judges them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from cta_data.scoring.probabilities.candidates import ScoreName
from cta_data.scoring.probabilities.collection import CandidateSet
from cta_data.scoring.probabilities.curve import DRAWN, LEVELS, curve_figures
from cta_data.scoring.probabilities.events import CLASSES, Events, SizeClass, events_of
from cta_data.scoring.statistics import Interval
from cta_data.scoring.statistics.clusters import OfWeights, weighted_intervals

SMALL = SizeClass("volume_mm3", 0.0, 100.0)
BINS = (SMALL, *(one for one in CLASSES if one.measure == "volume_mm3"))
BASELINE = "A"
DOSE = "D"
"""Begins the codes of readers who overlook a known share of small lesions; see make_trial.py."""
N = len(LEVELS)


@dataclass(frozen=True)
class Models:
    """The models of a setting as one reference judges them, one of each seed."""

    setting: str
    reference: str
    found: Mapping[int, CandidateSet]
    scores: Mapping[int, ScoreName]
    classes: Sequence[SizeClass] = BINS

    @cached_property
    def events(self) -> dict[int, Events]:
        """Detections and false positives of each seed, along its model's score."""
        return {
            seed: events_of(one, self.scores[seed], classes=self.classes)
            for seed, one in self.found.items()
        }

    def figures(
        self,
        weights: np.ndarray,
        asked: Sequence[float] = LEVELS,
        seeds: Collection[int] | None = None,
    ) -> np.ndarray:
        """Return the figures of `curve_figures` as the mean of some seeds, or of all."""
        chosen = [one for own, one in self.events.items() if seeds is None or own in seeds]
        levels = min(N, len(asked))
        return np.mean([curve_figures(one, asked, levels, weights) for one in chosen], axis=0)

    @property
    def n_patients(self) -> int:
        """Number of patients, who are the same for every seed."""
        (n,) = {len(one.patients) for one in self.events.values()}
        return n


def intervals(figures: OfWeights, n: int) -> Sequence[Interval]:
    """Bootstrap figures by drawing patients, as the command `froc` does."""
    return weighted_intervals(
        figures, n, confidence=DRAWN.confidence, resamples=DRAWN.resamples, seed=DRAWN.seed
    )


def in_words(size: SizeClass) -> str:
    """Name a class of volumes (mm³)."""
    return (
        f"{size.low:g} to {size.high:g} mm³" if np.isfinite(size.high) else f"{size.low:g} mm³ on"
    )


def annotation_of(setting: str) -> str:
    """Return the name of the annotation that a setting trains on."""
    return {"A": "NAQ", "B": "HAQ"}.get(setting, f"{DOSE}{setting[1:]}")


def one_difference(
    shared: Mapping[str, str], baseline: Models, own: Models, seeds: Collection[int]
) -> Iterator[dict[str, object]]:
    """The difference of two settings, for all lesions and for small ones."""

    def both(weights: np.ndarray) -> np.ndarray:
        one, other = (side.figures(weights, seeds=seeds) for side in (baseline, own))
        return np.concatenate([one, other, other - one], axis=1)

    made = intervals(both, own.n_patients)
    width = len(made) // 3
    for name, first in (("all", 0), (in_words(SMALL), N + 1)):
        for i, level in enumerate(LEVELS):
            one, other, difference = (made[part * width + first + i] for part in range(3))
            sides = {"second": one.estimate, "first": other.estimate}
            at = {"false_positives": level, "lesions": name}
            yield {**shared, **at, **sides, **told(difference)}


def told(interval: Interval) -> dict[str, float]:
    """Return an estimate with its interval as columns."""
    return {"estimate": interval.estimate, "low": interval.low, "high": interval.high}
