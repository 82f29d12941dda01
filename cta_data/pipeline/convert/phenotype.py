"""Clinical tables as they leave the raw data: phenotype/<table>.tsv, without who it is about."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from cta_data.bids.dataset import OLDEST_AGE_YEARS, write_bidsignore, write_phenotype
from cta_data.cohorts.clinical.people import Clinical
from cta_data.cohorts.clinical.phenotype import Phenotype, PhenotypeColumn, PhenotypeRow
from cta_data.cohorts.clinical.vocabulary import WORDS, read_age
from cta_data.engine.driver import mark_uncommitted
from cta_data.engine.sessions import session_labels
from cta_data.redaction import CellRedactor, Identity, Redactor
from cta_data.redaction.cells import LONG_NUMBER
from cta_data.redaction.identity import is_public
from cta_data.study.session_id import SessionId
from cta_data.study.sourcedata import Inventory
from cta_data.study.study import Study

ABOVE_OLDEST = re.compile(r"(?<![\d.,])(?:9\d|1[01]\d|120)(?:[.,]\d+)?(?![\d.,])")
"""An age above `OLDEST_AGE_YEARS` in a text that is more than an age."""


@dataclass(frozen=True)
class Published:
    """A table that may leave the raw data.

    Attributes
    ----------
    redacted
        Headers of columns in which, or in whose header, something was replaced.
    """

    table: Phenotype
    redacted: tuple[str, ...]


def phenotype_problems(study: Study, cohort: str) -> list[str]:
    """Return what of a cohort's tables does not reach phenotype/, or not as it was typed."""
    clinical = study.clinical(cohort)
    tables = clinical.phenotypes() if clinical else []
    lines = []
    for table in tables:
        if _comes_twice(table):
            told = "several rows a patient and session, so BIDS has no place for it in phenotype/"
            lines.append(f"clinical table {table.name}: {told}")
        if table.withheld:
            columns = ", ".join(map(repr, table.withheld))
            told = f"stay in sourcedata, as `publish` of the card lists no such column: {columns}"
            lines.append(f"clinical table {table.name}: {told}")
    published = _published(study, cohort, clinical) if clinical else []
    if published is None:
        lines.append(
            "clinical tables: phenotype/ is left as it is, as the headers that name the patients "
            f"to look for are not here (datalad get {study.sourcedata_path(cohort)})"
        )
    for one in published or ():
        if one.redacted:
            columns = ", ".join(map(repr, one.redacted))
            told = f"identity, dates or ages above {OLDEST_AGE_YEARS} were replaced in: {columns}"
            lines.append(f"clinical table {one.table.name}: {told}")
    return lines


def write_phenotypes(study: Study, converted: set[SessionId]) -> None:
    """Write phenotype/<table>.tsv of every cohort whose clinical tables are here.

    BIDS knows one row a participant there: tables with a row a session are kept from its validator.
    """
    for cohort in study.cohorts_here:
        clinical = study.clinical(cohort)
        folder = study.root / study.cohort_path(cohort)
        if clinical is None or not (folder / ".git").exists():
            continue
        published = _published(study, cohort, clinical)
        if published is None:
            continue
        inventory = study.inventory(cohort)
        label, session_of = dict(_labels(inventory)), session_labels(inventory)
        sessions: dict[str, set[str]] = {}
        for one in converted:
            if one.cohort == cohort:
                sessions.setdefault(one.subject, set()).add(one.session)
        by_session: list[str] = []
        for table in (one.table for one in published):
            rows = [
                (subject, session, row.values)
                for row in table.rows
                for subject in (label.get(row.source_id, ""),)
                for session in (session_of.get((subject, row.session), row.session),)
                if subject in sessions and (not session or session in sessions[subject])
            ]
            columns = [column.name for column in table.columns]
            if len({subject for subject, *_ in rows}) < len(rows):
                by_session.append(f"phenotype/{table.name}.*")
            if columns and write_phenotype(folder, table.name, columns, rows, table.sidecar()):
                mark_uncommitted(study.root)
        if write_bidsignore(folder, by_session):
            mark_uncommitted(study.root)


def _labels(inventory: Inventory | None) -> Iterator[tuple[str, str]]:
    """Yield every identifier in the source with its subject label."""
    for row in inventory.subjects if inventory else ():
        if row.source_id and row.subject:
            yield row.source_id, row.subject


def _published(study: Study, cohort: str, clinical: Clinical) -> list[Published] | None:
    """Return a cohort's tables without identity; None where nobody can tell whose to look for."""
    tables = [one for one in clinical.phenotypes() if one.columns and not _comes_twice(one)]
    card = study.card(cohort)
    pattern = card.subjects.pattern
    if not tables:
        return []
    if card.cohort.access != "restricted":
        return [_changed(one, _without_identifier(one, pattern)) for one in tables]
    from cta_data.intake.identities import identity_of_cohort  # with pydicom

    inventory = study.inventory(cohort)
    identity = identity_of_cohort(inventory, clinical, pattern) if inventory else None
    if identity is None:
        return None
    redactor = CellRedactor(identity, WORDS)
    return [_changed(one, _without_anybody(one, redactor)) for one in tables]


def _changed(before: Phenotype, after: Phenotype) -> Published:
    """Return a table with capped ages, and what of it is not as it was."""
    after = after.with_cells(lambda row, column, text: _capped(text) if column.is_age else text)
    changed = [
        new.header
        for i, (old, new) in enumerate(zip(before.columns, after.columns, strict=True))
        if old.header != new.header
        or any(a.values[i] != b.values[i] for a, b in zip(before.rows, after.rows, strict=True))
    ]
    return Published(after, tuple(changed))


def _without_anybody(table: Phenotype, redactor: CellRedactor) -> Phenotype:
    redacted = table.with_cells(lambda row, column, text: redactor.redact(text))
    return redacted.with_headers(redactor.redact)


def _without_identifier(table: Phenotype, pattern: str) -> Phenotype:
    """Return a table whose texts do not hold the identifier of the patient whom they are about.

    A public collection's identifiers are no secret, and its labels lead back to them. Short
    numbers stay: they are parts of other numbers by chance.
    """

    def shown(row: PhenotypeRow, column: PhenotypeColumn, text: str) -> str:
        identifier = row.source_id
        if identifier.isdigit() and len(identifier) < LONG_NUMBER:
            return text
        public = is_public(pattern, identifier)
        return Redactor(Identity.of_identifier(identifier, public=public)).redact(text)

    return table.with_cells(shown)


def _capped(text: str) -> str:
    """Return the text of an age that tells no more of the oldest than BIDS does."""
    reading = read_age(text)
    if isinstance(reading.value, float):
        return str(OLDEST_AGE_YEARS) if reading.value > OLDEST_AGE_YEARS else text
    return ABOVE_OLDEST.sub(str(OLDEST_AGE_YEARS), text)


def _comes_twice(table: Phenotype) -> bool:
    keys = [(row.source_id, row.session) for row in table.rows]
    return len(set(keys)) < len(keys)
