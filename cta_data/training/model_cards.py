"""The models that a study holds: their cards, models of others that join, and own as archives."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cta_data.destinations import require_file_place
from cta_data.errors import ConfigurationError
from cta_data.files import read_json_object
from cta_data.study.configuration import TrainingSection
from cta_data.study.layout import MODELS
from cta_data.study.lock import study_lock
from cta_data.study.study import Study
from cta_data.study.withdrawals import MARK
from cta_data.training.build_files import build_key
from cta_data.training.models import ANNEXED_MODELS, Model, ensure_dataset, model_of
from cta_data.training.nnunet.archive import Archived, export_model, import_model
from cta_data.training.nnunet.environment import require_training_packages
from cta_data.training.nnunet.plans import TRAINER
from cta_data.training.trained_models import fold_rows
from cta_data.versioning.datasets import fetch, require_identity, save


def read_cards(study: Study) -> list[dict[str, Any]]:
    """Return one row a trained fold: what its card tells at a glance."""
    study.require(MODELS)
    rows = []
    for path in sorted((study.root / MODELS).glob("*/*/fold_*/card.json")):
        card = read_json_object(path)
        rows.append(
            {
                "model": card["model"],
                "fold": card["fold"],
                "configuration": card["parameters"]["configuration"],
                "planner": card["parameters"]["planner"],
                "epochs": card["epochs"],
                "cases": len([role for role in card["data"] if role.startswith("image:")]),
                "validation_voxel_dice": card["validation_voxel_dice"],
                "hours": round(card["seconds"] / 3600, 3),
                "device": card["hardware"].get("gpu") or card["hardware"]["device"],
                "resumed": len(card["resumed_after_epochs"]),
                "build": _build_of(study, card),
                "withdrawn": len(card.get(MARK, ())),
            }
        )
    return rows


def _build_of(study: Study, card: dict[str, Any]) -> str:
    """Return whether a fold was trained on the build that is there now."""
    settings = study.configuration.build.settings
    if "training_set_key" not in card or card["model"] not in settings:
        return "not known"
    about = card["parameters"]
    plan = (about["configuration"], about["planner"], about["options"].get("trainer", TRAINER))
    model = Model.of(card["model"], settings[card["model"]], *plan)
    return "present" if card["training_set_key"] == build_key(study, model) else "earlier"


def take_model(study: Study, archive: Path) -> Archived:
    """Take a model from an archive into the study and commit it.

    Raises
    ------
    DataRefused
        The archive is not safe, not whole, or holds a model that is there already.
    CtaError
        The commit failed.
    """
    require_identity(study.root)
    with study_lock(study):
        ensure_dataset(study, MODELS, ANNEXED_MODELS)
        taken = import_model(archive, study.root / MODELS)
        save(study.root, f"Model {taken.folder} from an archive", [study.root / MODELS])
    return taken


@dataclass(frozen=True)
class ExportedModel:
    """What was written: the name of the model, and numbers of its folds and files."""

    model: str
    folds: int
    files: int


def export_trained(
    study: Study, setting: str, training: TrainingSection, archive: Path, *, overwrite: bool
) -> ExportedModel:
    """Write the model of a setting as a zip that nnU-Net installs.

    Raises
    ------
    ConfigurationError
        It is not trained, a package is missing, or the archive may not be written.
    """
    require_training_packages()
    model = model_of(study, setting, training)
    folds = fold_rows(study, model)
    if not folds:
        raise ConfigurationError("model_not_trained", model=model.name, setting=setting)
    require_file_place(archive, [study.root / MODELS], overwrite=overwrite)
    wanted = [p for p in sorted((study.root / model.folder).glob("**/*")) if not p.is_dir()]
    fetch(study.root, [path.relative_to(study.root).as_posix() for path in wanted])
    folder = model.folder.removeprefix(f"{MODELS}/")
    held = export_model(study.root / model.folder, folder, [str(n) for n in folds], archive)
    return ExportedModel(model.name, len(folds), len(held))
