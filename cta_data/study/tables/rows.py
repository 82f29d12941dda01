"""A type for the rows of every table of a study: manifests/schemas.toml as Python has it.

What a column means stands in that file, and `docs/reference/tables.md` is written from it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from cta_data.study.session_id import SessionId
from cta_data.study.tables.decision_rows import DecisionRow
from cta_data.study.tables.model_rows import (
    CaseScoreRow,
    LesionScoreRow,
    ModelFoldRow,
    PredictionRow,
    SplitRow,
)
from cta_data.study.tables.table_row import TableRow
from cta_data.study.tables.withdrawal_rows import WithdrawalRow, WithdrawnContentRow
from cta_data.study.unit_id import NO_FOLD, UnitId


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionRow(TableRow):
    """One subject-session."""

    TABLE: ClassVar[str] = "subjects"

    session: SessionId
    sex: str | None = None
    age_years: float | None = None
    primary_tumour: str | None = None
    prior_brain_radiotherapy: str | None = None
    annotation_techniques: tuple[str, ...] | None = None
    qualities: tuple[str, ...] | None = None
    form: str | None = None
    missing: tuple[str, ...] | None = None
    days_after_first: int | None = None
    partition: str | None = None
    exclusion_reason: str | None = None
    exclusion_code: str | None = None
    exclusion_step: str | None = None
    licence: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageRow(TableRow):
    """One image."""

    TABLE: ClassVar[str] = "images"

    session: SessionId
    technique: str
    contrast_phase: str
    description: str
    modality: str
    path: str
    annex_key: str | None = None
    voxels_sha256: str | None = None
    slice_digests: tuple[str, ...] | None = None
    shape: tuple[int, ...] | None = None
    spacing_mm: tuple[float, ...] | None = None
    orientation: str | None = None
    frame: int | None = None
    manufacturer: str | None = None
    model: str | None = None
    field_strength_t: float | None = None
    tr_ms: float | None = None
    te_ms: float | None = None
    ti_ms: float | None = None
    flip_angle_deg: float | None = None
    slice_thickness_mm: float | None = None
    skull_stripped: bool | None = None
    geometry_source: str | None = None
    mask_path: str | None = None
    notes: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AnnotationRow(TableRow):
    """One annotation: what one reader delineated on one technique of a session, in one version."""

    TABLE: ClassVar[str] = "annotations"

    session: SessionId
    annotation: str
    reader: str
    drawn_on: str
    quality: str | None = None
    version: int = 1
    parents: tuple[str, ...] | None = None
    origin: str = "delivered"
    status: str = "current"
    author: str | None = None
    date: str | None = None
    made_rank: int | None = None
    reason: str | None = None
    space: str
    form: str
    n_lesions: int
    path: str
    names_path: str | None = None
    annex_key: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsensusRequestRow(TableRow):
    """One method by which a consensus of a session was asked for."""

    TABLE: ClassVar[str] = "consensus_requests"

    session: SessionId
    method: str
    min_readers: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RoiRow(TableRow):
    """One ROI as delivered."""

    TABLE: ClassVar[str] = "rois"

    session: SessionId
    structure_set: int
    roi_number: int
    source_roi: str
    annotation: str | None = None
    interpreted_type: str | None = None
    drawn_on: str | None = None
    frame: int | None = None
    n_contours: int
    n_voxels: int | None = None
    selected: bool
    selected_by: str | None = None
    rejected_reason: str | None = None
    rejected_code: str | None = None
    target_type: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClinicalLinkRow(TableRow):
    """One row of a cohort's table of lesions, or one ROI without such a row."""

    TABLE: ClassVar[str] = "clinical_links"

    session: SessionId
    clinical_row: int
    structure_set: int
    roi_number: int
    source_roi: str | None = None
    clinical_name: str | None = None
    location: str | None = None
    clinical_values: str | None = None
    status: str
    rule: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TransformRow(TableRow):
    """One registration."""

    TABLE: ClassVar[str] = "transforms"

    session: SessionId
    fixed: str
    moving: str
    moving_session: str = ""
    between: str = "techniques"
    path: str
    kind: str
    source: str
    metric: float | None = None
    parameters: str | None = None
    quality_values: str | None = None
    accepted: bool
    rejection_reason: str | None = None
    rejection_code: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class VariantRow(TableRow):
    """One label variant: an annotation on one image grid."""

    TABLE: ClassVar[str] = "variants"

    session: SessionId
    annotation: str
    grid: str
    quality: str
    labels_path: str
    mask_path: str
    account_path: str
    annex_key: str | None = None
    labels_key: str | None = None
    n_drawn: int | None = None
    n_arrived: int | None = None
    n_lost: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferCheckRow(TableRow):
    """One lesion on one grid: what its transfer did to it."""

    TABLE: ClassVar[str] = "transfer_checks"

    session: SessionId
    annotation: str
    grid: str
    lesion_id: int
    volume_ratio: float | None = None
    volume_scale: float | None = None
    centroid_shift_mm: float | None = None
    surface_distance_mm: float | None = None
    dice_there_and_back: float | None = None
    components_drawn: int | None = None
    components_arrived: int | None = None
    passed: bool
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredLesionRow(TableRow):
    """One lesion of one variant."""

    TABLE: ClassVar[str] = "lesions"

    session: SessionId
    annotation: str
    grid: str
    lesion_id: int
    quality: str
    volume_mm3: float | None = None
    volume_cm3: float | None = None
    n_voxels: int | None = None
    centroid_ras_mm: tuple[float, ...] | None = None
    max_diameter_mm: float | None = None
    cnr: float | None = None
    volume_drawn_mm3: float | None = None
    transfer_volume_ratio: float | None = None
    centroid_shift_mm: float | None = None
    source_roi: str | None = None
    outside_brain_fraction: float | None = None
    brain_depth_mm: float | None = None
    flags: tuple[str, ...] | None = None
    lost_reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LesionLinkRow(TableRow):
    """Lesions of two annotations that are the same lesion, or one of one annotation alone."""

    TABLE: ClassVar[str] = "lesion_links"

    session: SessionId
    first_annotation: str
    second_annotation: str
    link: int
    grid: str
    first_lesion: int | None = None
    second_lesion: int | None = None
    how: str
    dice: float | None = None
    centroid_distance_mm: float | None = None
    first_volume_mm3: float | None = None
    second_volume_mm3: float | None = None
    mean_surface_mm: float | None = None
    hausdorff95_mm: float | None = None
    surface_dice_0_5mm: float | None = None
    surface_dice_1mm: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LesionChangeRow(TableRow):
    """Lesions of two successive sessions that belong together, or a lesion of one alone."""

    TABLE: ClassVar[str] = "lesion_changes"

    session: SessionId
    quality: str
    change: int
    earlier_session: str
    ordered_by: str
    days_between: int | None = None
    earlier_annotation: str
    later_annotation: str
    technique: str
    same_reader: bool | None = None
    grid: str
    state: str
    trend: str | None = None
    earlier_lesions: tuple[int, ...]
    later_lesions: tuple[int, ...]
    by_distance: bool
    dice: float | None = None
    centroid_distance_mm: float | None = None
    volume_before_mm3: float | None = None
    volume_after_mm3: float | None = None
    volume_before_sd_mm3: float | None = None
    volume_after_sd_mm3: float | None = None
    change_mm3: float | None = None
    change_low_mm3: float | None = None
    change_high_mm3: float | None = None
    change_percent: float | None = None
    exceeds_uncertainty: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitRow(TableRow):
    """One unit of work."""

    TABLE: ClassVar[str] = "units"

    step: str
    session: SessionId | None = None
    model: str = ""
    fold: int = NO_FOLD
    test_set: str = ""
    key: str
    status: str
    reason: str | None = None
    reason_code: str | None = None
    stopped_by: str | None = None
    warnings: tuple[str, ...] = ()
    step_version: int | None = None
    parameters: str | None = None
    inputs: tuple[str, ...] = ()
    input_keys: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()

    @classmethod
    def of(cls, unit: UnitId, **columns: Any) -> UnitRow:
        """Return the row of a unit; `columns` are those that do not name it."""
        fold = NO_FOLD if unit.fold is None else unit.fold
        return cls(
            step=unit.step,
            session=unit.about,
            model=unit.model,
            fold=fold,
            test_set=unit.test_set,
            **columns,
        )

    @property
    def id(self) -> UnitId:
        """The unit that it is about."""
        fold = None if self.fold == NO_FOLD else self.fold
        return UnitId(self.step, self.session, self.model, fold, self.test_set)


ROW_TYPES: tuple[type[TableRow], ...] = (
    SessionRow,
    ImageRow,
    AnnotationRow,
    ConsensusRequestRow,
    RoiRow,
    ClinicalLinkRow,
    TransformRow,
    VariantRow,
    TransferCheckRow,
    DecisionRow,
    MeasuredLesionRow,
    LesionLinkRow,
    LesionChangeRow,
    UnitRow,
    ModelFoldRow,
    PredictionRow,
    CaseScoreRow,
    LesionScoreRow,
    SplitRow,
    WithdrawalRow,
    WithdrawnContentRow,
)
"""Of every table, in the order of the schemas."""

FILE_COLUMNS: dict[type[TableRow], str] = {
    ImageRow: "path",
    AnnotationRow: "path",
    VariantRow: "mask_path",
    ModelFoldRow: "path",
    PredictionRow: "path",
}
"""Columns that name a file of the study, whose content the column `annex_key` tells."""
