"""DICOM segmentations of one session: segments to lesions on the grid of the image they lie on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pydicom
import SimpleITK as sitk
from numpy.typing import NDArray

from cta_data.cohorts.card import Card
from cta_data.cohorts.roi_selection import RoiName, Selections, select_rois, technique_drawn_on
from cta_data.engine import UnitId, Workspace
from cta_data.errors import DataRefused
from cta_data.formats.dicom_header import header_of
from cta_data.formats.nifti import describe_grid_difference
from cta_data.formats.segmentation import read_segmentation
from cta_data.imaging.mask_lesions import MaskMeaning, lesions_of_masks
from cta_data.steps.annotation_rows import annotation_row, region_rows
from cta_data.steps.contour_images import image_of_segmentation
from cta_data.steps.convert_annotations import NEXT_STEP, SessionAnnotations
from cta_data.steps.convert_masks import write_drawn
from cta_data.steps.image_rows import PlacedImage, RawSeries, RawSession, SessionImages
from cta_data.steps.redaction import cut_out, identity_parts


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
    raw = _chosen(session.of_kind("SEG"), card, result)
    if raw is None:
        return result
    segmentation = read_segmentation(raw.datasets[0])
    header = header_of(raw.datasets[0])
    stated, _ = technique_drawn_on(card.annotations, header, None, listed)
    found = image_of_segmentation(segmentation, images.placed, stated)
    image = found.image
    if image is None:
        result.refused = found.problem
        return result
    drawn_on, how = technique_drawn_on(card.annotations, header, found.technique, listed)
    parts = list(identity_parts(raw.datasets[0]))
    names = [RoiName(s.number, cut_out(s.label, parts), "", 1) for s in segmentation.segments]
    selections = select_rois(names, card.annotations)
    chosen = [d.roi for d in selections.decisions if d.selected]
    masks = [(roi.name, _onto(segmentation.mask(roi.number), image, roi.name)) for roi in chosen]
    meaning = MaskMeaning((1,), instances=card.masks.instances)
    lesions = lesions_of_masks(masks, meaning, image.grid.GetSize())
    problems = [*selections.problems, *([] if drawn_on else [how])]
    result.drawn_on = drawn_on
    result.notes += [f"drawn on {drawn_on}: {how}", *found.notes, *lesions.notes]
    result.rows = region_rows(
        unit, lesions, drawn_on, image.frame, {d.roi.name: d.rule for d in selections.decisions}
    )
    result.rows += _rejected_rows(unit, selections, len(result.rows), drawn_on, image)
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
            selected_by=decision.rule or None,
            rejected_reason=decision.rejected_reason,
        )
        for number, decision in enumerate(rejected, start=before + 1)
    ]


def _chosen(
    series: Sequence[RawSeries], card: Card, result: SessionAnnotations
) -> RawSeries | None:
    single = [RawSeries(s.kind, s.identifier, [d], s.header) for s in series for d in s.datasets]
    ordered = sorted(single, key=lambda raw: _made_at(raw.datasets[0]))
    if len(ordered) > 1 and card.annotations.structure_sets != "latest":
        result.refused = (
            f"the session has {len(ordered)} segmentations and only the latest of several can be "
            'taken (annotations.structure_sets = "latest")'
        )
        return None
    if len(ordered) > 1:
        result.notes.append(f"the latest of {len(ordered)} segmentations was taken")
    if not ordered and card.annotations.required:
        result.refused = "the session has no structure set and no segmentation"
    return ordered[-1] if ordered else None


def _made_at(dataset: pydicom.Dataset) -> tuple[str, str]:
    stamp = f"{dataset.get('ContentDate', '')}{dataset.get('ContentTime', '')}"
    return stamp, str(dataset.get("SOPInstanceUID", ""))


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
