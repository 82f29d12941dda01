"""DICOM segmentations of one session: segments to lesions on the grid of the image they lie on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from cta_data.cohorts.card import Card
from cta_data.cohorts.roi_selection import (
    RoiDecision,
    RoiName,
    Selections,
    select_rois,
    technique_drawn_on,
)
from cta_data.engine import UnitId, Workspace
from cta_data.errors import DataRefused
from cta_data.formats.dicom.header import header_of
from cta_data.formats.dicom.segmentation import Segmentation, read_segmentation
from cta_data.formats.dicom.time import Moment, in_order, is_later
from cta_data.imaging.geometry.grid import describe_grid_difference
from cta_data.imaging.lesions.mask_lesions import MaskMeaning, lesions_of_masks
from cta_data.imaging.lesions.mask_placement import onto_voxels
from cta_data.pipeline.convert.annotation_choice import (
    is_rejected,
    made_at,
    one_is_latest,
)
from cta_data.pipeline.convert.annotation_rows import region_rows, rejected_row
from cta_data.pipeline.convert.annotations import SessionAnnotations, session_identity
from cta_data.pipeline.convert.contour_images import image_of_segmentation
from cta_data.pipeline.convert.image_rows import ConvertedImages, PlacedImage, RawSeries, RawSession
from cta_data.pipeline.convert.masks import write_drawn
from cta_data.pipeline.convert.roi_names import RoiNaming
from cta_data.reasons import Reason, together
from cta_data.redaction import Redactor
from cta_data.study.tables import RoiRow

MADE, DRAWN = ("ContentDate", "ContentTime"), ("StructureSetDate", "StructureSetTime")


@dataclass(frozen=True)
class _Segments:
    """What one segmentation object gives.

    `masks` are name and voxels (z, y, x) of each segment that is a lesion, on the grid of `image`.
    """

    image: PlacedImage
    drawn_on: str | None
    how: Reason
    selections: Selections
    masks: list[tuple[str, NDArray[np.generic]]]


def convert_segmentations(
    unit: UnitId,
    session: RawSession,
    images: ConvertedImages,
    card: Card,
    workspace: Workspace,
    *,
    listed: str | None = None,
) -> SessionAnnotations:
    """Select the segments of a session that are lesions and write them as labels.

    Of several segmentations the card's policy chooses (annotations.structure_sets). One that
    counts and cannot be read refuses the session: an older one never takes its place.

    Raises
    ------
    DataRefused
        A segmentation is damaged, or its voxels are not those of the image that it lies on.
    """
    result = SessionAnnotations()
    naming = RoiNaming(card.withholds_roi_names, Redactor(session_identity(session)))
    result.redactor = naming.redactor
    read: list[_Segments] = []
    chosen = _chosen(session.of_kind("SEG"), card, result)
    for raw in chosen:
        segmentation, header = read_segmentation(raw.datasets[0]), header_of(raw.datasets[0])
        stated, _ = technique_drawn_on(card.annotations, header, None, listed)
        found = image_of_segmentation(segmentation, images.placed, stated)
        if found.image is None:
            result.refused = found.problem
            return result
        result.notes += found.notes
        drawn_on = technique_drawn_on(card.annotations, header, found.technique, listed)
        what = f"segmentation {len(read) + 1}, segment" if len(chosen) > 1 else "segment"
        labels = [(s.number, s.label) for s in segmentation.segments]
        result.notes += naming.note(labels, what)
        regions = [naming.roi(number, label, what=what) for number, label in labels]
        result.names |= {(1, one.published): naming.redacted(one.name) for one in regions}
        read.append(_segments(segmentation, found.image, card, drawn_on, regions))
    if not read:
        return result
    names = sorted({one.image.name for one in read})
    if len(names) > 1 or len({one.drawn_on for one in read}) > 1:
        result.refused = Reason("segmentations_on_several_images", names=tuple(names))
        return result
    _write_lesions(unit, read, card, workspace, result)
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


def _segments(
    segmentation: Segmentation,
    image: PlacedImage,
    card: Card,
    drawn_on: tuple[str | None, Reason],
    regions: list[RoiName],
) -> _Segments:
    """Decide which segments of one object are lesions, and read those.

    `drawn_on` is the technique and how it is known.
    """
    selections = select_rois(regions, card.annotations)
    chosen = [d.roi for d in selections.decisions if d.selected]
    masks = [
        (roi.published, _onto(segmentation.mask(roi.number), image, str(roi))) for roi in chosen
    ]
    return _Segments(image, *drawn_on, selections, masks)


def _write_lesions(
    unit: UnitId,
    read: Sequence[_Segments],
    card: Card,
    workspace: Workspace,
    result: SessionAnnotations,
) -> None:
    """Write the lesions of all segments that count, and a row for every segment."""
    image, drawn_on, how = read[0].image, read[0].drawn_on, read[0].how
    meaning = MaskMeaning((1,), instances=card.masks.instances)
    masks = [mask for one in read for mask in one.masks]
    lesions = lesions_of_masks(masks, meaning, image.grid)
    decisions = [decision for one in read for decision in one.selections.decisions]
    problems = [problem for one in read for problem in one.selections.problems]
    problems += [] if drawn_on else [how]
    problems += [lesions.impossible] if lesions.impossible else []
    result.drawn_on = drawn_on
    result.notes += [f"drawn on {drawn_on}: {how}", *lesions.notes]
    rules = {d.roi.published: d.rule for d in decisions}
    result.rows = region_rows(unit.session, lesions, drawn_on, image.frame, rules)
    result.rows += _rejected_rows(unit, decisions, len(result.rows), drawn_on, image)
    if not lesions.lesions and card.annotations.required:
        problems.append(Reason("lesion_segments_missing"))
    if problems:
        result.refused = Reason("annotation_rules_not_met", cause=together(problems))
    else:
        write_drawn(unit.session, image.space, lesions, image.grid, card, workspace, result)


def _rejected_rows(
    unit: UnitId,
    decisions: Sequence[RoiDecision],
    before: int,
    drawn_on: str | None,
    image: PlacedImage,
) -> list[RoiRow]:
    """Return a row for every segment that is no lesion; `before` regions are numbered already."""
    rejected = [(d, d.rejected) for d in decisions if d.rejected and not d.selected]
    return [
        rejected_row(
            unit.session,
            number,
            decision.roi.published,
            drawn_on,
            image.frame,
            rule=decision.rule,
            reason=reason,
        )
        for number, (decision, reason) in enumerate(rejected, start=before + 1)
    ]


def _chosen(series: Sequence[RawSeries], card: Card, result: SessionAnnotations) -> list[RawSeries]:
    """Return the segmentation objects to read, by the card's policy for several of them."""
    single = [RawSeries(s.kind, s.identifier, [d], s.header) for s in series for d in s.datasets]
    counting = [raw for raw in single if not is_rejected(raw.datasets[0])]
    ordered = sorted(counting, key=lambda raw: (in_order(_made(raw)), _identifier(raw)))
    policy = card.annotations.structure_sets
    if len(counting) < len(single):
        left = len(single) - len(counting)
        rejected = Reason("annotation_rejected_by_author")
        result.warnings.append(f"{left} of {len(single)} segmentations left out: {rejected}")
    if not ordered and single:
        result.refused = Reason("segmentations_all_rejected", n_single=len(single))
    elif not ordered and card.annotations.required:
        result.refused = Reason("annotations_missing")
    if len(ordered) < 2 or policy == "all":
        return ordered
    if policy == "refuse":
        result.refused = Reason("segmentations_several", n_segmentations=len(ordered))
        return []
    undecided = _undecided(ordered)
    if undecided:
        result.refused = Reason("segmentation_latest_unknown", found=undecided)
        return []
    result.notes.append(f"the latest of {len(ordered)} segmentations was taken")
    return ordered[-1:]


def _undecided(ordered: Sequence[RawSeries]) -> str:
    """Return why the latest of several segmentations is not known, or an empty text."""
    stamps = [_made(raw) for raw in ordered]
    if None in stamps:
        return f"{stamps.count(None)} of {len(ordered)} segmentations have no date (ContentDate)"
    if one_is_latest(stamps):
        return ""
    several = 1 + sum(not is_later(stamps[-1], one) for one in stamps[:-1])
    return f"{several} of {len(ordered)} segmentations may be the latest"


def _made(raw: RawSeries) -> Moment | None:
    return made_at(raw.datasets[0], MADE)


def _identifier(raw: RawSeries) -> str:
    return str(raw.datasets[0].get("SOPInstanceUID", ""))


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
