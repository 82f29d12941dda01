"""The card of a model's folds together: thresholds that its predictions may use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cta_data.errors import DataRefused
from cta_data.scoring.probabilities.candidates import ScoreName
from cta_data.study.layout import MODELS
from cta_data.study.study import Study
from cta_data.study.tables import ModelFoldRow
from cta_data.validation import StrictModel, read_json_model


class OperatingPoint(StrictModel):
    """A threshold, and what was found with it on the validation cases.

    Attributes
    ----------
    threshold
        Of the score of candidates; None where even the best candidate is one false positive too
        many.
    is_reached
        Whether more false positives per case were to be had.
    """

    false_positives_per_case: float
    threshold: float | None
    is_reached: bool
    sensitivity: float | None
    low: float | None
    high: float | None
    found: int
    false_positives: int


class FittedTemperature(StrictModel):
    """A temperature, and the expected calibration error of voxels without and with it."""

    temperature: float
    error_before: float
    error_after: float


class EnsembleCard(StrictModel):
    """What the validation cases of all folds tell of a model.

    Attributes
    ----------
    checkpoints
        Content keys of the weights, by fold.
    average_precision
        Along each score of candidates; the best one is `score`, unless it was asked for.
    """

    model: str
    checkpoints: dict[str, str]
    convention: str
    candidates_from: float
    score: ScoreName
    average_precision: dict[ScoreName, float | None]
    cases: int
    patients: int
    lesions: int
    candidates: int
    points: list[OperatingPoint]
    temperature: FittedTemperature | None = None

    def text(self) -> str:
        """Return the content of the file."""
        return self.model_dump_json(indent=1) + "\n"

    def at(self, level: float) -> OperatingPoint | None:
        """Return the point at a number of false positives per case; None where there is none."""
        return next((one for one in self.points if one.false_positives_per_case == level), None)


def read_ensemble_card(path: Path) -> EnsembleCard | None:
    """Read a card; None where there is none.

    Raises
    ------
    DataRefused
        It is there and not usable.
    """
    return read_json_model(path, EnsembleCard, reason="ensemble_card_invalid", where=path.name)


def validated_scores(study: Study) -> dict[str, ScoreName]:
    """Return the score of candidates that was chosen on validation folds, by model.

    Cards of other weights than those that are there now are not used.

    Raises
    ------
    DataRefused
        A card is not usable.
    """
    now: dict[str, dict[str, str]] = {}
    for row in study.tables.rows(ModelFoldRow):
        now.setdefault(row.model, {})[str(row.fold)] = row.annex_key
    cards = (
        read_ensemble_card(path)
        for path in sorted((study.root / MODELS).glob("*/*/crossval_results_folds_*/card.json"))
    )
    return {
        card.model: card.score
        for card in cards
        if card is not None and card.checkpoints == now.get(card.model)
    }


def operating_options(
    card: EnsembleCard | None,
    checkpoints: Mapping[str, str] | None,
    model: str,
    level: float | None,
    *,
    calibrated: bool = False,
) -> dict[str, Any]:
    """Return what the network's process has to know of an operating point and a temperature.

    Parameters
    ----------
    checkpoints
        Content keys of the weights that predict, by fold; None where they are not known.
    level
        False positives per case; None for the mask as the network has it.
    calibrated
        Whether kept probability maps are scaled by the temperature.

    Raises
    ------
    DataRefused
        There is no card, it is of other weights, or does not have what is asked for.
    """
    if level is None and not calibrated:
        return {}
    if card is None:
        raise DataRefused("operating_points_missing", where=model)
    if checkpoints is not None and dict(checkpoints) != card.checkpoints:
        raise DataRefused("operating_points_of_other_weights", where=model)
    options: dict[str, Any] = {}
    if calibrated:
        if card.temperature is None:
            raise DataRefused("temperature_missing", where=model)
        options["temperature"] = card.temperature.temperature
    if level is not None:
        point = card.at(level)
        if point is None or point.threshold is None:
            levels = _levels(card.points) or ("none",)
            raise DataRefused("operating_point_missing", where=model, level=level, levels=levels)
        options["operating_point"] = {
            "false_positives_per_case": level,
            "threshold": point.threshold,
            "score": card.score,
            "candidates_from": card.candidates_from,
            "convention": card.convention,
        }
    return options


def _levels(points: Sequence[OperatingPoint]) -> tuple[str, ...]:
    return tuple(f"{p.false_positives_per_case:g}" for p in points if p.threshold is not None)
