"""Clinical tables in a study: who a session is of, and which row tells of which lesion."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from cta_data.cohorts.card import Card
from cta_data.cohorts.clinical.lesion_rows import LesionRow, link_lesions, target_type
from cta_data.cohorts.clinical.people import Clinical
from cta_data.cohorts.clinical.vocabulary import WORDS
from cta_data.engine import Unit
from cta_data.engine.sessions import (
    SourceSession,
    converted_sessions,
    session_labels,
    source_sessions,
)
from cta_data.files import json_line
from cta_data.intake.session_labels import is_safe
from cta_data.pipeline.convert.inputs import ConvertInputs
from cta_data.pipeline.convert.phenotype import phenotype_problems
from cta_data.reasons import Reason
from cta_data.redaction import CellRedactor, Identity, Redactor
from cta_data.redaction.identity import is_public
from cta_data.study.session_id import SessionId
from cta_data.study.study import Study
from cta_data.study.tables import ClinicalLinkRow, RoiRow


@dataclass(frozen=True)
class Told:
    """What clinical tables tell of a session: None where there are no such tables."""

    person: Mapping[str, Any] | None = None
    lesion_rows: tuple[Mapping[str, Any], ...] | None = None


class ToldOf:
    """What the clinical tables of a cohort tell of its sessions, by subject label."""

    def __init__(self, study: Study, cohort: str) -> None:
        self.clinical: Clinical | None = study.clinical(cohort)
        self._ids: dict[str, list[str]] = {}
        card = study.card(cohort)
        self._pattern = card.subjects.pattern
        self._has_lesions = any(table.lesions for table in card.clinical)
        inventory = study.inventory(cohort) if self.clinical else None
        self.labels = session_labels(inventory)
        for row in inventory.subjects if inventory else ():
            if row.source_id and row.subject:
                self._ids.setdefault(row.subject, []).append(row.source_id)
        self.is_restricted = card.cohort.access == "restricted"
        self._anybody = self._redactor_of_all() if self.is_restricted else None

    def _redactor_of_all(self) -> CellRedactor | None:
        """Return what finds the patients whom tables name; headers are asked at conversion."""
        if self.clinical is None or not self._has_lesions:
            return None
        numbers = {*self.clinical.subjects(), *(one for ids in self._ids.values() for one in ids)}
        secret = frozenset(one for one in numbers if not is_public(self._pattern, one))
        return CellRedactor(Identity(self.clinical.named_people(), secret), WORDS)

    def identifiers(self, subject: str) -> list[str]:
        """Return the identifiers of a subject in the source."""
        return self._ids.get(subject, [])

    def subject_of(self) -> dict[str, str]:
        """Return the subject label of every identifier in the source."""
        return {one: subject for subject, ids in self._ids.items() for one in ids}

    def session_of(self, identifier: str, delivered: str) -> tuple[str, str]:
        """Return the labels of a patient and a session of a table; empty where none may be told.

        A session that is not in the source has no label: in a restricted cohort its own may be a
        date.
        """
        subject = self.subject_of().get(identifier, "")
        unknown = delivered if not self.is_restricted or is_safe(delivered) else ""
        return subject, self.labels.get((subject, delivered), unknown)

    def redactor(self, identifier: str) -> Redactor | CellRedactor:
        """Return what removes identity from rows of a patient: in a restricted cohort, anybody's.

        Identifiers that are public are left in.
        """
        if self._anybody:
            return self._anybody
        public = is_public(self._pattern, identifier)
        return Redactor(Identity.of_identifier(identifier, public=public))

    def of(self, session: SourceSession) -> Told:
        """Return what conversion depends on: a changed row runs its own session again, no other."""
        if self.clinical is None:
            return Told()
        about: dict[str, Any] = {}
        rows: list[LesionRow] = []
        for identifier in self.identifiers(session.id.subject):
            person = self.clinical.person(identifier, session.delivered)
            about |= {k: v for k, v in vars(person).items() if v is not None}
            rows += [
                _without_identity(row, self.redactor(identifier).redact)
                for row in self.clinical.lesion_rows(identifier, session.delivered)
            ]
        if not self._has_lesions:
            return Told(about)
        names = ("number", "name", "location", "values")
        return Told(about, tuple({name: getattr(row, name) for name in names} for row in rows))


def _without_identity(row: LesionRow, redact: Callable[[str], str]) -> LesionRow:
    values = {name: redact(text) for name, text in row.values.items()}
    return replace(row, name=redact(row.name), location=redact(row.location), values=values)


def link_rows(
    unit: Unit[ConvertInputs],
    card: Card,
    regions: Sequence[RoiRow],
    names: Mapping[tuple[int, str], str] | None = None,
    redactor: Redactor | None = None,
) -> tuple[list[RoiRow], list[ClinicalLinkRow]]:
    """Join a session's lesion rows with its selected regions; tell what kind of target each is.

    Regions that are no lesion take no part.

    Parameters
    ----------
    names
        Those of regions by structure set and published name, where they differ.
    redactor
        Finds the session's patient.

    Returns
    -------
    list of RoiRow
        The regions, with their `target_type` where the card has rules on it.
    list of ClinicalLinkRow
        What was joined, and what was not.
    """

    def name_of(region: RoiRow) -> str:
        return (names or {}).get((region.structure_set, region.source_roi), region.source_roi)

    selected = [row for row in regions if row.selected]
    links: list[ClinicalLinkRow] = []
    places: dict[int, str] = {}
    if unit.given.lesion_rows is not None:
        listed = _listed_rows(unit, redactor)
        by_number = {row.number: row for row in listed}
        # ROI numbers are those of one structure set: of several, two may share a number.
        named = [(place, name_of(row)) for place, row in enumerate(selected, start=1)]
        for link in link_lesions(listed, named):
            row = by_number.get(link.row or 0)
            region = selected[link.roi - 1] if link.roi else None
            if row and link.roi:
                places[link.roi] = row.location
            rule = link.rule or None
            links.append(_link(card, unit.session, row, region, link.status, rule))
    if not card.targets:
        return list(regions), links
    kinds = {
        id(region): target_type(name_of(region), places.get(number, ""), card.targets)
        for number, region in enumerate(selected, start=1)
    }
    return [replace(row, target_type=kinds.get(id(row))) for row in regions], links


def _listed_rows(unit: Unit[ConvertInputs], redactor: Redactor | None) -> list[LesionRow]:
    session = unit.session.session
    rows = [
        LesionRow(row["number"], "", session, row["name"], row["location"], row["values"])
        for row in unit.given.lesion_rows or ()
    ]
    return [_without_identity(row, redactor.redact) for row in rows] if redactor else rows


def _link(
    card: Card,
    session: SessionId,
    row: LesionRow | None,
    region: RoiRow | None,
    status: str,
    rule: str | None = None,
) -> ClinicalLinkRow:
    return ClinicalLinkRow(
        session=session,
        clinical_row=row.number if row else 0,
        structure_set=region.structure_set if region else 0,
        roi_number=region.roi_number if region else 0,
        source_roi=region.source_roi if region else None,
        clinical_name=row.name if row and not card.withholds_roi_names else None,
        location=row.location or None if row else None,
        clinical_values=_json(row.values) if row and row.values else None,
        status=status,
        rule=rule,
    )


def _json(values: Mapping[str, str]) -> str:
    return json_line(dict(values), escaped=False)


def list_rows_without_session(study: Study) -> None:
    """List lesion rows of sessions that are not there, or could not be converted.

    No row of a table of lesions is lost: it is joined, or it is in `clinical_links` with what it
    lacks. A patient who is not in the source has no subject label, and an empty one there.
    """
    converted = converted_sessions(study)
    for cohort in study.cohorts_here:
        if not any(table.lesions for table in study.card(cohort).clinical):
            continue
        told = ToldOf(study, cohort)
        if told.clinical is None:
            continue
        card = study.card(cohort)
        rows = [
            _link(card, session, row, None, "row_without_roi")
            for row in _all_rows(told, told.clinical)
            for session in (SessionId(cohort, *told.session_of(row.source_id, row.session)),)
            if session not in converted
        ]
        links = study.tables.index(ClinicalLinkRow, ("cohort",)).get((cohort,), [])
        stale = {row.session for row in links} - converted
        stale |= {row.session for row in rows}
        study.tables.replace(ClinicalLinkRow, SessionId._fields, stale, rows)


def _all_rows(told: ToldOf, clinical: Clinical) -> Iterator[LesionRow]:
    """Yield all lesion rows; of a restricted cohort without texts, as no header was asked."""
    for identifier in clinical.subjects():
        for session in clinical.sessions(identifier):
            for row in clinical.lesion_rows(identifier, session):
                if told.is_restricted:
                    yield replace(row, name="", location="", values={})
                else:
                    yield _without_identity(row, told.redactor(identifier).redact)


def problems_of(study: Study, cohort: str) -> list[str]:
    """Return what in a cohort's clinical tables could not be used, without identifiers."""
    clinical = study.clinical(cohort)
    lines = []
    for one in clinical.problems if clinical else ():
        column = f", column {one.column!r}" if one.column else ""
        value = f": {one.value!r}" if one.value else ""
        times = f" ({one.count} rows)" if one.count else ""
        lines.append(f"clinical table {one.table}{column}{value}{times}: {one.message}")
    lines += phenotype_problems(study, cohort)
    uncertain = courses_that_differ(study, cohort)
    return lines + [f"sub-{subject}: {reason}" for subject, reason in uncertain.items()]


def courses_that_differ(study: Study, cohort: str) -> dict[str, Reason]:
    """Return why sessions of a subject are uncertain, by subject label.

    Sessions that are the rank of a date are those of the clinical tables only where all of them
    are here: with a part of them the second course would pass for the first.
    """
    told = ToldOf(study, cohort)
    if told.clinical is None or study.card(cohort).sessions.rule == "single":
        return {}
    here: dict[str, set[str]] = {}
    for session in source_sessions(study, cohort) or ():
        ranked = not all(row.source_file for row in session.series)
        if session.id.session and ranked:
            here.setdefault(session.id.subject, set()).add(session.id.session)
    reasons = {}
    for subject, sessions in sorted(here.items()):
        known = {s for one in told.identifiers(subject) for s in told.clinical.sessions(one) if s}
        if known and known != sessions:
            reasons[subject] = Reason(
                "courses_uncertain", sessions=sorted(sessions), known=sorted(known)
            )
    return reasons
