"""Tables of a study: schemas, typed rows, atomic Parquet reading and writing, queries."""

from cta_data.study.tables.queries import query
from cta_data.study.tables.rows import (
    ROW_TYPES,
    AcceptanceRow,
    AnnotationRow,
    AuditRow,
    ClinicalLinkRow,
    ImageRow,
    MeasuredLesionRow,
    ModelFoldRow,
    PredictionRow,
    RoiRow,
    SessionRow,
    SplitRow,
    TransferCheckRow,
    TransformRow,
    UnitRow,
    VariantRow,
)
from cta_data.study.tables.schemas import TableSchema, table_schemas
from cta_data.study.tables.store import Tables, read_arrow, read_frame
from cta_data.study.tables.table_row import TableRow

__all__ = [
    "ROW_TYPES",
    "AcceptanceRow",
    "AnnotationRow",
    "AuditRow",
    "ClinicalLinkRow",
    "ImageRow",
    "MeasuredLesionRow",
    "ModelFoldRow",
    "PredictionRow",
    "RoiRow",
    "SessionRow",
    "SplitRow",
    "TableRow",
    "TableSchema",
    "Tables",
    "TransferCheckRow",
    "TransformRow",
    "UnitRow",
    "VariantRow",
    "query",
    "read_arrow",
    "read_frame",
    "table_schemas",
]
