"""Who the patients of a cohort are: to look for in texts that leave the raw data, never to keep."""

from __future__ import annotations

import io
from collections.abc import Iterable
from pathlib import Path

from pydicom import dcmread

from cta_data.cohorts.clinical.people import Clinical
from cta_data.errors import DataRefused
from cta_data.formats.dicom.header import UNREADABLE, identity_of
from cta_data.intake.identity import normalise
from cta_data.intake.pack import read_series
from cta_data.intake.persons import NAME, PLACEHOLDERS
from cta_data.redaction import Identity
from cta_data.redaction.identity import is_public
from cta_data.study.sourcedata import Inventory, SeriesRow


def identity_of_cohort(inventory: Inventory, clinical: Clinical, pattern: str) -> Identity | None:
    """Return the names, numbers and birth dates of all patients, and people named beside them.

    From the identifiers, from one header of each kind of object a study, and from columns of names
    in clinical tables. None where a header is not here.

    Parameters
    ----------
    pattern
        Of the identifiers that are public (`subjects.pattern` of the card).
    """
    headers = []
    for row in _one_of_each(inventory.series):
        path = inventory.folder / row.file
        if not path.exists():
            return None
        headers.append(_identity_in(path))
    identifiers = {row.source_id for row in inventory.subjects} | {*clinical.subjects()}
    numbers = {one for one in identifiers if one and not is_public(pattern, one)}
    found = Identity.of_headers(headers)
    found |= Identity(names=clinical.named_people(), numbers=frozenset(numbers))
    nobody = PLACEHOLDERS[NAME]
    return Identity(
        frozenset(name for name in found.names if normalise(NAME, name) not in nobody),
        frozenset(
            number
            for number in found.numbers
            if normalise(NAME, number) not in nobody and not is_public(pattern, number)
        ),
        found.birth_dates,
    )


def _one_of_each(series: Iterable[SeriesRow]) -> list[SeriesRow]:
    """Return one DICOM series of each kind of object of a study: others name the same people."""
    chosen: dict[tuple[str, str, str], SeriesRow] = {}
    for row in series:
        if not row.source_file:
            chosen.setdefault((row.subject, row.study_uid, row.kind), row)
    return list(chosen.values())


def _identity_in(path: Path) -> dict[str, str]:
    """Return what the first instance of a series says; what is damaged was never converted."""
    try:
        content = next(iter(read_series(path)), b"")
        return identity_of(dcmread(io.BytesIO(content), stop_before_pixels=True, force=True))
    except (DataRefused, *UNREADABLE):
        return {}
