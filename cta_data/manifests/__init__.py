"""Tables of a study: schemas, atomic Parquet reading and writing, queries."""

from cta_data.manifests.queries import query
from cta_data.manifests.schemas import TableSchema, table_schemas
from cta_data.manifests.stored_rows import StoredRow
from cta_data.manifests.tables import Row, Tables, read_arrow, read_frame

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
