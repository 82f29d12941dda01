"""DICOM segmentations of one session: segments to lesions on the grid of the image they lie on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from cta_data.cohorts.card import Card
from cta_data.cohorts.readers import reader_of
from cta_data.cohorts.roi_selection import RoiDecision, select_rois, technique_drawn_on
from cta_data.engine import UnitId, Workspace
from cta_data.errors import DataRefused
from cta_data.formats.dicom.segmentation import read_segmentation
from cta_data.formats.dicom.time import Moment, is_later
from cta_data.imaging.geometry.grid import describe_grid_difference
from cta_data.imaging.lesions.mask_lesions import MaskMeaning, lesions_of_masks
from cta_data.imaging.lesions.mask_placement import onto_voxels
from cta_data.pipeline.convert.annotation_choice import (
    Numbered,
    is_rejected,
    made_at,
    numbered_objects,
)
from cta_data.pipeline.convert.annotation_rows import RegionSource, region_rows, rejected_row
from cta_data.pipeline.convert.annotation_versions import (
    AnnotationVersions,
    annotation_versions,
    is_replaced,
)
from cta_data.pipeline.convert.contour_images import image_of_segmentation
from cta_data.pipeline.convert.image_rows import ConvertedImages, PlacedImage, RawSession
from cta_data.pipeline.convert.masks import write_drawn
from cta_data.pipeline.convert.roi_names import RoiNaming
from cta_data.pipeline.convert.session_annotations import (
    NewAnnotation,
    ObjectReader,
    SessionAnnotations,
)
from cta_data.reasons import Reason, together
from cta_data.study.tables import RoiRow

SEGMENTATIONS = "segmentations"
MADE, DRAWN = ("ContentDate", "ContentTime"), ("StructureSetDate", "StructureSetTime")


@dataclass(frozen=True)
class _Segments:
    """What one reader delineated in one segmentation object.

    `masks` are name and voxels (z, y, x) of each segment that is a lesion, on the grid of `image`.
    """

    number: int
    made: Moment | None
    reader: str
    drawn_on: str
    how: Reason
    image: PlacedImage
    decisions: tuple[RoiDecision, ...]
    masks: list[tuple[str, NDArray[np.generic]]]

    def names(self, naming: RoiNaming) -> dict[str, str]:
        """Return the names of its segments without identity, by the published ones."""
        return {d.roi.published: naming.redacted(d.roi.name) for d in self.decisions}


def convert_segmentations(
    unit: UnitId,
    session: RawSession,
    images: ConvertedImages,
    card: Card,
    workspace: Workspace,
    *,
    listed: str | None = None,
) -> SessionAnnotations:
    """Select the segments of a session that are lesions and write the labels of each annotation.

    Of several segmentations of one reader on one technique the card's policy chooses
    (annotations.structure_sets). One that counts and cannot be read refuses the session: an older
    one never takes its place.
    """
    section = card.annotations
    reader = ObjectReader.of(unit, session, images, card, listed)
    result = reader.result
    objects = numbered_objects(session.of_kind("SEG"), SEGMENTATIONS, MADE)
    result.refuse(objects.problem)
    if objects.rejected:
        left, n = len(objects.rejected), len(objects.rejected) + len(objects.counting)
        rejected = Reason("annotation_rejected_by_author")
        result.warnings.append(f"{left} of {n} segmentations left out: {rejected}")
    if not objects.counting and not objects.rejected and section.required:
        result.refuse(Reason("annotations_missing"))
    read = [segments for one in _without_older(reader, objects.counting) for segments in one]
    annotations = annotation_versions(read, section.structure_sets, SEGMENTATIONS, MADE)
    for number, annotation in enumerate(annotations, start=1):
        _write_versions(reader, number, annotation, workspace)
    result.finish()
    return result


def segmentations_count(session: RawSession, card: Card) -> bool:
    """Whether the segmentations of a session count, and not its structure sets.

    Raises
    ------
    DataRefused
        It has both, the card does not say which count, and a segmentation is the later one: it
        may hold what the structure set does not.
    """
    segmentations = [d for one in session.of_kind("SEG") for d in one.datasets]
    structure_sets = [d for one in session.of_kind("RTSTRUCT") for d in one.datasets]
    counting = [d for d in segmentations if not is_rejected(d)]
    drawn = [made_at(d, DRAWN) for d in structure_sets if not is_rejected(d)]
    if not (counting and drawn):
        return bool(counting) or not structure_sets
    if card.annotations.objects:
        return card.annotations.objects == "segmentations"
    if not all(_is_older(made_at(d, MADE), drawn) for d in counting):
        raise DataRefused(
            "annotation_objects_ambiguous",
            n_structure_sets=len(structure_sets),
            n_segmentations=len(segmentations),
        )
    return False


def _is_older(made: Moment | None, drawn: Iterable[Moment | None]) -> bool:
    """Tell whether a segmentation is no later than one of the structure sets, for certain."""
    return made is not None and any(one == made or is_later(one, made) for one in drawn)


def _without_older(reader: ObjectReader, objects: Sequence[Numbered]) -> list[list[_Segments]]:
    """Read the objects that count; one that cannot be read does not where a later one replaces it.

    Any other problem keeps the session from being used.
    """
    policy = reader.card.annotations.structure_sets
    found: list[list[_Segments]] = []
    sound: list[Moment | None] = []
    for one in sorted(objects, key=lambda one: one.number, reverse=True):
        made = made_at(one.raw.datasets[0], MADE)
        try:
            found.append(_read_object(reader, one, several=len(objects) > 1))
            sound.append(made)
        except DataRefused as error:
            if is_replaced(made, sound, policy):
                told = f"segmentation {one.number} does not count, nor can it be read: {error}"
                reader.result.notes.append(told)
            else:
                reader.result.refuse(error.reason)
    return found[::-1]


def _read_object(reader: ObjectReader, one: Numbered, *, several: bool) -> list[_Segments]:
    """Decide which segments of one object are lesions, and read those, by their readers."""
    card, result, naming = reader.card, reader.result, reader.naming
    dataset, header = one.raw.datasets[0], one.raw.header
    segmentation = read_segmentation(dataset)
    stated, _ = technique_drawn_on(card.annotations, header, None, reader.listed)
    found = image_of_segmentation(segmentation, reader.images.placed, stated)
    image = found.image
    if image is None:
        raise DataRefused(found.problem or Reason("segmented_image_missing"))
    drawn_on, how = technique_drawn_on(card.annotations, header, found.technique, reader.listed)
    what = f"segmentation {one.number}, segment" if several else "segment"
    labels = [(s.number, s.label) for s in segmentation.segments]
    regions = [naming.roi(number, label, what=what) for number, label in labels]
    selections = select_rois(regions, card.annotations)
    problems = [*selections.problems, *([] if drawn_on else [how])]
    if problems or not drawn_on:
        raise DataRefused(Reason("annotation_rules_not_met", cause=together(problems)))
    result.notes += [*found.notes, *naming.note(labels, what)]
    by_reader: dict[str, list[RoiDecision]] = {}
    for decision in selections.decisions:
        code = reader_of(card.annotations, header, decision.roi.name)
        by_reader.setdefault(code, []).append(decision)
    made = made_at(dataset, MADE)
    mask_of = partial(segmentation.mask, threshold=card.annotations.fraction_threshold)
    return [
        _Segments(
            one.number,
            made,
            code,
            drawn_on,
            how,
            image,
            tuple(decisions),
            [
                (d.roi.published, _onto(mask_of(d.roi.number), image, str(d.roi)))
                for d in decisions
                if d.selected
            ],
        )
        for code, decisions in by_reader.items()
    ]


def _write_versions(
    reader: ObjectReader,
    number: int,
    annotation: AnnotationVersions[_Segments],
    workspace: Workspace,
) -> None:
    """Write the labels of every version of an annotation, and rows of the one that counts."""
    result = reader.result
    result.techniques.append(annotation.drawn_on)
    if annotation.problem:
        result.refuse(annotation.problem)
        return
    if annotation.latest > 1:
        result.notes.append(f"the latest of {annotation.latest} segmentations was taken")
    for version, parts in enumerate(annotation.versions, start=1):
        names = sorted({part.image.name for part in parts})
        if len(names) > 1:
            result.refuse(Reason("segmentations_on_several_images", names=tuple(names)))
            return
        image = parts[0].image
        new = annotation.named(reader.card, version, image.space)
        own = number if version == annotation.latest else 0
        _write_lesions(reader, parts, new, own, workspace)


def _write_lesions(
    reader: ObjectReader,
    parts: Sequence[_Segments],
    new: NewAnnotation,
    number: int,
    workspace: Workspace,
) -> None:
    """Write the lesions of one version, and a row for every segment of the one that counts.

    `number` is that of the annotation within the session; 0 for an earlier version.
    """
    result, image = reader.result, parts[0].image
    meaning = MaskMeaning((1,), instances=reader.card.masks.instances)
    masks = [mask for part in parts for mask in part.masks]
    lesions = lesions_of_masks(masks, meaning, image.grid)
    decisions = [decision for part in parts for decision in part.decisions]
    if number:
        source = RegionSource(reader.unit.session, number, new.name, new.drawn_on, image.frame)
        result.notes += [f"drawn on {new.drawn_on}: {parts[0].how}", *lesions.notes]
        names = [part.names(reader.naming) for part in parts]
        result.names |= {(number, key): name for own in names for key, name in own.items()}
        rules = {d.roi.published: d.rule for d in decisions}
        rows = region_rows(source, lesions, rules)
        result.rows += [*rows, *_rejected_rows(source, decisions, len(rows))]
        missing = not lesions.lesions and reader.card.annotations.required
        problems = [lesions.impossible] if lesions.impossible else []
        problems += [Reason("lesion_segments_missing")] if missing else []
        if problems:
            result.refuse(Reason("annotation_rules_not_met", cause=together(problems)))
    session = reader.unit.session
    result.write_last(partial(write_drawn, session, new, lesions, image.grid, workspace, result))


def _rejected_rows(
    source: RegionSource, decisions: Iterable[RoiDecision], before: int
) -> list[RoiRow]:
    """Return a row for every segment that is no lesion; `before` regions are numbered already."""
    rejected = [(d, d.rejected) for d in decisions if d.rejected and not d.selected]
    return [
        rejected_row(source, number, decision.roi.published, reason, rule=decision.rule)
        for number, (decision, reason) in enumerate(rejected, start=before + 1)
    ]


def _onto(mask: sitk.Image, image: PlacedImage, name: str) -> NDArray[np.generic]:
    """Bring a segment to its image's voxels; a voxel is neither lost nor made."""
    try:
        return onto_voxels(mask, image.grid)
    except DataRefused as error:
        raise DataRefused(
            "segmentation_off_grid",
            name=name,
            technique=image.technique,
            difference=describe_grid_difference(mask, image.grid),
            cause=error.reason,
        ) from error
