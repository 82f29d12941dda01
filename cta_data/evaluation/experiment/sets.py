"""The scores of one model on one test set, from folders of masks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from cta_data.errors import ConfigurationError
from cta_data.evaluation.scoring import Convention
from cta_data.evaluation.scoring.collection import Scores, pair_files, score_pairs
from cta_data.evaluation.scoring.mask_files import ENDINGS
from cta_data.evaluation.scoring.output import case_frame, lesion_frame
from cta_data.evaluation.scoring.workers import open_workers


@dataclass(frozen=True)
class ScoredSet:
    """One model on one test set."""

    test_set: str
    model: str
    scores: Scores

    @property
    def name(self) -> str:
        """Name for people."""
        return f"model {self.model} on {self.test_set}"

    @property
    def reference_cases(self) -> set[str]:
        """Cases that have a reference, scored or not."""
        pairing = self.scores.pairing
        scored = {case.case for case in self.scores.cases}
        return scored | set(pairing.files) | set(pairing.without_prediction)

    @property
    def accounting(self) -> dict[str, str | int]:
        """Where every case went.

        `references` = `scored` + `failed` + `without_prediction`; a prediction without a reference
        comes on top.
        """
        pairing = self.scores.pairing
        return {
            "test_set": self.test_set,
            "model": self.model,
            "references": len(self.reference_cases),
            "scored": len(self.scores.cases),
            "failed": len(self.scores.failed),
            "without_prediction": len(pairing.without_prediction),
            "without_reference": len(pairing.without_reference),
        }

    @property
    def missing(self) -> list[str]:
        """What is not scored, a line each."""
        pairing, name = self.scores.pairing, self.name
        told = [f"{name}: {case}: {reason}" for case, reason in self.scores.failed]
        told += [f"{name}: {c}: there is no prediction" for c in pairing.without_prediction]
        return told + [f"{name}: {c}: there is no reference" for c in pairing.without_reference]


def read_sets(
    references: Path,
    predictions: Path,
    convention: Convention,
    *,
    jobs: int = 1,
    note: Callable[[str], None] = lambda text: None,
) -> tuple[list[ScoredSet], list[str]]:
    """Score every prediction.

    Parameters
    ----------
    references
        `<test set>/<case>.nii.gz`.
    predictions
        `<model>/<test set>/<case>.nii.gz`.
    note
        Takes a line of progress.

    Returns
    -------
    tuple
        The scored sets, by test set and model; and what could not be scored at all, a line each.

    Raises
    ------
    ConfigurationError
        One of the folders is not there.
    """
    for folder in (references, predictions):
        if not folder.is_dir():
            raise ConfigurationError(
                "there is no such folder",
                where=str(folder),
                next_step="References lie in <test set>/, predictions in <model>/<test set>/",
            )
    sets: list[ScoredSet] = []
    unscored = _misplaced(predictions)
    folders = [(m, t) for m in _folders(predictions) for t in _folders(m)]
    with open_workers(jobs) as workers:
        for model, test_set in folders:
            own = references / test_set.name
            if not own.is_dir():
                told = f"model {model.name} on {test_set.name}: there is no reference folder {own}"
                unscored.append(told)
                continue
            scores = score_pairs(pair_files(own, test_set), convention, workers=workers)
            sets.append(ScoredSet(test_set.name, model.name, scores))
            note(f"scored: {sets[-1].name}: {len(scores.cases)} cases")
    return sorted(sets, key=lambda one: (one.test_set, one.model)), unscored


def not_predicted(references: Path, predictions: Path) -> list[str]:
    """Return test sets that a model has no folder for, a line each.

    These are told and are no failure: in the paper, model C is not run on the external test sets.
    """
    models = [one.name for one in _folders(predictions)]
    told = []
    for test_set in (one.name for one in _folders(references)):
        without = [m for m in models if not (predictions / m / test_set).is_dir()]
        if models and without == models:
            told.append(f"{test_set}: no model has predictions")
        else:
            told += [f"{test_set}: model {model} has no predictions" for model in without]
    return told


def _misplaced(predictions: Path) -> list[str]:
    """Return masks that lie where no test set is named, a line each."""
    return [
        f"{path.relative_to(predictions)}: the mask lies in no folder <model>/<test set>"
        for folder in (predictions, *_folders(predictions))
        for path in sorted(folder.iterdir())
        if path.name.endswith(ENDINGS) and not path.name.startswith(".")
    ]


def all_cases(sets: list[ScoredSet]) -> pd.DataFrame:
    """Return one row a case of every set, with its test set and model."""
    return _joined(sets, case_frame)


def all_lesions(sets: list[ScoredSet]) -> pd.DataFrame:
    """Return one row a matched pair, missed or false lesion of every set."""
    return _joined(
        sets, lambda scores: lesion_frame(scores).assign(convention=scores.convention.name)
    )


def _joined(sets: list[ScoredSet], frame: Callable[[Scores], pd.DataFrame]) -> pd.DataFrame:
    parts = []
    for one in sets:
        part = frame(one.scores)
        part.insert(0, "model", one.model)
        part.insert(0, "test_set", one.test_set)
        parts.append(part)
    return pd.concat(parts, ignore_index=True)


def _folders(path: Path) -> list[Path]:
    return [one for one in sorted(path.iterdir()) if one.is_dir() and not one.name.startswith(".")]
