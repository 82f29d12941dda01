"""A type for the rows of the tables about patients who withdrew consent: they name nobody."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from cta_data.study.tables.table_row import TableRow


@dataclass(frozen=True, slots=True, kw_only=True)
class WithdrawalRow(TableRow):
    """One patient who withdrew consent."""

    TABLE: ClassVar[str] = "withdrawals"

    withdrawal: str
    cohort: str
    withdrawn_on: str
    n_keys: int
    n_bytes: int
    builds: tuple[str, ...] | None = None
    models: tuple[str, ...] | None = None
    consent_again_on: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WithdrawnContentRow(TableRow):
    """One annex key of such a patient, as its digest."""

    TABLE: ClassVar[str] = "withdrawn_content"

    withdrawal: str
    dataset: str
    key_sha256: str
