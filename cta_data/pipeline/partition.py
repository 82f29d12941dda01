"""The paper's partition: equal groups, four to one by patient, five folds; seeded and pure."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, NamedTuple

from cta_data.reasons import Reason
from cta_data.study.annotations import joined


class Patient(NamedTuple):
    """A patient who can be used, and the qualities of the patient's annotations."""

    cohort: str
    subject: str
    qualities: tuple[str, ...]

    @property
    def group(self) -> str:
        """Name of the patients whose annotations have the same qualities."""
        return joined(self.qualities)


@dataclass(frozen=True)
class Assignment:
    """Where a patient belongs; `fold` is the one in which a training patient validates."""

    patient: Patient
    partition: Literal["train", "test", "excluded"]
    fold: int | None = None
    reason: Reason | None = None


@dataclass(frozen=True)
class PartitionOptions:
    """Parameters of the partition."""

    seed: int
    test_fraction: float
    folds: int
    equalise_groups: bool


def partition(patients: Iterable[Patient], options: PartitionOptions) -> list[Assignment]:
    """Assign every patient.

    The number of patients of each quality is cut to the smallest by dropping at random patients who
    have no other quality. Of each group (patients of the same qualities) the test fraction, rounded
    half up, tests; the others train, in folds whose sizes differ by one at most. 81 and 76 patients
    become 76 and 76, each 61 + 15, as in the paper (doi 10.1186/s41747-025-00554-5).

    The order that decides is a hash of the seed and the patient, so that it depends neither on
    the order of the input nor on a random generator, and a patient who joins or leaves moves few.
    """
    groups: dict[str, list[Patient]] = {}
    for patient in sorted(set(patients)):
        groups.setdefault(patient.group, []).append(patient)
    sizes = Counter(quality for group in groups.values() for p in group for quality in p.qualities)
    smallest = min(sizes.values(), default=0)
    assignments: list[Assignment] = []
    for name, group in sorted(groups.items()):
        kept = _shuffled(group, options.seed, "equalise")
        if options.equalise_groups and len(group[0].qualities) == 1:
            surplus = sizes[name] - smallest
            size = max(len(kept) - surplus, 0)
            reason = Reason(
                "dropped_at_random", qualities=" and ".join(sorted(sizes)), n_patients=smallest
            )
            assignments += [Assignment(p, "excluded", None, reason) for p in kept[size:]]
            kept = kept[:size]
        assignments += _split(kept, options, name)
    return sorted(assignments, key=lambda a: a.patient)


def _split(group: list[Patient], options: PartitionOptions, name: str) -> list[Assignment]:
    ordered = _shuffled(group, options.seed, f"test {name}")
    n_test = int(len(ordered) * options.test_fraction + 0.5)
    tests = [Assignment(patient, "test") for patient in ordered[:n_test]]
    training = _shuffled(ordered[n_test:], options.seed, f"folds {name}")
    folds = _folds(training, options, name)
    return tests + [Assignment(p, "train", f) for p, f in zip(training, folds, strict=True)]


def _folds(training: list[Patient], options: PartitionOptions, name: str) -> list[int]:
    """Give each patient the fold that it ranks highest among those that are not full.

    Dealing the patients out in turn would move all those behind one who joins.
    """
    room = [len(training) // options.folds] * options.folds
    chosen = []
    for patient in training:
        ranked = sorted(
            range(options.folds), key=lambda f: _rank(patient, options.seed, f"fold {f} {name}")
        )
        free = [fold for fold in ranked if room[fold] > 0]
        # What remains when all are full is less than one a fold.
        fold = free[0] if free else next(fold for fold in ranked if room[fold] == 0)
        room[fold] -= 1
        chosen.append(fold)
    return chosen


def _shuffled(patients: list[Patient], seed: int, purpose: str) -> list[Patient]:
    return sorted(patients, key=lambda patient: _rank(patient, seed, purpose))


def _rank(patient: Patient, seed: int, purpose: str) -> str:
    text = f"{seed}|{purpose}|{patient.cohort}|{patient.subject}"
    return hashlib.sha256(text.encode()).hexdigest()
