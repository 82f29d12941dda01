"""How the raw series of one session become BIDS images, contours and rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cta_data.bids.dataset import OLDEST_AGE_YEARS
from cta_data.cohorts.card import Card
from cta_data.cohorts.file_roles import DICOM
from cta_data.engine import (
    Outcome,
    Unit,
    Workspace,
)
from cta_data.pipeline.convert.annotations import convert_annotations
from cta_data.pipeline.convert.clinical import link_rows
from cta_data.pipeline.convert.files import convert_file_images, session_files
from cta_data.pipeline.convert.image_rows import ConvertedImages
from cta_data.pipeline.convert.images import convert_images, read_session
from cta_data.pipeline.convert.inputs import ConvertInputs
from cta_data.pipeline.convert.masks import convert_masks
from cta_data.pipeline.convert.registration_objects import convert_registrations
from cta_data.pipeline.convert.segmentations import convert_segmentations, segmentations_count
from cta_data.pipeline.convert.session_annotations import SessionAnnotations
from cta_data.study.tables import SessionRow


def run(unit: Unit[ConvertInputs], workspace: Workspace) -> Outcome:
    """Convert one session.

    Raises
    ------
    DataRefused
        A required series is missing or ambiguous, or a series is no regular volume.
    """
    card = unit.given.read_card()
    form = unit.given.form
    if form == DICOM:
        images, annotations = _convert_dicom(unit, card, workspace)
    else:
        files = session_files(unit, card, workspace)
        images = convert_file_images(unit.id, files, card, form, workspace)
        annotations = convert_masks(unit.id, files, images, card, workspace)
    if unit.given.other_files:
        others = unit.given.other_files
        images.notes.append(f"converted from its form {form!r}; {others} files of another are kept")
    subject = SessionRow(
        session=unit.session,
        **_published({**images.person, **(unit.given.person or {})}),
        annotation_techniques=tuple(sorted(set(annotations.techniques))) or None,
        qualities=_qualities(card, annotations) or None,
        form=form,
        missing=tuple(images.missing),
        licence=card.cohort.licence,
    )
    regions, links = link_rows(
        unit, card, annotations.rows, annotations.names, annotations.redactor
    )
    return Outcome(
        rows=[subject, *images.rows, *regions, *annotations.written, *links],
        notes=images.notes + annotations.notes,
        warnings=images.warnings + annotations.warnings,
        refused=annotations.refused,
    )


def _qualities(card: Card, annotations: SessionAnnotations) -> tuple[str, ...]:
    """Return the qualities of a session's annotations, in the order of their techniques."""
    found = [card.quality_of(technique) for technique in sorted(set(annotations.techniques))]
    return tuple(quality for quality in found if quality)


def _published(person: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is told of a person: the oldest are as old as BIDS has them at most."""
    age = person.get("age_years")
    capped = age if age is None else min(float(age), OLDEST_AGE_YEARS)
    return {**person, "age_years": capped}


def _convert_dicom(
    unit: Unit[ConvertInputs], card: Card, workspace: Workspace
) -> tuple[ConvertedImages, SessionAnnotations]:
    session = read_session(unit, workspace)
    images = convert_images(unit.id, session, card, workspace)
    policy = card.geometry.registration_objects
    convert_registrations(unit.id, session, images, policy, workspace)
    counts = segmentations_count(session, card)
    read = convert_segmentations if counts else convert_annotations
    listed = unit.given.drawn_on
    return images, read(unit.id, session, images, card, workspace, listed=listed)
