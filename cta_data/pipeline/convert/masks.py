"""The masks of one session: lesion ids on the grid that they were drawn on, and a row a region."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

import numpy as np
from numpy.typing import NDArray

from cta_data.cohorts.card import AnnotationSection, Card, MaskSection
from cta_data.cohorts.roi_selection import select_rois
from cta_data.engine import UnitId, Workspace
from cta_data.errors import DataRefused
from cta_data.formats.nifti.image import write_voxels
from cta_data.imaging.geometry.grid import Placed, describe_grid_difference, ras_affine, same_grid
from cta_data.imaging.lesions.mask_lesions import MaskLesions, MaskMeaning, lesions_of_masks
from cta_data.imaging.lesions.mask_placement import reordered
from cta_data.pipeline.convert.annotation_rows import region_rows, rejected_row
from cta_data.pipeline.convert.annotations import SessionAnnotations
from cta_data.pipeline.convert.files import SessionFile, file_naming, read_mask
from cta_data.pipeline.convert.image_rows import ConvertedImages, PlacedImage
from cta_data.reasons import Reason, together
from cta_data.study import layout
from cta_data.study.phases import phase_rank
from cta_data.study.session_id import SessionId


def convert_masks(
    unit: UnitId,
    files: Sequence[SessionFile],
    images: ConvertedImages,
    card: Card,
    workspace: Workspace,
) -> SessionAnnotations:
    """Read a session's masks and write their lesions.

    Raises
    ------
    DataRefused
        A mask is damaged, lies on another grid than its image, or holds a value that the card
        does not know.
    """
    result = SessionAnnotations()
    masks = [file for file in files if file.match.rule.role == "mask"]
    if not masks:
        if card.annotations.required:
            result.refused = Reason("mask_missing")
        return result
    nameless = sum(not file.match.roi for file in masks)
    if len(masks) > 1 and nameless:
        result.refused = Reason("masks_unnamed", n_masks=len(masks), nameless=nameless)
        return result
    technique = card.masks.drawn_on
    drawn_on = [one for one in images.placed if one.technique == technique]
    # Of several phases the latest is the one that is worked on, here as in all later steps.
    image = min(drawn_on, key=lambda one: phase_rank(one.phase), default=None)
    if image is None:
        result.refused = Reason("annotated_image_missing", technique=technique)
        return result
    _name(masks, card, result)
    kept, rejected, rules = _select(masks, card.annotations, result)
    drawn = [(file.roi, _on_grid(file, card, image)) for file in kept]
    lesions = lesions_of_masks(drawn, meaning(card.masks), image.grid)
    result.drawn_on = technique
    result.notes += [f"drawn on {technique}: the card says so (masks.drawn_on)", *lesions.notes]
    result.rows += region_rows(unit.session, lesions, technique, image.frame, rules)
    for number, (file, reason) in enumerate(rejected, start=len(lesions.regions) + 1):
        row = rejected_row(unit.session, number, file.roi, technique, image.frame, reason=reason)
        result.rows.append(row)
    if not lesions.lesions and not result.refused:
        told = [f"{r.name}: {r.reason}" for r in lesions.regions if r.reason]
        nothing = Reason("masks_without_lesion", found=tuple(told))
        if card.masks.empty == "refuse":
            result.refused = nothing
        else:
            result.notes.append(f"{nothing.what}{f' ({nothing.why})' if told else ''}")
    result.refused = result.refused or lesions.impossible
    if not result.refused:
        write_drawn(unit.session, technique, lesions, image.grid, card, workspace, result)
    return result


def _name(masks: Sequence[SessionFile], card: Card, result: SessionAnnotations) -> None:
    """Note the names of masks: in the log, and to join tables by."""
    naming = file_naming(masks, card)
    regions = [file.region for file in masks if file.region and file.region.name]
    result.notes += naming.note(((one.number, one.name) for one in regions), "mask")
    result.names = {(1, one.published): naming.redacted(one.name) for one in regions}


def meaning(section: MaskSection) -> MaskMeaning:
    """Return what the card says of the values of masks."""
    assert section.lesion_values is not None  # the plan of `convert` checks it
    return MaskMeaning(
        section.lesion_values, section.meaning(), section.threshold, section.instances
    )


def write_drawn(
    session: SessionId,
    space: str,
    lesions: MaskLesions,
    grid: Placed,
    card: Card,
    workspace: Workspace,
    result: SessionAnnotations,
) -> None:
    """Write the lesions as labels, and beside them a JSON file that names each."""
    path, names = layout.drawn_labels(session, space), layout.drawn_names(session, space)
    write_voxels(lesions.labels, ras_affine(grid), workspace.write(path))
    content = {"Lesions": [asdict(lesion) for lesion in lesions.lesions]}
    workspace.write_json(names, content)
    result.add(session, card, space, "labels", len(lesions.lesions), path, workspace, names)


def _select(
    masks: list[SessionFile], section: AnnotationSection, result: SessionAnnotations
) -> tuple[list[SessionFile], list[tuple[SessionFile, Reason]], dict[str, str]]:
    """Decide by the card's rules on names which of the files that carry a name are lesions."""
    if not section.rois or not any(file.match.roi for file in masks):
        return masks, [], {}
    names = [file.region for file in masks if file.region]
    selections = select_rois(names, section)
    if selections.problems:
        result.refused = Reason("annotation_rules_not_met", cause=together(selections.problems))
    by_number = dict(enumerate(masks, start=1))
    kept = [by_number[s.roi.number] for s in selections.decisions if s.selected]
    rejected = [
        (by_number[s.roi.number], s.rejected)
        for s in selections.decisions
        if s.rejected and not s.selected
    ]
    return kept, rejected, {s.roi.published: s.rule for s in selections.decisions if s.selected}


def _on_grid(file: SessionFile, card: Card, image: PlacedImage) -> NDArray[np.generic]:
    """Return the voxels of a mask in the order of its image's, which both have to share."""
    try:
        mask, grid = read_mask(file, card)
    except DataRefused as error:
        raise DataRefused(error.reason.at(file.name)) from error
    if not same_grid(grid, image.grid):
        turned = reordered(mask, grid, image.grid)
        if turned is not None:
            return turned
        raise DataRefused(
            "mask_off_image_grid",
            file=file.name,
            technique=image.technique,
            difference=describe_grid_difference(grid, image.grid),
        )
    return mask
