"""Clinical tables in a study: who a session is of, and which row tells of which lesion."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from cta_data.cohorts.card import Card
from cta_data.cohorts.clinical.lesion_rows import LesionRow, link_lesions, target_type
from cta_data.cohorts.clinical.people import Clinical
from cta_data.cohorts.clinical.vocabulary import WORDS
from cta_data.engine import Unit
from cta_data.engine.sessions import SourceSession, session_labels, source_sessions
from cta_data.files import json_line
from cta_data.intake.session_labels import is_safe
from cta_data.pipeline.convert.phenotype import phenotype_problems
from cta_data.redaction import CellRedactor, Identity, Redactor
from cta_data.redaction.identity import is_public
from cta_data.study.sourcedata import SOURCE_FILE
from cta_data.study.study import Study

SESSION = ("cohort", "subject", "session")
NO_REGION: Mapping[str, Any] = {"structure_set": 0, "roi_number": 0, "source_roi": None}


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

    def parameters(self, session: SourceSession) -> dict[str, Any]:
        """Return what conversion depends on: a changed row runs its own session again, no other."""
        if self.clinical is None:
            return {}
        told: dict[str, Any] = {"person": {}}
        rows: list[LesionRow] = []
        for identifier in self.identifiers(session.subject):
            person = self.clinical.person(identifier, session.delivered)
            told["person"] |= {k: v for k, v in vars(person).items() if v is not None}
            rows += [
                _without_identity(row, self.redactor(identifier).redact)
                for row in self.clinical.lesion_rows(identifier, session.delivered)
            ]
        if self._has_lesions:
            told["lesion_rows"] = [
                {
                    "number": row.number,
                    "name": row.name,
                    "location": row.location,
                    "values": row.values,
                }
                for row in rows
            ]
        return told


def _without_identity(row: LesionRow, redact: Callable[[str], str]) -> LesionRow:
    values = {name: redact(text) for name, text in row.values.items()}
    return replace(row, name=redact(row.name), location=redact(row.location), values=values)


def link_rows(
    unit: Unit,
    card: Card,
    annotations: list[dict[str, Any]],
    names: Mapping[tuple[int, str], str] | None = None,
    redactor: Redactor | None = None,
) -> list[dict[str, Any]]:
    """Join a session's lesion rows with its selected regions; tell what kind of target each is.

    The rows of the table `annotations` get their `target_type`. Regions that are no lesion take no
    part. `names` are those of regions by structure set and published name, where they differ;
    `redactor` finds the session's patient.
    """

    def name_of(region: Mapping[str, Any]) -> str:
        published = str(region["source_roi"])
        return (names or {}).get((region["structure_set"], published), published)

    selected = [row for row in annotations if row["selected"]]
    rows = [
        LesionRow(row["number"], "", unit.id.session, row["name"], row["location"], row["values"])
        for row in unit.parameters.get("lesion_rows", ())
    ]
    listed = [_without_identity(row, redactor.redact) for row in rows] if redactor else rows
    links: list[dict[str, Any]] = []
    places: dict[int, str] = {}
    if "lesion_rows" in unit.parameters:
        by_number = {row.number: row for row in listed}
        # ROI numbers are those of one structure set: of several, two may share a number.
        named = [(place, name_of(row)) for place, row in enumerate(selected, start=1)]
        for link in link_lesions(listed, named):
            row = by_number.get(link.row or 0)
            roi = selected[link.roi - 1] if link.roi else NO_REGION
            if row and link.roi:
                places[link.roi] = row.location
            links.append(
                _link(card, unit.id.subject, unit.id.session, row)
                | {
                    "structure_set": roi["structure_set"],
                    "roi_number": roi["roi_number"],
                    "source_roi": roi["source_roi"],
                    "status": link.status,
                    "rule": link.rule or None,
                }
            )
    if card.targets:
        for number, region in enumerate(selected, start=1):
            location = places.get(number, "")
            region["target_type"] = target_type(name_of(region), location, card.targets)
    return links


def _link(card: Card, subject: str, session: str, row: LesionRow | None) -> dict[str, Any]:
    return {
        "cohort": card.cohort.name,
        "subject": subject,
        "session": session,
        "clinical_row": row.number if row else 0,
        "clinical_name": row.name if row and not card.withholds_roi_names else None,
        "location": row.location or None if row else None,
        "clinical_values": _json(row.values) if row and row.values else None,
    }


def _json(values: Mapping[str, str]) -> str:
    return json_line(dict(values), escaped=False)


def list_rows_without_session(study: Study) -> None:
    """List lesion rows of sessions that are not there, or could not be converted.

    No row of a table of lesions is lost: it is joined, or it is in `clinical_links` with what it
    lacks. A patient who is not in the source has no subject label, and an empty one there.
    """
    units = study.tables.by_key("units")
    converted = {k[1:] for k, row in units.items() if k[0] == "convert" and row["status"] == "ok"}
    for cohort in study.cohorts_here:
        if not any(table.lesions for table in study.card(cohort).clinical):
            continue
        told = ToldOf(study, cohort)
        if told.clinical is None:
            continue
        card = study.card(cohort)
        rows = [
            _link(card, subject, session, row) | {**NO_REGION, "status": "row_without_roi"}
            for row in _all_rows(told, told.clinical)
            for subject, session in (told.session_of(row.source_id, row.session),)
            if (cohort, subject, session) not in converted
        ]
        before = {k[:3] for k in study.tables.by_key("clinical_links") if k[0] == cohort}
        stale = (before - converted) | {(cohort, r["subject"], r["session"]) for r in rows}
        study.tables.replace("clinical_links", SESSION, stale, rows)


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


def courses_that_differ(study: Study, cohort: str) -> dict[str, str]:
    """Return why sessions of a subject are uncertain, by subject label.

    Sessions that are the rank of a date are those of the clinical tables only where all of them
    are here: with a part of them the second course would pass for the first.
    """
    told = ToldOf(study, cohort)
    if told.clinical is None or study.card(cohort).sessions.rule == "single":
        return {}
    here: dict[str, set[str]] = {}
    for session in source_sessions(study, cohort) or ():
        ranked = any(SOURCE_FILE not in row.header for row in session.series)
        if session.session and ranked:
            here.setdefault(session.subject, set()).add(session.session)
    reasons = {}
    for subject, sessions in sorted(here.items()):
        known = {s for one in told.identifiers(subject) for s in told.clinical.sessions(one) if s}
        if known and known != sessions:
            reasons[subject] = (
                f"it is uncertain which courses these are: sessions {', '.join(sorted(sessions))} "
                f"by date, but the clinical tables know {', '.join(sorted(known))}"
            )
    return reasons
