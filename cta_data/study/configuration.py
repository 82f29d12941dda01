"""The one configuration file of a study: study.toml."""

from __future__ import annotations

import json
from dataclasses import fields
from typing import Annotated, Literal

from pydantic import AliasChoices, Field, field_validator

from cta_data.imaging.lesions.change_limits import (
    GROWTH_PERCENT,
    OUTLINE_SD_VOXELS,
    SHRINKAGE_PERCENT,
)
from cta_data.imaging.lesions.transfer_limits import TransferLimits
from cta_data.imaging.registration.limits import SEED, QualityLimits
from cta_data.validation import StrictModel, nearest_key

Seed = Annotated[int, Field(ge=0, lt=2**32)]
"""What every library that draws at random takes."""


class StudySection(StrictModel):
    """What the study is."""

    name: str
    description: str = ""
    notice: str = ""
    """What stands first on every page of results, such as that the patients are simulated."""


class RegistrationSection(StrictModel):
    """How the images of one subject are registered."""

    reference: str = Field(default="MPRAGE", validation_alias=AliasChoices("reference", "hub"))
    """Technique that all others are registered to."""
    kind: Literal["rigid", "affine"] = "rigid"
    same_frame: Literal["identity", "register"] = "identity"
    """Meaning of equal frames of reference: trust them, or register the images anyway."""
    use_dicom_registration: bool = True
    seed: Seed = SEED
    limits: dict[str, float] = {}
    """Limits of the quality values, by name; see docs/reference/study-toml.md."""

    @field_validator("limits")
    @classmethod
    def _know_the_limits(cls, limits: dict[str, float]) -> dict[str, float]:
        return _known_limits(limits, QualityLimits)


class BrainExtractionSection(StrictModel):
    """How the brain is extracted."""

    backend: Literal["morphology", "hd-bet", "provided", "none"] = "morphology"
    device: Literal["cpu", "cuda", "mps"] = "cpu"
    weights_folder: str = ""
    """Folder of hd-bet's weights; empty for hd-bet's own default."""
    provided: str = ""
    """With backend `provided`: mask path pattern with {cohort}, {subject} and {session}."""
    protect_lesions: bool = False
    protect_margin_mm: float = Field(default=1.0, ge=0)


class TransferSection(StrictModel):
    """How annotations become variants."""

    grids: tuple[str, ...] = ("MPRAGE", "SPACE")
    """Techniques to whose voxel grids every annotation is transferred."""
    limits: dict[str, float] = {}
    """Limits of what a lesion may suffer, by name; see docs/reference/study-toml.md."""

    @field_validator("limits")
    @classmethod
    def _know_the_limits(cls, limits: dict[str, float]) -> dict[str, float]:
        return _known_limits(limits, TransferLimits)


def _known_limits(
    limits: dict[str, float], model: type[QualityLimits] | type[TransferLimits]
) -> dict[str, float]:
    known = [field.name for field in fields(model)]
    for name in limits:
        if name not in known:
            raise ValueError(f"unknown limit {name!r}; {nearest_key(name, known)}")
    return limits


class AnnotationChoice(StrictModel):
    """Which annotation of a quality counts, where a session has several."""

    reader: str = ""
    """Code of the reader; empty for any."""
    annotation: Literal["only", "newest", "consensus"] = "only"
    """`only` takes the one that there is, `newest` the one with the latest date."""
    version: int | None = Field(default=None, ge=1)
    """Version of the annotation; left out for the current one."""


class Setting(AnnotationChoice):
    """Which image and which variant a model trains on."""

    technique: str
    quality: str
    grid: str = ""
    """Technique whose grid the labels are on; empty for that of the image."""
    contrast_phase: str = ""
    """Empty for the latest phase after contrast."""
    patients: Literal["all", "common", "annotated"] = "all"
    """`annotated`: only those who have the annotation; `common`: only those whom every setting with
    `common` can use, so that the labels alone differ."""
    dataset_id: int = Field(ge=1, le=999)

    @property
    def label_grid(self) -> str:
        """Technique whose grid the labels are on."""
        return self.grid or self.technique


SettingName = Annotated[str, Field(pattern=r"^[a-zA-Z0-9]+$")]
"""Part of a folder's name and of the name of nnU-Net's dataset."""

PAPER_SETTINGS: dict[str, Setting] = {
    "A": Setting(technique="MPRAGE", quality="NAQ", dataset_id=501),
    "B": Setting(technique="MPRAGE", quality="HAQ", dataset_id=502),
    "C": Setting(technique="SPACE", quality="HAQ", dataset_id=503),
    "D": Setting(technique="SPACE", quality="NAQ", dataset_id=504),
}


class BuildSection(StrictModel):
    """How training sets are partitioned."""

    cohorts: tuple[str, ...] = ()
    """Cohorts to partition; empty for all whose card says `partition = "trial"`."""
    seed: Seed = 20250215
    equalise_groups: bool = True
    """Drop patients at random until every quality has as many as the smallest."""
    test_fraction: float = Field(default=0.2, ge=0, lt=1)
    folds: int = Field(default=5, ge=2)
    skull_stripped: bool = True
    """Whether models train on images whose brain was extracted."""
    shared_patients: Literal["refuse", "accept"] = "refuse"
    """Whether a patient may train who is there as another subject as well."""
    settings: dict[SettingName, Setting] = PAPER_SETTINGS

    @field_validator("settings")
    @classmethod
    def _add_the_paper_s(cls, own: dict[str, Setting]) -> dict[str, Setting]:
        merged = PAPER_SETTINGS | own
        ids = [setting.dataset_id for setting in merged.values()]
        if len(set(ids)) != len(ids):
            raise ValueError("two settings share a dataset_id")
        return merged


