"""A study's own model as an archive that nnU-Net installs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cta_data.destinations import require_file_place
from cta_data.errors import ConfigurationError
from cta_data.study.configuration import TrainingSection
from cta_data.study.layout import MODELS
from cta_data.study.study import Study
from cta_data.training.models import model_of
from cta_data.training.nnunet.archive import export_model
from cta_data.training.nnunet.environment import require_training_packages
from cta_data.training.trained_models import fold_rows
from cta_data.versioning.datasets import fetch


@dataclass(frozen=True)
class Exported:
    """What was written: the name of the model, and numbers of its folds and files."""

    model: str
    folds: int
    files: int


def export_trained(
    study: Study, setting: str, training: TrainingSection, archive: Path, *, overwrite: bool
) -> Exported:
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
        raise ConfigurationError(
            f"model {model.name} is not trained",
            next_step=f"Run `cta-data train --setting {setting}`",
        )
    require_file_place(archive, [study.root / MODELS], overwrite=overwrite)
    wanted = [p for p in sorted((study.root / model.folder).glob("**/*")) if not p.is_dir()]
    fetch(study.root, [path.relative_to(study.root).as_posix() for path in wanted])
    folder = model.folder.removeprefix(f"{MODELS}/")
    held = export_model(study.root / model.folder, folder, [str(n) for n in folds], archive)
    return Exported(model.name, len(folds), len(held))
