"""Convert: raw series of one session become BIDS images, contours and rows, without identity."""

from __future__ import annotations

import csv
from collections.abc import Iterator

from cta_data.cohorts.card import Card
from cta_data.cohorts.file_roles import DICOM, match_file, preferred_form
from cta_data.engine import (
    Blocked,
    RunOf,
    Selection,
    Step,
    Unit,
    UnitId,
    session_scope,
)
from cta_data.engine.inputs import Files
from cta_data.engine.sessions import SourceSession, make_unit, selected_cohorts, source_sessions
from cta_data.engine.units import Scope
from cta_data.errors import ConfigurationError
from cta_data.files import json_line
from cta_data.pipeline.convert.clinical import Told, ToldOf
from cta_data.pipeline.convert.inputs import ConvertInputs
from cta_data.reasons import Reason
from cta_data.study.annotations import DELIVERED
from cta_data.study.study import Study
from cta_data.study.tables import AnnotationRow, ClinicalLinkRow, ImageRow, RoiRow, SessionRow

VERSION = 10


def plan(study: Study, selection: Selection) -> Iterator[Unit | Blocked]:
    """List one unit a session in sourcedata."""
    for cohort in selected_cohorts(study, selection):
        sessions = source_sessions(study, cohort)
        if sessions is None:
            continue
        card = study.card(cohort)
        content = _content(card)
        listed = listed_techniques(study, cohort, card.annotations.drawn_on_table)
        told = ToldOf(study, cohort)
        for session in sessions:
            if selection.takes(cohort, session.id.subject):
                about = told.of(session)
                yield _unit(study, session, card, content, listed.get(session.id.subject), about)


def why_masks_unreadable(card: Card) -> Reason | None:
    """Return why the masks of a cohort cannot be read, or None."""
    has_masks = any(rule.role == "mask" for rule in card.files)
    if has_masks and not card.masks.says_what_is_lesion:
        return Reason("lesion_values_undefined")
    return None


def listed_techniques(study: Study, cohort: str, table: str) -> dict[str, str]:
    """Return the technique that lesions were drawn on, by subject, from a cohort's own table.

    The table is a TSV in sourcedata with the columns `source_id` and `technique`.

    Raises
    ------
    ConfigurationError
        The card names a table that is not there, that lacks one of the columns, or that gives a
        patient two techniques.
    """
    inventory = study.inventory(cohort) if table else None
    if inventory is None:
        return {}
    path = study.root / study.sourcedata_path(cohort) / table
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file, delimiter="\t"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(
            "technique_table_unreadable",
            where=f"{study.sourcedata_path(cohort)}/{table}",
            error_type=type(error).__name__,
        ) from error
    if rows and not {"source_id", "technique"} <= set(rows[0]):
        raise ConfigurationError(
            "technique_table_columns_missing",
            where=f"{study.sourcedata_path(cohort)}/{table}",
            rows=", ".join(str(name) for name in rows[0]),
        )
    techniques: dict[str, str] = {}
    for row in rows:
        identifier, technique = row["source_id"].strip(), row["technique"].strip()
        if techniques.setdefault(identifier, technique) != technique:
            raise ConfigurationError(
                "technique_table_contradicts",
                where=f"{study.sourcedata_path(cohort)}/{table}",
                techniques=techniques[identifier],
                technique=technique,
            )
    return {
        row.subject: techniques[row.source_id]
        for row in inventory.subjects
        if techniques.get(row.source_id)
    }


def _unit(
    study: Study,
    session: SourceSession,
    card: Card,
    content: str,
    drawn_on: str | None,
    told: Told,
) -> Unit | Blocked:
    unit = UnitId("convert", session.id)
    if session.refused:
        return Blocked(unit, VERSION, Reason("refused_when_added", cause=session.refused))
    source = study.sourcedata_path(session.id.cohort)
    places = {row.series: row.source_file for row in session.series if row.source_file}
    has_dicom = len(places) < len(session.series)
    matches = {series: match_file(place, card.files) for series, place in places.items()}
    form = preferred_form(matches.values(), card.files, dicom=has_dicom)
    if not form:
        return Blocked(
            unit,
            VERSION,
            Reason("session_matches_no_rule"),
        )
    if form == DICOM:
        rows = [row for row in session.series if row.series not in places]
        series = {(row.kind, row.series): f"{source}/{row.file}" for row in rows}
    else:
        undecided = why_masks_unreadable(card)
        if undecided:
            return Blocked(unit, VERSION, undecided)
        forms = {series: match.rule.form for series, match in matches.items() if match}
        rows = [row for row in session.series if forms.get(row.series) == form]
        series = {("file", row.series): f"{source}/{row.file}" for row in rows}
    given = ConvertInputs(
        card=content,
        form=form,
        other_files=len(session.series) - len(rows),
        drawn_on=drawn_on,
        series=Files(series),
        files=None if form == DICOM else {row.series: places[row.series] for row in rows},
        person=told.person,
        lesion_rows=told.lesion_rows,
    )
    return make_unit(study, unit, VERSION, given)


def _content(card: Card) -> str:
    """Return the parts of a card that conversion depends on, as JSON."""
    parts = {"series", "files", "geometry", "repairs", "annotations", "masks", "groups", "cohort"}
    parts |= {"targets", "subjects"}
    content = card.model_dump(mode="json", include=parts)
    # What is only told to people does not change an image.
    content["cohort"] = {k: card.cohort.model_dump()[k] for k in ("name", "licence", "access")}
    return json_line(content, sorted_keys=False)  # in the card's order, which may mean something


def owns(unit: UnitId) -> Scope:
    """Return the rows that a session's conversion replaces."""
    base = session_scope(SessionRow, RoiRow, ClinicalLinkRow)(unit)
    base |= session_scope(AnnotationRow, origin=DELIVERED)(unit)
    return base | session_scope(ImageRow, description="")(unit)


CONVERT = Step("convert", plan, RunOf("cta_data.pipeline.convert.session"), owns)
