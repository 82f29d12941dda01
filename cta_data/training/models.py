"""Models of a study: their names, and where they and their predictions lie."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from cta_data.errors import ConfigurationError
from cta_data.study import layout
from cta_data.study.configuration import Setting, TrainingSection
from cta_data.study.study import Study
from cta_data.study.unit_id import UnitId
from cta_data.training.nnunet.plans import TRAINER, model_folder, trainer_name
from cta_data.versioning.datasets import create_dataset, save, write_attributes
from cta_data.versioning.git_settings import run_git
from cta_data.versioning.keys import linked_to

ANNEXED_MODELS = ("*.pth", "*.nii.gz", "*.png")
ANNEXED_PREDICTIONS = ("*.nii.gz", "*.png")
SHARED = ("plans.json", "dataset.json", "dataset_fingerprint.json")
"""Files of a model that all of its folds share."""
WORK = Path(layout.TRAINING_WORK)


@dataclass(frozen=True)
class Model:
    """One setting, learnt with one configuration of one planner, by one trainer."""

    setting: str
    dataset: str
    configuration: str
    planner: str
    trainer: str = TRAINER

    @classmethod
    def of(
        cls, name: str, setting: Setting, configuration: str, planner: str, trainer: str
    ) -> Model:
        """Return the model of a setting of this name."""
        dataset = layout.dataset_name(name, setting.dataset_id)
        return cls(name, dataset, configuration, planner, trainer)

    @property
    def name(self) -> str:
        """Name for people and folders: the setting's, with what differs from the paper's plan."""
        parts = [self.setting]
        if self.planner != "ExperimentPlanner":
            parts.append(self.planner.removeprefix("nnUNetPlanner"))
        if self.configuration != "3d_fullres":
            parts.append(self.configuration)
        if self.trainer != TRAINER:
            parts.append(trainer_name(self.trainer).removeprefix(f"{TRAINER}_"))
        return "-".join(parts)

    @property
    def folder(self) -> str:
        """Path from the top of the study."""
        folder = model_folder(self.dataset, self.planner, self.configuration, self.trainer)
        return layout.model_folder(folder)

    def unit(self, step: str, *, fold: int | None = None, test_set: str = "") -> UnitId:
        """Return the unit of a step for this model."""
        return UnitId(step, model=self.name, fold=fold, test_set=test_set)


def model_of(study: Study, setting: str, training: TrainingSection) -> Model:
    """Return the model of a setting.

    Raises
    ------
    ConfigurationError
        The study has no such setting.
    """
    settings = study.configuration.build.settings
    if setting not in settings:
        raise ConfigurationError(
            "model_setting_unknown", setting=setting, settings=sorted(settings)
        )
    return Model.of(
        setting, settings[setting], training.configuration, training.planner, training.trainer
    )


def kept_at(path: Path, top: Path) -> str:
    """Return where a dataset of the study keeps a file, which a link of ours may point to.

    Parameters
    ----------
    top
        The study.
    """
    return (linked_to(path) or path).relative_to(top).as_posix()


def ensure_dataset(study: Study, path: str, annexed: Iterable[str]) -> None:
    """Make the subdataset at a path where it is missing, or install it.

    Raises
    ------
    NotAvailable
        The study has it, and it cannot be installed here.
    """
    study.require(path)
    if run_git(study.root, "ls-tree", "HEAD", "--", path).stdout:
        return
    folder, modules = study.root / path, study.root / ".gitmodules"
    folder.mkdir(parents=True, exist_ok=True)
    write_attributes(folder, annexed)
    create_dataset(folder, study.root)
    save(folder, f"Dataset {path}")
    save(study.root, f"Dataset {path}", [folder, modules])
