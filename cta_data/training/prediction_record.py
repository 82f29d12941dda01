"""prediction.json: what the masks of one model on one test set were made of."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cta_data.study.layout import PREDICTION_RECORD
from cta_data.training.nnunet.plans import TRAINER
from cta_data.validation import StrictModel, read_json_model

NAME = PREDICTION_RECORD


class UsedFold(StrictModel):
    """One fold that was averaged: its weights, the build it learnt from, how long it learnt."""

    checkpoint_key: str
    training_set_key: str
    epochs: int


class UsedImage(StrictModel):
    """The image of one case: its path from the top of the study, and its content."""

    path: str
    key: str


class PredictionRecord(StrictModel):
    """What `predict` writes beside the masks, and `evaluate` holds them against.

    Attributes
    ----------
    model, setting, configuration, planner, trainer
        Name of the model, and what it is.
    technique, quality
        Of the setting: which images it reads, and which annotations it learnt.
    folds
        By number, as text.
    chosen_folds
        Whether these folds were asked for by number, so that others do not belong to them.
    unequal_folds
        Whether folds that were trained differently were averaged on request.
    images, masks, probabilities, refused
        By case: what was read, the content keys of the mask and of the probability map, where that
        is kept, and why a case was not predicted though it is in the test set.
    """

    model: str
    setting: str
    configuration: str
    planner: str
    trainer: str = TRAINER
    technique: str
    quality: str
    test_set: str
    folds: dict[str, UsedFold]
    chosen_folds: bool = False
    unequal_folds: bool = False
    images: dict[str, UsedImage]
    masks: dict[str, str] = {}
    probabilities: dict[str, str] = {}
    refused: dict[str, str] = {}
    postprocessing: bool = False
    options: dict[str, Any] = {}

    def text(self) -> str:
        """Return the content of the file."""
        return self.model_dump_json(indent=1) + "\n"


def read_record(folder: Path) -> PredictionRecord | None:
    """Read the record of a folder of masks; None where there is none.

    Raises
    ------
    DataRefused
        It is there and not usable.
    """
    path = folder / NAME
    return read_json_model(path, PredictionRecord, reason="prediction_record_invalid", where=NAME)
