"""The scores of one model on one test set."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import pandas as pd

from cta_data.processes import open_workers
from cta_data.scoring import Convention
from cta_data.scoring.collection import Scores, score_pairs
from cta_data.scoring.models.predictions import Patient, PredictedSet, Predictions
from cta_data.scoring.output import case_frame, lesion_frame


@dataclass(frozen=True)
class CaseAccounting:
    """Where every case of a model and test set went, in numbers of cases.

    `references` = `scored` + `failed` + `refused` + `left_out` + `without_prediction`; a
    prediction without a reference comes on top.
    """

    test_set: str
    model: str
    technique: str
    references: int
    scored: int
    failed: int
    refused: int
    left_out: int
    without_prediction: int
    without_reference: int

    def columns(self) -> dict[str, str | int]:
        """Return the numbers by name, with the technique where it is known."""
        return {name: value for name, value in vars(self).items() if value != ""}


@dataclass(frozen=True)
class ScoredSet:
    """One model on one test set; see `PredictedSet` for what its attributes mean."""

    test_set: str
    model: str
    scores: Scores
    technique: str = ""
    as_published: bool = True
    patients: Mapping[str, Patient] = field(default_factory=dict)

    @classmethod
    def of(cls, predicted: PredictedSet, scores: Scores) -> ScoredSet:
        """Return what was predicted with its scores.

        By the rules of a challenge no score means what the paper printed.
        """
        as_published = predicted.as_published and scores.convention.challenge is None
        return cls(
            predicted.test_set,
            predicted.model,
            scores,
            predicted.technique,
            as_published,
            predicted.patients,
        )

    @property
    def name(self) -> str:
        """Name for people."""
        return f"model {self.model} on {self.test_set}"

    def patient_of(self, case: str) -> str:
        """Return whose a case is: cohort and subject, or the case where nothing tells."""
        known = self.patients.get(case)
        return "/".join(known[:2]) if known else case

    @property
    def reference_cases(self) -> set[str]:
        """Cases of the test set, scored or not."""
        pairing = self.scores.pairing
        scored = {case.case for case in self.scores.cases}
        refused = {case for case, _ in (*pairing.refused, *pairing.left_out)}
        return scored | set(pairing.files) | set(pairing.without_prediction) | refused

    @property
    def accounting(self) -> CaseAccounting:
        """Where every case went."""
        pairing = self.scores.pairing
        return CaseAccounting(
            test_set=self.test_set,
            model=self.model,
            technique=self.technique,
            references=len(self.reference_cases),
            scored=len(self.scores.cases),
            failed=len(self.scores.failed) - len(pairing.refused),
            refused=len(pairing.refused),
            left_out=len(pairing.left_out),
            without_prediction=len(pairing.without_prediction),
            without_reference=len(pairing.without_reference),
        )

    @property
    def n_missing(self) -> int:
        """Cases that were not scored."""
        pairing = self.scores.pairing
        alone = (*pairing.without_prediction, *pairing.without_reference)
        return len(self.scores.failed) + len(alone)

    @property
    def missing(self) -> list[str]:
        """What is not scored, a line for each reason."""
        pairing, name = self.scores.pairing, self.name
        by_reason: dict[str, list[str]] = {}
        for case, reason in self.scores.failed:
            by_reason.setdefault(reason, []).append(case)
        told = [f"{name}: {', '.join(cases)}: {reason}" for reason, cases in by_reason.items()]
        told += [f"{name}: {c}: there is no prediction" for c in pairing.without_prediction]
        return told + [f"{name}: {c}: there is no reference" for c in pairing.without_reference]


ABOUT = ("test_set", "model", "technique", "cohort", "subject", "session")
"""Columns that come before those of the scores."""


def score_sets(
    predictions: Predictions,
    convention: Convention,
    *,
    jobs: int = 1,
    note: Callable[[str], None] = lambda text: None,
) -> list[ScoredSet]:
    """Score all predictions, set by set, surface distances included.

    Parameters
    ----------
    note
        Takes a line of progress.
    """
    sets: list[ScoredSet] = []
    with open_workers(jobs) as workers:
        for one in predictions.sets:
            scores = score_pairs(one.pairing, convention, surfaces=True, workers=workers)
            sets.append(ScoredSet.of(one, scores))
            note(f"scored: {one.name}: {len(sets[-1].scores.cases)} cases")
    return sets


def all_cases(sets: list[ScoredSet]) -> pd.DataFrame:
    """Return one row a case of every set, with its test set, model, technique and patient."""
    return _joined(sets, case_frame)


def all_lesions(sets: list[ScoredSet]) -> pd.DataFrame:
    """Return one row a lesion of the reference and one a false positive, of every set."""
    return _joined(
        sets, lambda scores: lesion_frame(scores).assign(convention=scores.convention.name)
    )


def _joined(sets: list[ScoredSet], frame: Callable[[Scores], pd.DataFrame]) -> pd.DataFrame:
    parts = []
    for one in sets:
        part = frame(one.scores)
        nobody = (None, None, None)
        whose = [one.patients.get(case, nobody) for case in part["case"]]
        about = [(one.test_set, one.model, one.technique or None, *who) for who in whose]
        columns = pd.DataFrame(about, index=part.index, columns=list(ABOUT), dtype="str")
        part = pd.concat([columns, part], axis=1)
        parts.append(part)
    return pd.concat(parts, ignore_index=True)
