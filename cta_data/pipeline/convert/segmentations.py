"""DICOM segmentations of one session: segments to lesions on the grid of the image they lie on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

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
    REJECTED,
    is_rejected,
    made_at,
    one_is_latest,
)
from cta_data.pipeline.convert.annotation_rows import annotation_row, region_rows
from cta_data.pipeline.convert.annotations import NEXT_STEP, SessionAnnotations, session_identity
from cta_data.pipeline.convert.contour_images import image_of_segmentation
from cta_data.pipeline.convert.image_rows import PlacedImage, RawSeries, RawSession, SessionImages
from cta_data.pipeline.convert.masks import write_drawn
from cta_data.pipeline.convert.roi_names import RoiNaming
from cta_data.redaction import Redactor

MADE, DRAWN = ("ContentDate", "ContentTime"), ("StructureSetDate", "StructureSetTime")
HOW_MANY = (
    'annotations.structure_sets in the cohort\'s card: "latest" takes the latest, "all" takes the '
    "segments of all"
)


@dataclass(frozen=True)
class _Segments:
    """What one segmentation object gives.

    `masks` are name and voxels (z, y, x) of each segment that is a lesion, on the grid of `image`.
    """

    image: PlacedImage
    drawn_on: str | None
    how: str
    selections: Selections
    masks: list[tuple[str, NDArray[np.generic]]]


def convert_segmentations(
    unit: UnitId,
    session: RawSession,
    images: SessionImages,
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
        result.refused = f"its segmentations lie on several images ({' and '.join(names)})"
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
            "the session has structure sets and a later segmentation",
            why=f"{len(structure_sets)} structure sets, {len(segmentations)} segmentations",
            next_step="Say which count in the cohort's card: annotations.objects = "
            '"structure_sets" or "segmentations"',
        )
    return False


def _is_older(made: Moment | None, drawn: Iterable[Moment | None]) -> bool:
    """Tell whether a segmentation is no later than one of the structure sets, for certain."""
    return made is not None and any(one == made or is_later(one, made) for one in drawn)


def _segments(
    segmentation: Segmentation,
    image: PlacedImage,
    card: Card,
    drawn_on: tuple[str | None, str],
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
    result.rows = region_rows(unit, lesions, drawn_on, image.frame, rules)
    result.rows += _rejected_rows(unit, decisions, len(result.rows), drawn_on, image)
    if not lesions.lesions and card.annotations.required:
        problems.append("no segment was selected as a lesion")
    if problems:
        result.refused = f"{'; '.join(problems[:3])}. {NEXT_STEP}"
    else:
        write_drawn(unit, image.space, lesions, image.grid, workspace)


def _rejected_rows(
    unit: UnitId,
    decisions: Sequence[RoiDecision],
    before: int,
    drawn_on: str | None,
    image: PlacedImage,
) -> list[dict[str, Any]]:
    """Return a row for every segment that is no lesion; `before` regions are numbered already."""
    rejected = [d for d in decisions if not d.selected]
    return [
        annotation_row(
            unit,
            number,
            decision.roi.published,
            drawn_on=drawn_on,
            frame=image.frame,
            selected=False,
            selected_by=decision.rule or None,
            rejected_reason=decision.rejected_reason,
        )
        for number, decision in enumerate(rejected, start=before + 1)
    ]


def _chosen(series: Sequence[RawSeries], card: Card, result: SessionAnnotations) -> list[RawSeries]:
    """Return the segmentation objects to read, by the card's policy for several of them."""
    single = [RawSeries(s.kind, s.identifier, [d], s.header) for s in series for d in s.datasets]
    counting = [raw for raw in single if not is_rejected(raw.datasets[0])]
    ordered = sorted(counting, key=lambda raw: (in_order(_made(raw)), _identifier(raw)))
    policy = card.annotations.structure_sets
    if len(counting) < len(single):
        left = len(single) - len(counting)
        result.warnings.append(f"{left} of {len(single)} segmentations left out: {REJECTED}")
    if not ordered and single:
        result.refused = f"all {len(single)} segmentations are rejected (ApprovalStatus)"
    elif not ordered and card.annotations.required:
        result.refused = "the session has no structure set and no segmentation"
    if len(ordered) < 2 or policy == "all":
        return ordered
    if policy == "refuse":
        result.refused = f"the session has {len(ordered)} segmentations. Choose by {HOW_MANY}"
        return []
    undecided = _undecided(ordered)
    if undecided:
        result.refused = (
            f"{undecided}: nothing tells which is the latest. Where all of them count, set "
            f"{HOW_MANY}"
        )
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
            f"{name} does not lie on the voxels of {image.technique}: {error.what}",
            why=f"{error.why}; {describe_grid_difference(mask, image.grid)}",
            next_step="Export the segmentation on the grid of its image",
        ) from error
