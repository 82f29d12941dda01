"""Tables of a study: schemas, typed rows, atomic Parquet reading and writing, queries.

Rows are types that any module may name; what reads and writes them is loaded when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from cta_data.study.tables.rows import (
    FILE_COLUMNS,
    ROW_TYPES,
    AnnotationRow,
    CaseScoreRow,
    ClinicalLinkRow,
    ConsensusRequestRow,
    DecisionRow,
    ImageRow,
    LesionChangeRow,
    LesionLinkRow,
    LesionScoreRow,
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
    WithdrawalRow,
    WithdrawnContentRow,
)
from cta_data.study.tables.table_row import TableRow

if TYPE_CHECKING:
    from cta_data.study.tables.queries import QueryRows, query, query_rows
    from cta_data.study.tables.schemas import TableSchema, table_schemas
    from cta_data.study.tables.store import Tables, read_arrow, read_frame

__all__ = [
    "FILE_COLUMNS",
    "ROW_TYPES",
    "AnnotationRow",
    "CaseScoreRow",
    "ClinicalLinkRow",
    "ConsensusRequestRow",
    "DecisionRow",
    "ImageRow",
    "LesionChangeRow",
    "LesionLinkRow",
    "LesionScoreRow",
    "MeasuredLesionRow",
    "ModelFoldRow",
    "PredictionRow",
    "QueryRows",
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
    "WithdrawalRow",
    "WithdrawnContentRow",
    "query",
    "query_rows",
    "read_arrow",
    "read_frame",
    "table_schemas",
]

_PLACES = {
    "QueryRows": "queries",
    "TableSchema": "schemas",
    "Tables": "store",
    "query": "queries",
    "query_rows": "queries",
    "read_arrow": "store",
    "read_frame": "store",
    "table_schemas": "schemas",
}


def __getattr__(name: str) -> Any:
    if name in _PLACES:
        return getattr(import_module(f"{__name__}.{_PLACES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
