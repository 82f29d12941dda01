"""Models of a study: their names, and where they and their predictions lie."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from cta_data.errors import ConfigurationError
from cta_data.pipeline.build import dataset_folder
from cta_data.study.configuration import Setting, TrainingSection
from cta_data.study.layout import MODELS
from cta_data.study.study import Study
from cta_data.training.nnunet.plans import model_folder
from cta_data.versioning.datasets import create_dataset, save, write_attributes
from cta_data.versioning.git_settings import run_git

ANNEXED_MODELS = ("*.pth", "*.nii.gz", "*.png")
ANNEXED_PREDICTIONS = ("*.nii.gz", "*.png")
WORK = Path(".cta") / "nnunet"
"""What nnU-Net preprocesses, and trainings that are not finished; never versioned."""


@dataclass(frozen=True)
class Model:
    """One setting, learnt with one configuration of one planner."""

    setting: str
    dataset: str
    configuration: str
    planner: str

    @classmethod
    def of(cls, name: str, setting: Setting, configuration: str, planner: str) -> Model:
        """Return the model of a setting of this name."""
        dataset = dataset_folder(name, setting).removeprefix("builds/")
        return cls(name, dataset, configuration, planner)

    @property
    def name(self) -> str:
        """Name for people and folders: the setting's, with what differs from the paper's plan."""
        parts = [self.setting]
        if self.planner != "ExperimentPlanner":
            parts.append(self.planner.removeprefix("nnUNetPlanner"))
        if self.configuration != "3d_fullres":
            parts.append(self.configuration)
        return "-".join(parts)

    @property
    def folder(self) -> str:
        """Path from the top of the study."""
        return f"{MODELS}/{model_folder(self.dataset, self.planner, self.configuration)}"

    def step(self, verb: str, rest: str = "") -> str:
        """Return the name of a step for this model."""
        return "_".join(part for part in (verb, self.name, rest) if part)


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
            f"there is no setting {setting!r}",
            why=f"the study has {', '.join(sorted(settings))}",
            next_step=f"Add [build.settings.{setting}] to study.toml",
        )
    return Model.of(setting, settings[setting], training.configuration, training.planner)


def kept_at(path: Path, top: Path) -> str:
    """Return where a dataset of the study keeps a file, which a link of ours may point to.

    Parameters
    ----------
    top
        The study.
    """
    if path.is_symlink() and ".git" not in Path(os.readlink(path)).parts:
        path = Path(os.path.normpath(path.parent / os.readlink(path)))
    return path.relative_to(top).as_posix()


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