class EvaluationSection(AnnotationChoice):
    """Which annotation test sets are judged by, where a session has several of a quality."""


class FollowUpSection(AnnotationChoice):
    """How lesions are followed from session to session, and whose annotations are compared."""

    growth_percent: float = Field(default=GROWTH_PERCENT, ge=0)
    """Growth of the volume, in percent, from which on a lesion is `grown`."""
    shrinkage_percent: float = Field(default=SHRINKAGE_PERCENT, ge=0, le=100)
    """Loss of volume, in percent, from which on a lesion is `shrunk`."""
    outline_sd_voxels: float = Field(default=OUTLINE_SD_VOXELS, ge=0)
    """Standard deviation by which outlines are drawn too far out or in, in voxels."""


class TrainingSection(StrictModel):
    """How nnU-Net learns; what is not given here is as nnU-Net decides it."""

    configuration: Literal["3d_fullres", "2d"] = "3d_fullres"
    planner: Literal[
        "ExperimentPlanner",
        "nnUNetPlannerResEncM",
        "nnUNetPlannerResEncL",
        "nnUNetPlannerResEncXL",
    ] = "ExperimentPlanner"
    """nnU-Net's planner: the plain U-Net, or one of its residual encoders."""
    trainer: str = Field(default="nnUNetTrainer", pattern=r"^([A-Za-z_][\w.]*:)?[A-Za-z]\w*$")
    """Class that learns: nnU-Net's, or one of your own, as `NAME` or `module:NAME`."""
    epochs: int = Field(default=1000, ge=1)
    iterations_per_epoch: int = Field(default=250, ge=1)
    validation_iterations: int = Field(default=50, ge=1)
    learning_rate: float = Field(default=0.01, gt=0, le=1)
    """Of the first epoch; it falls to nothing over the epochs, as nnU-Net has it."""
    seed: Seed = 20250215
    reproducible: bool = False
    """Same seed, same weights: one thread, augmentation in the process, deterministic kernels."""
    checkpoint_every: int = Field(default=1, ge=1)
    """Epochs between checkpoints that an interrupted training goes on from."""
    patch_size: tuple[int, ...] = ()
    """Voxels (z, y, x), instead of nnU-Net's plan; for small machines."""
    features: tuple[int, ...] = ()
    """Features of each stage of the network, at least three; for small machines."""
    batch_size: int = Field(default=0, ge=0)
    """Patches a step; 0 for nnU-Net's plan."""
    mirroring: bool = True
    """Whether predictions are averaged over mirrored images."""
    tile_step: float = Field(default=0.5, gt=0, le=1)
    """Step of the sliding window of predictions, in patches."""
    logger: Literal["none", "tensorboard", "mlflow", "wandb"] = "none"
    """Where curves are logged beside nnU-Net's own log; no result depends on it."""
    log_folder: str = ""
    """Folder for the logger's files, from the top of the study; `.cta/curves` without it."""

    @field_validator("features")
    @classmethod
    def _has_a_loss(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        # nnU-Net judges every stage but the two lowest; with fewer its loss is not a number.
        if value and len(value) < 3:
            raise ValueError("give the features of at least three stages")
        return value


SubjectName = Annotated[str, Field(pattern=r"^[a-zA-Z0-9]+/[a-zA-Z0-9]+$")]
"""Cohort and label of a subject, such as `internal/001`."""


class DifferentPersons(StrictModel):
    """Subjects that look like one person, or like one image, and are not, on somebody's word."""

    subjects: tuple[SubjectName, ...] = Field(min_length=2)
    reason: str = Field(min_length=1)


class StudyConfiguration(StrictModel):
    """Everything in study.toml."""

    study: StudySection
    registration: RegistrationSection = RegistrationSection()
    brain_extraction: BrainExtractionSection = BrainExtractionSection()
    transfer: TransferSection = TransferSection()
    build: BuildSection = BuildSection()
    training: TrainingSection = TrainingSection()
    evaluation: EvaluationSection = EvaluationSection()
    follow_up: FollowUpSection = FollowUpSection()
    different_persons: tuple[DifferentPersons, ...] = ()


def initial_toml(name: str) -> str:
    """Return the study.toml that a new study starts with."""
    return f"""\
# The configuration of this study. Every key is checked; see docs/reference/study-toml.md.

[study]
name = {json.dumps(name)}

[registration]
kind = "rigid"                # rigid or affine
same_frame = "identity"       # identity or register

[brain_extraction]
backend = "morphology"        # morphology, hd-bet, provided or none

[build]
seed = 20250215
test_fraction = 0.2           # four patients train for one that tests
folds = 5

# Settings A, B, C and D are built in. Add your own like this:
# [build.settings.E]
# technique = "MPRAGE"
# quality = "HAQ"
# contrast_phase = "early"
# dataset_id = 505
"""
