"""Tables of a study: schemas, atomic Parquet reading and writing, queries."""

from cta_data.study.tables.queries import query
from cta_data.study.tables.schemas import TableSchema, table_schemas
from cta_data.study.tables.store import Row, Tables, read_arrow, read_frame
from cta_data.study.tables.stored_rows import StoredRow

__all__ = [
    "Row",
    "StoredRow",
    "TableSchema",
    "Tables",
    "query",
    "read_arrow",
    "read_frame",
    "table_schemas",
]
