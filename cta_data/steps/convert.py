"""Convert: raw series of one session become BIDS images, contours and rows, without identity."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from typing import Any

from cta_data.cohorts.card import Card
from cta_data.engine import (
    Blocked,
    Outcome,
    Selection,
    Step,
    Unit,
    UnitId,
    Workspace,
    session_scope,
)
from cta_data.errors import ConfigurationError
from cta_data.steps.convert_annotations import convert_annotations, convert_registrations
from cta_data.steps.convert_images import convert_images, read_session
from cta_data.steps.sessions import (
    SourceSession,
    make_unit,
    read_cohort_inventory,
    require_outputs,
    selected_cohorts,
    source_sessions,
)
from cta_data.study import Study

VERSION = 1
NEXT_STEP = "Add it again when that is mended"


def plan(study: Study, selection: Selection) -> Iterator[Unit | Blocked]:
    """List one unit a session in sourcedata."""
    for cohort in selected_cohorts(study, selection):
        require_outputs(study, cohort)
        sessions = source_sessions(study, cohort)
        if sessions is None:
            continue
        card = study.card(cohort)
        parameters = _parameters(card)
        listed = listed_techniques(study, cohort, card.annotations.drawn_on_table)
        for session in sessions:
            if selection.takes(cohort, session.subject):
                drawn_on = listed.get(session.subject)
                yield _unit(study, session, parameters | {"drawn_on": drawn_on})


def listed_techniques(study: Study, cohort: str, table: str) -> dict[str, str]:
    """Return the technique that lesions were drawn on, by subject, from a cohort's own table.

    The table is a TSV in sourcedata with the columns `source_id` and `technique`.

    Raises
    ------
    ConfigurationError
        The card names a table that is not there, or that lacks one of the columns.
    """
    inventory = read_cohort_inventory(study, cohort) if table else None
    if inventory is None:
        return {}
    path = study.root / study.sourcedata_path(cohort) / table
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file, delimiter="\t"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(
            "the card's table of drawing techniques cannot be read",
            where=f"{study.sourcedata_path(cohort)}/{table}",
            why=type(error).__name__,
            next_step="Put it there, or change annotations.drawn_on_table in the card",
        ) from error
    if rows and not {"source_id", "technique"} <= set(rows[0]):
        raise ConfigurationError(
            "the table needs the columns source_id and technique, separated by tabs",
            where=f"{study.sourcedata_path(cohort)}/{table}",
            why=f"it has {', '.join(str(name) for name in rows[0])}",
        )
    techniques = {row["source_id"].strip(): row["technique"].strip() for row in rows}
    return {
        row.subject: techniques[row.source_id]
        for row in inventory.subjects
        if techniques.get(row.source_id)
    }


def _unit(study: Study, session: SourceSession, parameters: dict[str, Any]) -> Unit | Blocked:
    unit = session.unit("convert")
    if session.refused:
        why = f"refused when it was added: {session.refused}. {NEXT_STEP}"
        return Blocked(unit, VERSION, why)
    source = study.sourcedata_path(session.cohort)
    paths = {f"{row.kind}:{row.series}": f"{source}/{row.file}" for row in session.series}
    return make_unit(study, unit, VERSION, paths, parameters)


def _parameters(card: Card) -> dict[str, Any]:
    """Return the parts of a card that conversion depends on, as JSON content."""
    parts = {"cohort", "series", "repairs", "annotations", "groups"}
    content = card.model_dump(mode="json", include=parts)
    # What is only told to people does not change an image.
    content["cohort"] = {k: card.cohort.model_dump()[k] for k in ("name", "licence")}
    return {"card": content}


def run(unit: Unit, workspace: Workspace) -> Outcome:
    """Convert one session.

    Raises
    ------
    DataRefused
        A required series is missing or ambiguous, or a series is no regular volume.
    """
    card = card_from(unit)
    session = read_session(unit, workspace)
    images = convert_images(unit.id, session, card, workspace)
    convert_registrations(unit.id, session, images, workspace)
    annotations = convert_annotations(
        unit.id, session, images, card, workspace, listed=unit.parameters["drawn_on"]
    )
    subject = {
        "cohort": unit.id.cohort,
        "subject": unit.id.subject,
        "session": unit.id.session,
        **images.person,
        "annotation_technique": annotations.drawn_on,
        "quality": card.quality_of(annotations.drawn_on),
        "licence": card.cohort.licence,
    }
    return Outcome(
        tables={
            "subjects": [subject],
            "images": images.rows,
            "annotations": annotations.rows,
        },
        notes=images.notes + annotations.notes,
        refused=annotations.refused,
    )


def card_from(unit: Unit) -> Card:
    """Return the card that a unit carries in its parameters."""
    content = dict(unit.parameters["card"])
    about = {"title": "", "access": "restricted", "how_to_get": ""} | content["cohort"]
    return Card.model_validate(content | {"cohort": about})


def owns(unit: UnitId) -> dict[str, dict[str, Any]]:
    """Return the rows that a session's conversion replaces."""
    base = session_scope("subjects", "annotations")(unit)
    return base | session_scope("images", description="")(unit)


CONVERT = Step("convert", plan, run, owns)
