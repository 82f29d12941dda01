"""Masks of one model on one test set, and the references that they are held against."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from cta_data.errors import ConfigurationError
from cta_data.scoring.collection import Pairing, pair_files
from cta_data.scoring.mask_files import mask_ending

Patient = tuple[str, str, str]
"""Cohort, subject and session of a case."""


@dataclass(frozen=True)
class PredictedSet:
    """One model's masks of one test set, ready to be scored.

    Attributes
    ----------
    technique
        Of the images that the model read, and of the grid that the masks are on; empty where
        nothing tells.
    as_published
        Whether model and test set mean what the paper means by these names.
    patients
        Whose each case is, where that is known.
    """

    test_set: str
    model: str
    pairing: Pairing
    technique: str = ""
    as_published: bool = True
    patients: Mapping[str, Patient] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Name for people."""
        return f"model {self.model} on {self.test_set}"


@dataclass(frozen=True)
class EarlierSet:
    """The cases of a set whose annotation was revised, held against it as it was before.

    Attributes
    ----------
    annotations
        Names of the annotation before and now, by case.
    """

    predicted: PredictedSet
    annotations: Mapping[str, tuple[str, str]]


@dataclass(frozen=True)
class Earlier:
    """What predictions were worth before annotations were revised.

    Attributes
    ----------
    version
        Of the annotations that count as before.
    sets
        One for each set of which a case was revised.
    not_there
        Cases whose earlier annotation is not to be had, a line each.
    """

    version: int
    sets: tuple[EarlierSet, ...]
    not_there: tuple[str, ...] = ()


@dataclass(frozen=True)
class Predictions:
    """Everything that there is to score.

    Attributes
    ----------
    sets
        By test set and model.
    unscored
        What cannot be scored at all, a line each: a failure.
    not_predicted
        Test sets that a model has no predictions for, a line each: no failure.
    notes
        What has to be known of the predictions to read their scores, a line each.
    earlier
        The same masks against an earlier version of the annotations, where that was asked for.
    """

    sets: tuple[PredictedSet, ...]
    unscored: tuple[str, ...] = ()
    not_predicted: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    earlier: Earlier | None = None


def predictions_in_folders(references: Path, predictions: Path) -> Predictions:
    """Find masks in folders that no study knows.

    Parameters
    ----------
    references
        `<test set>/<case>.nii.gz`.
    predictions
        `<model>/<test set>/<case>.nii.gz`.

    Raises
    ------
    ConfigurationError
        One of the folders is not there.
    """
    for folder in (references, predictions):
        if not folder.is_dir():
            raise ConfigurationError("score_folder_not_found", where=folder)
    sets: list[PredictedSet] = []
    unscored = misplaced(predictions)
    for model in subfolders(predictions):
        for test_set in subfolders(model):
            own = references / test_set.name
            if own.is_dir():
                # A study's own predictions stand beside the paper only where the study checks them.
                checked_elsewhere = (test_set / "prediction.json").exists()
                pairing = pair_files(own, test_set)
                one = PredictedSet(test_set.name, model.name, pairing)
                sets.append(replace(one, as_published=not checked_elsewhere))
            else:
                name = f"model {model.name} on {test_set.name}"
                unscored.append(f"{name}: there is no reference folder {own}")
    ordered = tuple(sorted(sets, key=lambda one: (one.test_set, one.model)))
    return Predictions(ordered, tuple(unscored), tuple(_not_predicted(references, predictions)))


def subfolders(path: Path) -> list[Path]:
    """Return the folders in a folder by name, without hidden ones."""
    return [one for one in sorted(path.iterdir()) if one.is_dir() and not one.name.startswith(".")]


def _not_predicted(references: Path, predictions: Path) -> list[str]:
    models = [one.name for one in subfolders(predictions)]
    told = []
    for test_set in (one.name for one in subfolders(references)):
        without = [m for m in models if not (predictions / m / test_set).is_dir()]
        if models and without == models:
            told.append(f"{test_set}: no model has predictions")
        else:
            told += [f"{test_set}: model {model} has no predictions" for model in without]
    return told


def misplaced(predictions: Path) -> list[str]:
    """Return masks that lie where no test set is named, a line each."""
    return [
        f"{path.relative_to(predictions)}: the mask lies in no folder <model>/<test set>"
        for folder in (predictions, *subfolders(predictions))
        for path in sorted(folder.iterdir())
        if mask_ending(path.name) and not path.name.startswith(".")
    ]
