"""The models that a study holds: their cards, and models of others that join."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cta_data.files import read_json_object
from cta_data.study.layout import MODELS
from cta_data.study.lock import study_lock
from cta_data.study.study import Study
from cta_data.training.build_files import build_key
from cta_data.training.models import ANNEXED_MODELS, Model, ensure_dataset
from cta_data.training.nnunet.archive import Archived, import_model
from cta_data.versioning.datasets import require_identity, save


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
            }
        )
    return rows


def _build_of(study: Study, card: dict[str, Any]) -> str:
    """Return whether a fold was trained on the build that is there now."""
    settings = study.configuration.build.settings
    if "training_set_key" not in card or card["model"] not in settings:
        return "not known"
    about = card["parameters"]
    model = Model.of(
        card["model"], settings[card["model"]], about["configuration"], about["planner"]
    )
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
