"""A type for the rows of the tables about models: what they learn from, predict and are worth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from cta_data.study.session_id import SessionId
from cta_data.study.tables.table_row import TableRow


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFoldRow(TableRow):
    """One trained fold of a model."""

    TABLE: ClassVar[str] = "models"

    model: str
    fold: int
    setting: str
    dataset: str
    configuration: str
    planner: str
    training_set_key: str
    learning_key: str
    epochs: int
    path: str
    annex_key: str
    card_path: str
    withdrawals: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictionRow(TableRow):
    """One case that a model predicted."""

    TABLE: ClassVar[str] = "predictions"

    model: str
    test_set: str
    case: str
    technique: str
    folds: tuple[int, ...]
    image_path: str
    image_key: str
    path: str
    annex_key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseScoreRow(TableRow):
    """One case that a model was scored on."""

    TABLE: ClassVar[str] = "scores"

    convention: str
    model: str
    test_set: str
    case: str
    session: SessionId | None = None
    technique: str | None = None
    n_reference: int
    n_predicted: int
    tp: int
    fp: int
    fn: int
    sensitivity: float | None = None
    ppv: float | None = None
    f1: float | None = None
    lesionwise_dice: float | None = None
    lesionwise_ppv: float | None = None
    lesionwise_sensitivity: float | None = None
    voxel_dice: float | None = None
    hausdorff_mm: float | None = None
    hausdorff95_mm: float | None = None
    mean_surface_mm: float | None = None
    surface_dice_0_5mm: float | None = None
    surface_dice_1mm: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LesionScoreRow(TableRow):
    """One lesion of a reference, or one false lesion of a prediction, as it was scored."""

    TABLE: ClassVar[str] = "score_lesions"

    convention: str
    model: str
    test_set: str
    case: str
    reference_lesion: int
    predicted_lesion: int
    session: SessionId | None = None
    technique: str | None = None
    status: str
    centroid_ras_mm: tuple[float, ...]
    lesion_ids: tuple[int, ...] | None = None
    reference_voxels: int | None = None
    reference_volume_mm3: float | None = None
    predicted_voxels: int | None = None
    predicted_volume_mm3: float | None = None
    dice: float | None = None
    intersection_voxels: int | None = None
    hausdorff_mm: float | None = None
    hausdorff95_mm: float | None = None
    mean_surface_mm: float | None = None
    surface_dice_0_5mm: float | None = None
    surface_dice_1mm: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitRow(TableRow):
    """One subject in one setting."""

    TABLE: ClassVar[str] = "splits"

    setting: str
    cohort: str
    subject: str
    partition: str
    fold: int | None = None
    seed: int
