"""What models and predictions depend on: the inputs of the steps that make them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cta_data.engine.inputs import File, Files, files_of, role
from cta_data.versioning.keys import digest


@dataclass(frozen=True)
class TrainingFiles:
    """What a build gives to a training; images and labels by case."""

    dataset_json: File = field(metadata=role("dataset"))
    splits: File
    image: Files[str]
    label: Files[str]

    def key(self, keys: Mapping[str, str]) -> str:
        """Return the key of the training set, from the content keys of its files by path."""
        return digest(sorted((name, keys[path]) for name, path in files_of(self).items()))


@dataclass(frozen=True)
class Planning:
    """What nnU-Net plans by."""

    configuration: str
    planner: str
    patch_size: Any
    features: Any
    batch_size: Any


@dataclass(frozen=True)
class PlanInputs:
    """What the plan of a model depends on.

    `cases` train; `folder` is the model's.
    """

    setting: str
    dataset: str
    folder: str
    cases: tuple[str, ...]
    planning: Planning
    files: TrainingFiles


@dataclass(frozen=True)
class TrainInputs:
    """What a fold depends on.

    `patients` are cohort and subject of each case; `study` tells a study from others.
    """

    plan: PlanInputs
    fold: int
    options: Mapping[str, Any]
    patients: Mapping[str, tuple[str, str]]
    definition: Mapping[str, str]
    study: str
    plans: File


@dataclass(frozen=True)
class CrossValidationInputs:
    """What the judgement of all folds depends on.

    `shared` are files that the folds share, by name; `predicted` and `label` masks, by case.
    """

    folder: str
    dataset: str
    folds: tuple[int, ...]
    shared: Files[str]
    predicted: Files[str]
    label: Files[str]


@dataclass(frozen=True)
class ValidateInputs:
    """What the probability maps of a fold's validation cases depend on."""

    folder: str
    fold: int
    trainer: str
    options: Mapping[str, Any]
    shared: Files[str]
    weights: File
    image: Files[str]


@dataclass(frozen=True)
class CalibrateInputs:
    """What the operating points of a model depend on.

    ``asked`` says how they are chosen; ``checkpoints`` are the content keys of the weights, by
    fold; ``probability`` and ``label`` are maps and masks, by case.
    """

    folder: str
    asked: Mapping[str, Any]
    checkpoints: Mapping[str, str]
    probability: Files[str]
    label: Files[str]


@dataclass(frozen=True)
class PredictInputs:
    """What a prediction depends on.

    `record` is the content of prediction.json but for what comes of it; `fold` are weights by the
    number of the fold, `image` images by case.
    """

    folder: str
    record: Mapping[str, Any]
    shared: Files[str]
    fold: Files[str]
    image: Files[str]
    postprocessing: File
