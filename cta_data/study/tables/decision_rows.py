"""A type for the rows of the table about what people decided."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from cta_data.study.session_id import SessionId
from cta_data.study.tables.table_row import TableRow


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionRow(TableRow):
    """What one reader decided about one transfer, finding or disagreement of two annotations."""

    TABLE: ClassVar[str] = "decisions"

    kind: str
    step: str = ""
    session: SessionId | None = None
    first_annotation: str = ""
    second_annotation: str = ""
    first_lesion: int = 0
    second_lesion: int = 0
    convention: str = ""
    test_set: str = ""
    model: str = ""
    case: str = ""
    reference_lesion: int = 0
    predicted_lesion: int = 0
    reader: str
    verdict: str
    reason: str | None = None
    decided_on: str
    number: int = 0
    content_key: str
    finding: str | None = None
    finding_code: str | None = None
    blinded: bool | None = None
    preferred: str | None = None
