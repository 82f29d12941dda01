"""What a model takes and what it predicts, as its dataset.json says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cta_data.errors import ConfigurationError, DataRefused
from cta_data.files import read_json_object

_NOT_LESION = ("background", "ignore")


@dataclass(frozen=True)
class ModelFacts:
    """Names of the channels in their order, and of the labels that are not background."""

    channels: tuple[str, ...]
    labels: dict[str, int]

    def lesion_values(self, names: Sequence[str] = ()) -> tuple[int, ...]:
        """Return the values of a predicted mask that are lesion.

        Parameters
        ----------
        names
            Of labels; none are needed where the model predicts one alone.

        Raises
        ------
        ConfigurationError
            A name is none of the model's, or it predicts several and none is named: which of
            oedema, necrosis and metastasis counts cannot be guessed from a number.
        """
        known = ", ".join(f"{name!r}" for name in self.labels)
        unknown = [name for name in names if name not in self.labels]
        if unknown:
            raise ConfigurationError("lesion_label_unknown", unknown=unknown[0], known=known)
        if not names and len(self.labels) != 1:
            raise ConfigurationError(
                "lesion_label_ambiguous", n_labels=len(self.labels), known=known
            )
        return tuple(sorted({self.labels[name] for name in names or self.labels}))


def cascade_refused(model: str) -> DataRefused:
    """Return why a model that takes another model's prediction is not used."""
    return DataRefused("cascade_unsupported", where=model)


def require_single_stage(model: Path) -> None:
    """Refuse a model of a cascade before any image is read, as far as its folder's name tells.

    Raises
    ------
    DataRefused
        plans.json says that the configuration of the folder's name has a previous stage.
    """
    try:
        plans = read_json_object(model / "plans.json")
        own = plans["configurations"].get(model.name.split("__")[-1], {})
    except (DataRefused, KeyError, AttributeError):
        return  # told where the model is loaded
    if own.get("previous_stage"):
        raise cascade_refused(model.name)


def read_model_facts(model: Path) -> ModelFacts:
    """Return what the model of a folder takes and predicts.

    Raises
    ------
    DataRefused
        dataset.json is missing or damaged, or the model predicts overlapping regions.
    """
    path = model / "dataset.json"
    try:
        content = read_json_object(path)
        channels = content.get("channel_names") or content["modality"]
        labels = dict(content["labels"])
        ordered = tuple(str(channels[key]) for key in sorted(channels, key=int))
    except DataRefused as error:
        raise DataRefused("model_incomplete", where=path.name, why=error.why) from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataRefused(
            "model_facts_unreadable", where=path.name, error_type=type(error).__name__, error=error
        ) from error
    lesions = {name: value for name, value in labels.items() if name not in _NOT_LESION}
    if not all(isinstance(value, int) for value in lesions.values()):
        raise DataRefused("region_model_unsupported", where=path.name)
    return ModelFacts(ordered, lesions)
