"""The steps of all candidates of a set as arrays, and what drawing patients anew makes of them.

A FROC is cumulative sums of steps in the order of falling scores. A resample of patients gives
every step the number of times that its patient was drawn; so a curve of any resample is one
cumulative sum, exact at every score.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from cta_data.scoring.probabilities.candidates import FALSE_POSITIVE, ScoreName
from cta_data.scoring.probabilities.collection import CandidateSet
from cta_data.scoring.size_classes import sizes_within

Floats = NDArray[np.float64]
Whole = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Steps:
    """Steps of one type, by falling score.

    Attributes
    ----------
    patient
        Number of the patient of each.
    change
        How many more there are.
    until
        For each score (see `Events.scores`), how many steps there are at or above it.
    """

    patient: Whole
    change: Floats
    until: Whole

    def cumulated(self, weights: Floats) -> Floats:
        """Return the sums (resamples, steps + 1) from none to all steps, by weights of patients."""
        sums = np.zeros((len(weights), len(self.change) + 1))
        np.cumsum(weights[:, self.patient] * self.change, axis=1, out=sums[:, 1:])
        return sums


@dataclass(frozen=True, eq=False)
class LesionClass:
    """Reference lesions of one class: their numbers by patient, and the steps that find them."""

    per_patient: Floats
    found: Steps


@dataclass(frozen=True, eq=False)
class Events:
    """All steps of a set along one score.

    Attributes
    ----------
    patients
        In the order of their names.
    cases_of_patient
        Number of cases of each.
    scores
        All different scores of candidates at which something changes, falling.
    false_positives
        Their steps.
    all_lesions, classes
        Steps of lesions found: of all, and of each class of size.
    """

    patients: tuple[str, ...]
    cases_of_patient: Floats
    scores: Floats
    false_positives: Steps
    all_lesions: LesionClass
    classes: tuple[LesionClass, ...]

    @cached_property
    def counts(self) -> tuple[Floats, Floats]:
        """Lesions found and false positives at each score; before the first there is none."""
        ones = np.ones((1, len(self.patients)))
        found, false = self.all_lesions.found, self.false_positives
        return found.cumulated(ones)[0][found.until], false.cumulated(ones)[0][false.until]

    @cached_property
    def along_false_positives(self) -> Floats:
        """False positives at each score, as a scale that two models have in common."""
        return np.maximum.accumulate(self.counts[1])


@dataclass(frozen=True)
class SizeClass:
    """A class of lesions: by volume (mm³) or largest diameter (mm); the upper end is not in it."""

    measure: str
    low: float
    high: float


DIAMETERS_MM = (0.0, 3.0, 6.0, 10.0, float("inf"))
VOLUMES_MM3 = (0.0, 50.0, 100.0, 250.0, 500.0, 1000.0, float("inf"))
"""As the classes of volume of `evaluate`."""
CLASSES = tuple(
    SizeClass(measure, low, high)
    for measure, edges in (("diameter_mm", DIAMETERS_MM), ("volume_mm3", VOLUMES_MM3))
    for low, high in pairwise(edges)
)


def events_of(
    found: CandidateSet,
    score: ScoreName,
    classes: Sequence[SizeClass] = CLASSES,
) -> Events:
    """Return the steps of a set along a score."""
    names = tuple(sorted({found.patient(one.candidates.case) for one in found.cases}))
    number = {name: i for i, name in enumerate(names)}
    cases = [one.candidates for one in found.cases]
    of_case = [number[found.patient(case.case)] for case in cases]
    rows = [
        (step.score, patient, i, step.lesion, step.change)
        for i, (case, patient) in enumerate(zip(cases, of_case, strict=True))
        for step in case.steps[score]
    ]
    table = np.array(sorted(rows, key=lambda row: -row[0]), np.float64).reshape(-1, 5)
    scores = -np.unique(-table[:, 0])
    is_false = table[:, 3] == FALSE_POSITIVE
    sizes = {
        (i, lesion.lesion): (lesion.diameter_mm, lesion.volume_mm3, patient)
        for i, (case, patient) in enumerate(zip(cases, of_case, strict=True))
        for lesion in case.lesions
    }
    about = np.array(list(sizes.values()), np.float64).reshape(-1, 3)
    step_sizes = [sizes.get((int(row[2]), int(row[3])), (np.nan,) * 3)[:2] for row in table]
    of_step = np.array(step_sizes, np.float64).reshape(-1, 2)

    def lesions(chosen: SizeClass | None) -> LesionClass:
        inside, of_lesion = ~is_false, np.ones(len(about), bool)
        if chosen:
            column = 0 if chosen.measure == "diameter_mm" else 1
            inside = inside & sizes_within(of_step[:, column], chosen.low, chosen.high)
            of_lesion = sizes_within(about[:, column], chosen.low, chosen.high)
        owners = about[of_lesion, 2].astype(np.int64)
        n_lesions = np.bincount(owners, minlength=len(names)).astype(np.float64)
        return LesionClass(n_lesions, _steps(table[inside], scores))

    return Events(
        names,
        np.bincount(of_case, minlength=len(names)).astype(np.float64),
        scores,
        _steps(table[is_false], scores),
        lesions(None),
        tuple(lesions(one) for one in classes),
    )


def _steps(table: Floats, scores: Floats) -> Steps:
    until = np.searchsorted(-table[:, 0], -scores, side="right")
    return Steps(table[:, 1].astype(np.int64), table[:, 4], until.astype(np.int64))


def joined_events(a: Events, b: Events) -> Events:
    """Return the steps of two models on the same patients along their false positives.

    The scores of two models mean different things; the number of false positives at a score does
    not. With a weight of 1 for the first or the second half of the patients, the sensitivities at
    numbers of false positives are those of one model or the other.

    Returns
    -------
    Events
        Patients of the first model and then, again, of the second.
    """
    keys = np.unique(np.concatenate([a.along_false_positives, b.along_false_positives]))
    lesions = (a.all_lesions, b.all_lesions)

    def joined(first: Steps, second: Steps) -> Steps:
        parts = [
            own.along_false_positives[np.searchsorted(steps.until, np.arange(n), side="right")]
            for own, steps in ((a, first), (b, second))
            for n in [len(steps.change)]
        ]
        key = np.concatenate(parts)
        order = np.argsort(key, kind="stable")
        patient = np.concatenate([first.patient, second.patient + len(a.patients)])[order]
        change = np.concatenate([first.change, second.change])[order]
        until = np.searchsorted(key[order], keys, side="right")
        return Steps(patient, change, until.astype(np.int64))

    return Events(
        a.patients + b.patients,
        np.concatenate([a.cases_of_patient, b.cases_of_patient]),
        -keys,
        joined(a.false_positives, b.false_positives),
        LesionClass(
            np.concatenate([one.per_patient for one in lesions]),
            joined(lesions[0].found, lesions[1].found),
        ),
        (),
    )
