"""The masks of one session: lesion ids on the grid that they were drawn on, and a row a region."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from cta_data.cohorts.card import AnnotationSection, Card, MaskSection
from cta_data.cohorts.readers import UNKNOWN_READER
from cta_data.cohorts.roi_selection import select_rois
from cta_data.engine import UnitId, Workspace
from cta_data.errors import DataRefused
from cta_data.formats.nifti.image import write_voxels
from cta_data.imaging.geometry.grid import Placed, describe_grid_difference, ras_affine, same_grid
from cta_data.imaging.lesions.mask_lesions import MaskLesions, MaskMeaning, lesions_of_masks
from cta_data.imaging.lesions.mask_placement import reordered
from cta_data.pipeline.convert.annotation_rows import RegionSource, region_rows, rejected_row
from cta_data.pipeline.convert.files import SessionFile, file_naming, read_mask
from cta_data.pipeline.convert.image_rows import ConvertedImages, PlacedImage
from cta_data.pipeline.convert.session_annotations import (
    NewAnnotation,
    SessionAnnotations,
    new_annotation,
)
from cta_data.reasons import Reason, together
from cta_data.study import layout
from cta_data.study.phases import phase_rank
from cta_data.study.session_id import SessionId


@dataclass(frozen=True)
class _MaskGroup:
    """The masks that one reader delineated on one technique, and their number in the session."""

    number: int
    reader: str
    drawn_on: str
    files: tuple[SessionFile, ...]


def convert_masks(
    unit: UnitId,
    files: Sequence[SessionFile],
    images: ConvertedImages,
    card: Card,
    workspace: Workspace,
) -> SessionAnnotations:
    """Read a session's masks and write the lesions of each reader on each technique.

    Raises
    ------
    DataRefused
        A mask is damaged, lies on another grid than its image, or holds a value that the card
        does not know.
    """
    result = SessionAnnotations()
    masks = [file for file in files if file.match.rule.role == "mask"]
    if not masks and card.annotations.required:
        result.refuse(Reason("mask_missing"))
    for group in _mask_groups(masks, card):
        _convert_group(unit, group, images, card, workspace, result)
    result.finish()
    return result


def _mask_groups(masks: Iterable[SessionFile], card: Card) -> list[_MaskGroup]:
    """Put masks of one reader on one technique together, in the order of the card's rules."""
    groups: dict[tuple[str, str], list[SessionFile]] = {}
    for file in masks:
        readers = (file.match.reader,) if file.match.reader else tuple(card.masks.reader_values)
        technique = file.match.rule.drawn_on or card.masks.drawn_on
        for reader in readers or (UNKNOWN_READER,):
            groups.setdefault((reader, technique), []).append(file)
    return [
        _MaskGroup(number, *names, tuple(files))
        for number, (names, files) in enumerate(groups.items(), start=1)
    ]


def _convert_group(
    unit: UnitId,
    group: _MaskGroup,
    images: ConvertedImages,
    card: Card,
    workspace: Workspace,
    result: SessionAnnotations,
) -> None:
    """Read the masks of one annotation and write their lesions."""
    masks, technique = group.files, group.drawn_on
    nameless = sum(not file.match.roi for file in masks)
    if len(masks) > 1 and nameless:
        result.refuse(Reason("masks_unnamed", n_masks=len(masks), nameless=nameless))
        return
    drawn_on = [one for one in images.placed if one.technique == technique]
    # Of several phases the latest is the one that is worked on, here as in all later steps.
    image = min(drawn_on, key=lambda one: phase_rank(one.phase), default=None)
    if image is None:
        result.refuse(Reason("annotated_image_missing", technique=technique))
        return
    new = new_annotation(card, reader=group.reader, drawn_on=technique, space=technique)
    source = RegionSource(unit.session, group.number, new.name, technique, image.frame)
    _name(group, card, result)
    kept, rejected, rules = _select(masks, card.annotations, result)
    drawn = [(file.roi, _on_grid(file, card, image)) for file in kept]
    lesions = lesions_of_masks(drawn, meaning(card.masks, group.reader), image.grid)
    result.techniques.append(technique)
    result.notes += [f"drawn on {technique}: the card says so (masks.drawn_on)", *lesions.notes]
    result.rows += region_rows(source, lesions, rules)
    result.rows += [
        rejected_row(source, number, file.roi, reason)
        for number, (file, reason) in enumerate(rejected, start=len(lesions.regions) + 1)
    ]
    if not lesions.lesions and not result.refused:
        _without_lesion(new.name, lesions, card, result)
    result.refuse(lesions.impossible)
    session = unit.session
    result.write_last(partial(write_drawn, session, new, lesions, image.grid, workspace, result))


def _without_lesion(
    name: str, lesions: MaskLesions, card: Card, result: SessionAnnotations
) -> None:
    """Refuse masks without a lesion, or note them where the card accepts that."""
    told = [f"{r.name}: {r.reason}" for r in lesions.regions if r.reason]
    nothing = Reason("masks_without_lesion", annotation=name, found=tuple(told))
    if card.masks.empty == "refuse":
        result.refuse(nothing)
    else:
        result.notes.append(f"{nothing.what}{f' ({nothing.why})' if told else ''}")


def _name(group: _MaskGroup, card: Card, result: SessionAnnotations) -> None:
    """Note the names of masks: in the log, and to join tables by."""
    naming = file_naming(group.files, card)
    regions = [file.region for file in group.files if file.region and file.region.name]
    result.notes += naming.note(((one.number, one.name) for one in regions), "mask")
    result.names |= {(group.number, one.published): naming.redacted(one.name) for one in regions}


def meaning(section: MaskSection, reader: str) -> MaskMeaning:
    """Return what the card says of the values of a reader's masks."""
    assert section.says_what_is_lesion  # the plan of `convert` checks it
    values, others = section.lesions_of(reader), section.others_to(reader)
    return MaskMeaning(values, others, section.threshold, section.instances)


def write_drawn(
    session: SessionId,
    new: NewAnnotation,
    lesions: MaskLesions,
    grid: Placed,
    workspace: Workspace,
    result: SessionAnnotations,
) -> None:
    """Write the lesions as labels, and beside them a JSON file that names each."""
    path = layout.drawn_labels(session, new.space, new.name)
    names = layout.drawn_names(session, new.space, new.name)
    write_voxels(lesions.labels, ras_affine(grid), workspace.write(path))
    content = {"Lesions": [asdict(lesion) for lesion in lesions.lesions]}
    workspace.write_json(names, content)
    result.add(session, new, "labels", len(lesions.lesions), path, workspace, names)


def _select(
    masks: Sequence[SessionFile], section: AnnotationSection, result: SessionAnnotations
) -> tuple[Sequence[SessionFile], list[tuple[SessionFile, Reason]], dict[str, str]]:
    """Decide by the card's rules on names which of the files that carry a name are lesions."""
    if not section.rois or not any(file.match.roi for file in masks):
        return masks, [], {}
    by_number = {file.region.number: file for file in masks if file.region}
    selections = select_rois([file.region for file in masks if file.region], section)
    if selections.problems:
        result.refuse(Reason("annotation_rules_not_met", cause=together(selections.problems)))
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
