"""DICOM segmentations of one session: segments to lesions on the grid of the image they lie on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from cta_data.cohorts.card import Card
from cta_data.cohorts.roi_selection import RoiName, Selections, select_rois, technique_drawn_on
from cta_data.engine import UnitId, Workspace
from cta_data.errors import DataRefused
from cta_data.formats.nifti import describe_grid_difference
from cta_data.formats.segmentation import read_segmentation
from cta_data.imaging.mask_lesions import MaskMeaning, lesions_of_masks
from cta_data.steps.annotation_choice import Numbered, choose_objects, is_later, made_at
from cta_data.steps.annotation_rows import annotation_row, region_rows
from cta_data.steps.contour_images import image_of_segmentation
from cta_data.steps.convert_annotations import NEXT_STEP, SessionAnnotations
from cta_data.steps.convert_masks import write_drawn
from cta_data.steps.image_rows import PlacedImage, RawSeries, RawSession, SessionImages
from cta_data.steps.redaction import cut_out, identity_parts

WHAT, MADE = "segmentations", ("ContentDate", "ContentTime")


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

    Of several segmentations the latest counts, or the card's policy (annotations.structure_sets).

    Raises
    ------
    DataRefused
        A segmentation is damaged, or its voxels are not those of the image that it lies on.
    """
    result = SessionAnnotations()
    raw = _chosen(unit, session.of_kind("SEG"), card, result)
    if raw is None:
        return result
    number, dataset, header = raw.number, raw.raw.datasets[0], raw.raw.header
    segmentation = read_segmentation(dataset)
    stated, _ = technique_drawn_on(card.annotations, header, None, listed)
    found = image_of_segmentation(segmentation, images.placed, stated)
    image = found.image
    if image is None:
        result.refused = found.problem
        return result
    drawn_on, how = technique_drawn_on(card.annotations, header, found.technique, listed)
    parts = list(identity_parts(dataset))
    names = [RoiName(s.number, cut_out(s.label, parts), "", 1) for s in segmentation.segments]
    selections = select_rois(names, card.annotations)
    chosen = [d.roi for d in selections.decisions if d.selected]
    masks = [(roi.name, _onto(segmentation.mask(roi.number), image, roi.name)) for roi in chosen]
    meaning = MaskMeaning((1,), instances=card.masks.instances)
    lesions = lesions_of_masks(masks, meaning, image.grid.GetSize())
    problems = [*selections.problems, *([] if drawn_on else [how])]
    result.drawn_on = drawn_on
    result.notes += [f"drawn on {drawn_on}: {how}", *([found.note] if found.note else [])]
    result.notes += lesions.notes
    rules = {d.roi.name: d.rule for d in selections.decisions}
    rows = region_rows(unit, lesions, drawn_on, image.frame, rules, number=number)
    rows += _rejected_rows(unit, selections, len(rows), drawn_on, image, number)
    result.rows += rows
    if not lesions.lesions and card.annotations.required:
        problems.append("no segment was selected as a lesion")
    if problems:
        result.refused = f"{'; '.join(problems[:3])}. {NEXT_STEP}"
    else:
        write_drawn(unit, image.space, lesions, image.grid, workspace)
    return result


def _rejected_rows(
    unit: UnitId,
    selections: Selections,
    before: int,
    drawn_on: str | None,
    image: PlacedImage,
    structure_set: int,
) -> list[dict[str, Any]]:
    """Return a row for every segment that is no lesion; `before` regions are numbered already."""
    rejected = [d for d in selections.decisions if not d.selected]
    return [
        annotation_row(
            unit,
            number,
            decision.roi.name,
            drawn_on=drawn_on,
            frame=image.frame,
            selected=False,
            structure_set=structure_set,
            selected_by=decision.rule or None,
            rejected_reason=decision.rejected_reason,
        )
        for number, decision in enumerate(rejected, start=before + 1)
    ]


def _chosen(
    unit: UnitId, series: Sequence[RawSeries], card: Card, result: SessionAnnotations
) -> Numbered | None:
    policy = card.annotations.structure_sets
    choice = choose_objects(series, policy if policy == "latest" else "refuse", WHAT, MADE)
    result.rows += [row for one in choice.left for row in _rows_left(unit, one, choice.reason)]
    result.refused = choice.problem
    if choice.problem and policy == "all":
        result.refused += '. Of several segmentations only the "latest" can be taken'
    if choice.taken and choice.left:
        result.notes.append(f"the latest of {len(choice.left) + 1} segmentations was taken")
    if not (choice.taken or choice.left) and card.annotations.required:
        result.refused = "the session has no structure set and no segmentation"
    return choice.taken[0] if choice.taken else None


def list_beside_contours(
    unit: UnitId, series: Sequence[RawSeries], card: Card, result: SessionAnnotations
) -> None:
    """List the segmentations of a session that has structure sets: contours count before masks.

    One that holds a lesion by the card's rules may be a correction of the contours: unless it is
    older than the latest of them the session is refused.
    """
    first = max((row["structure_set"] for row in result.rows), default=0)
    for one in choose_objects(series, "all", WHAT, MADE).taken:
        later = Numbered(first + one.number, one.raw)
        rows = _rows_left(unit, later, "the session has contours, which count before segmentations")
        names = [RoiName(row["roi_number"], row["source_roi"], "", 1) for row in rows]
        chosen = [d for d in select_rois(names, card.annotations).decisions if d.selected]
        result.rows += rows
        if chosen and is_later(result.made, made_at(one.raw, MADE)) is not True:
            result.refused = result.refused or (
                f"a segmentation with {len(chosen)} lesions stands beside the structure set and is "
                "not older: take away the one that does not count, and add the subject again"
            )


def _rows_left(unit: UnitId, one: Numbered, reason: str) -> list[dict[str, Any]]:
    """Return rows for the segments of an object that does not count."""
    dataset = one.raw.datasets[0]
    parts = list(identity_parts(dataset))
    return [
        annotation_row(
            unit,
            int(item.get("SegmentNumber") or number),
            cut_out(str(item.get("SegmentLabel", "")).strip(), parts),
            drawn_on=None,
            frame=None,
            selected=False,
            structure_set=one.number,
            rejected_reason=reason,
        )
        for number, item in enumerate(dataset.get("SegmentSequence") or (), start=1)
    ]


def _onto(mask: sitk.Image, image: PlacedImage, name: str) -> NDArray[np.generic]:
    """Bring a segment to its image's voxels: another order and extent, but the same places.

    Raises
    ------
    DataRefused
        A voxel would be lost or made: the two grids do not coincide.
    """
    grid = image.grid
    placed = sitk.Resample(
        mask,
        list(grid.GetSize()),
        sitk.Transform(3, sitk.sitkIdentity),
        sitk.sitkNearestNeighbor,
        grid.GetOrigin(),
        grid.GetSpacing(),
        grid.GetDirection(),
    )
    before = int(np.count_nonzero(sitk.GetArrayViewFromImage(mask)))
    voxels = sitk.GetArrayFromImage(placed)
    after = int(np.count_nonzero(voxels))
    same_size = np.allclose(sorted(mask.GetSpacing()), sorted(image.grid.GetSpacing()), atol=1e-3)
    if before != after or not same_size:
        raise DataRefused(
            f"the segment {name!r} does not lie on the voxels of {image.technique}",
            why=f"{before} voxels, {after} on the image; "
            f"{describe_grid_difference(mask, image.grid)}",
            next_step="Export the segmentation on the grid of its image",
        )
    return voxels
