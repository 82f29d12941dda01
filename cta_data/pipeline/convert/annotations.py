"""The structure sets of one session: ROIs to rows, selected contours to files without identity."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial

from cta_data.cohorts.card import Card
from cta_data.engine import UnitId, Workspace
from cta_data.errors import DataRefused
from cta_data.formats.contours_json import write_contours
from cta_data.imaging.rasterization.contour_reference import same_contours, two_versions
from cta_data.imaging.rasterization.contours import Roi
from cta_data.pipeline.convert.annotation_choice import Numbered, numbered_objects
from cta_data.pipeline.convert.annotation_rows import rejected_columns
from cta_data.pipeline.convert.annotation_versions import (
    AnnotationVersions,
    annotation_versions,
    is_replaced,
)
from cta_data.pipeline.convert.image_rows import ConvertedImages, RawSession
from cta_data.pipeline.convert.session_annotations import (
    NewAnnotation,
    ObjectReader,
    SessionAnnotations,
)
from cta_data.pipeline.convert.structure_set_reading import (
    MADE,
    DelineatedSet,
    SetReading,
    read_rois,
    read_set,
    roi_rows,
)
from cta_data.reasons import Reason
from cta_data.study import layout

STRUCTURE_SETS = "structure sets"


def convert_annotations(
    unit: UnitId,
    session: RawSession,
    images: ConvertedImages,
    card: Card,
    workspace: Workspace,
    *,
    listed: str | None = None,
) -> SessionAnnotations:
    """Select the lesions of a session and write the contours of each annotation.

    `listed` is the technique that the cohort's own table gives for the subject, if any.

    What keeps the structure sets from being used is in `refused`: the rows are kept, so that a
    user can see every ROI and what was decided about it.
    """
    section = card.annotations
    reader = ObjectReader.of(unit, session, images, card, listed)
    result = reader.result
    objects = numbered_objects(session.of_kind("RTSTRUCT"), STRUCTURE_SETS, MADE)
    result.refuse(objects.problem)
    _list_rejected(reader, objects.rejected, any_counts=bool(objects.counting))
    readings = [read_set(reader, one) for one in objects.counting]
    counting = _without_older(reader, readings)
    sets = [one for reading in counting for one in reading.sets]
    annotations = annotation_versions(sets, section.structure_sets, STRUCTURE_SETS, MADE)
    _take_over(reader, counting, annotations)
    for annotation in annotations:
        _write_versions(reader, annotation, workspace)
    if not (objects.counting or objects.rejected) and section.required:
        result.refuse(Reason("structure_set_missing"))
    if objects.counting and section.required and not any(row.selected for row in result.rows):
        result.refuse(Reason("lesion_rois_missing"))
    result.finish()
    return result


def _list_rejected(reader: ObjectReader, rejected: Iterable[Numbered], *, any_counts: bool) -> None:
    """List the ROIs of structure sets that their author rejected: they never count."""
    reason = Reason("annotation_rejected_by_author")
    numbers = [_list_left(reader, one, reason) for one in rejected]
    if numbers and any_counts:
        n = len(numbers)
        told = f"{n} structure set{'s' * (n > 1)} left out: {reason}"
        reader.result.warnings.append(told)


def _without_older(reader: ObjectReader, readings: Sequence[SetReading]) -> list[SetReading]:
    """Return the readings that count; one with a problem does not where a later one replaces it.

    Any other problem keeps the session from being used.
    """
    sound = [one.made for one in readings if not one.problem]
    policy = reader.card.annotations.structure_sets
    counting = []
    for reading in readings:
        if reading.problem and is_replaced(reading.made, sound, policy):
            _list_left(reader, reading.one, Reason("annotation_older"))
            continue
        reader.result.refuse(reading.problem)
        counting.append(reading)
    return counting


def _take_over(
    reader: ObjectReader,
    readings: Iterable[SetReading],
    annotations: Iterable[AnnotationVersions[DelineatedSet]],
) -> None:
    """Take over rows, notes and warnings; of structure sets that do not count the rows alone."""
    earlier = {one.number for annotation in annotations for one in annotation.earlier}
    latest = {
        one.number
        for annotation in annotations
        for version in annotation.versions[-1:]
        for one in version
    }
    for reading in readings:
        reader.result.rows += reading.rows
        if reading.one.number not in earlier - latest:
            reader.result.notes += reading.notes
            reader.result.warnings += reading.warnings


def _list_left(reader: ObjectReader, one: Numbered, reason: Reason) -> int:
    """Write rows for the ROIs of a structure set that does not count; return its number."""
    result = reader.result
    try:
        _, selections = read_rois(reader, one, result.notes)
    except DataRefused as error:
        result.notes.append(
            f"structure set {one.number} does not count, nor can it be read: {error}"
        )
        return one.number
    result.rows += [
        replace(row, selected=False, **rejected_columns(reason))
        for row in roi_rows(reader.unit, one.number, selections, None, None)
    ]
    return one.number


def _write_versions(
    reader: ObjectReader, annotation: AnnotationVersions[DelineatedSet], workspace: Workspace
) -> None:
    """Write the contours of every version of an annotation, and name it in the rows of its ROIs."""
    result = reader.result
    result.techniques.append(annotation.drawn_on)
    if annotation.problem:
        result.refuse(annotation.problem)
        for one in annotation.versions[-1]:
            result.reject_rows(one.holds, annotation.left)
        return
    if annotation.latest > 1:
        result.notes.append(f"the latest of {annotation.latest} structure sets was taken")
    for number, parts in enumerate(annotation.versions, start=1):
        joined = _joined(parts, result)
        if joined is None:
            return
        space, rois = joined
        new = annotation.named(reader.card, number, space)
        for part in parts:
            result.change_rows(part.holds, annotation=new.name)
            if new.reason:
                result.reject_rows(part.holds, new.reason)
        result.write_last(partial(_write, reader, new, rois, workspace))


def _write(
    reader: ObjectReader, new: NewAnnotation, rois: Sequence[Roi], workspace: Workspace
) -> None:
    session = reader.unit.session
    path = layout.contours(session, new.space, new.name)
    write_contours(rois, workspace.write(path))
    reader.result.add(session, new, "contours", len(rois), path, workspace)


def _joined(
    parts: Sequence[DelineatedSet], result: SessionAnnotations
) -> tuple[str, list[Roi]] | None:
    """Put the lesions of parts of one annotation together; None where they contradict each other.

    Returns
    -------
    The space of the contours, and the contours.
    """
    spaces = {part.number: part.space for part in parts}
    if len(set(spaces.values())) > 1:
        each = " and ".join(f"{value} (number {n})" for n, value in spaces.items())
        result.refuse(Reason("structure_sets_on_several_images", each=each))
        return None
    kept: list[tuple[int, Roi]] = []
    for part in parts:
        for roi in part.rois:
            others = [(n, r) for n, r in kept if n != part.number]
            twin = next((n for n, r in others if same_contours(r, roi)), None)
            if twin is not None:
                own = replace(part, rois=[roi])
                result.reject_rows(own.holds, Reason("contours_repeated", twin=twin))
                continue
            double = next((n for n, r in others if two_versions(r, roi)), None)
            if double is not None:
                names = {"roi": roi.name, "double": double, "number": part.number}
                result.refuse(Reason("contour_versions_differ", **names))
                return None
            kept.append((part.number, roi))
    return parts[0].space, [roi for _, roi in kept]
