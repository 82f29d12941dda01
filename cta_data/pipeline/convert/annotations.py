"""The structure sets of one session: ROIs to rows, selected contours to a file without identity."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from cta_data.cohorts.card import Card
from cta_data.cohorts.roi_selection import (
    Selections,
    select_rois,
    technique_drawn_on,
)
from cta_data.engine import UnitId, Workspace, content_key
from cta_data.errors import DataRefused
from cta_data.formats.contours_json import write_contours
from cta_data.formats.dicom.rtstruct import read_structure_set
from cta_data.imaging.geometry.grid import Grid
from cta_data.imaging.lesions.plausibility import planes_apart
from cta_data.imaging.rasterization.contour_planes import planes_of_rois
from cta_data.imaging.rasterization.contour_reference import same_contours, two_versions
from cta_data.imaging.rasterization.contours import Roi, StructureSet
from cta_data.imaging.rasterization.rasterize import spacing_along_axes
from cta_data.pipeline.convert.annotation_choice import Numbered, choose_objects
from cta_data.pipeline.convert.annotation_rows import rejected_columns
from cta_data.pipeline.convert.contour_images import ContourImage, image_of_contours
from cta_data.pipeline.convert.image_rows import ConvertedImages, PlacedImage, RawSession
from cta_data.pipeline.convert.roi_names import RoiNaming, identity_in
from cta_data.reasons import Reason, together
from cta_data.redaction import Identity, Redactor
from cta_data.study import layout
from cta_data.study.session_id import SessionId
from cta_data.study.tables import AnnotationRow, RoiRow

MADE = ("StructureSetDate", "StructureSetTime")


@dataclass(frozen=True)
class DrawnSet:
    """The lesions of one structure set, the technique it was drawn on, and the space it lies in."""

    number: int
    drawn_on: str
    space: str
    rois: list[Roi]


@dataclass
class SessionAnnotations:
    """What the structure sets of a session gave; `contours` are by the space they lie in.

    `names` are the names of regions without identity, by structure set and published name: to join
    tables by, not to be kept. `redactor` finds the session's patient.
    """

    rows: list[RoiRow] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    drawn_on: str | None = None
    lesions: list[DrawnSet] = field(default_factory=list)
    contours: dict[str, list[Roi]] = field(default_factory=dict)
    names: dict[tuple[int, str], str] = field(default_factory=dict)
    refused: Reason | None = None
    redactor: Redactor | None = None
    written: list[AnnotationRow] = field(default_factory=list)

    def add(
        self,
        session: SessionId,
        card: Card,
        space: str,
        form: str,
        n_lesions: int,
        path: str,
        workspace: Workspace,
        names_path: str | None = None,
    ) -> None:
        """List an annotation that was written."""
        assert self.drawn_on
        row = AnnotationRow(
            session=session,
            annotation=len(self.written) + 1,
            drawn_on=self.drawn_on,
            quality=card.quality_of(self.drawn_on),
            space=space,
            form=form,
            n_lesions=n_lesions,
            path=path,
            names_path=names_path,
            annex_key=content_key(workspace.write(path)),
        )
        self.written.append(row)


def convert_annotations(
    unit: UnitId,
    session: RawSession,
    images: ConvertedImages,
    card: Card,
    workspace: Workspace,
    *,
    listed: str | None = None,
) -> SessionAnnotations:
    """Select the lesions of a session and write their contours.

    `listed` is the technique that the cohort's own table gives for the subject, if any.

    What keeps the structure sets from being used is in `refused`: the rows are kept, so that a
    user can see every ROI and what was decided about it.
    """
    section = card.annotations
    result = SessionAnnotations()
    choice = choose_objects(
        session.of_kind("RTSTRUCT"), section.structure_sets, "structure sets", MADE
    )
    naming = RoiNaming(card.withholds_roi_names, Redactor(session_identity(session)))
    result.redactor = naming.redactor
    for one in choice.left:
        _list_left(unit, one, choice.reason, card, naming, result)
    rejected = Reason("annotation_rejected_by_author")
    for one in choice.rejected:
        _list_left(unit, one, rejected, card, naming, result)
    if choice.taken and choice.rejected:
        n = len(choice.rejected)
        result.warnings.append(f"{n} structure set{'s' * (n > 1)} left out: {rejected}")
    if choice.taken and choice.left:
        result.notes.append(f"the latest of {len(choice.left) + 1} structure sets was taken")
    result.refused = choice.problem
    for one in choice.taken:
        _convert_one(unit, one, images, card, naming, listed, result)
    if not result.refused:
        _join_sets(result)
    if not result.refused:
        for space, rois in result.contours.items():
            path = layout.contours(unit.session, space)
            write_contours(rois, workspace.write(path))
            result.add(unit.session, card, space, "contours", len(rois), path, workspace)
    if not (choice.taken or choice.left or choice.rejected) and section.required:
        result.refused = Reason("structure_set_missing")
    selected = any(row.selected for row in result.rows)
    if choice.taken and not selected and section.required and not result.refused:
        result.refused = Reason("lesion_rois_missing")
    return result


def _convert_one(
    unit: UnitId,
    one: Numbered,
    images: ConvertedImages,
    card: Card,
    naming: RoiNaming,
    listed: str | None,
    result: SessionAnnotations,
) -> None:
    """Read one structure set, decide about its ROIs and collect those that are lesions."""
    section = card.annotations
    structure_set, selections = _read(one, card, naming, result)
    result.warnings += [
        f"{roi} is no lesion: {Reason('roi_without_closed_contour')}" for roi in selections.unfilled
    ]
    chosen = {s.roi.number for s in selections.decisions if s.selected}
    rois = [roi for roi in structure_set.rois if roi.number in chosen]
    stated, _ = technique_drawn_on(section, one.raw.header, None, listed)
    found = ContourImage()
    if rois:
        found = image_of_contours(structure_set, rois, images.placed, stated)
    drawn_on, how = technique_drawn_on(section, one.raw.header, found.technique, listed)
    result.rows += _rows(unit, one.number, selections, drawn_on, found.image)
    problems = [*selections.problems, *_orphaned(structure_set, selections, result)]
    if rois:
        problems += [found.problem] if found.problem else [] if drawn_on else [how]
    if problems:
        told = Reason("annotation_rules_not_met", cause=together(problems))
        result.refused = result.refused or told
        return
    if found.image and drawn_on:
        _check_planes(rois, found.image, result)
    if found.image and drawn_on and not result.refused:
        result.notes += [f"drawn on {drawn_on}: {how}", *found.notes]
        if found.technique not in (None, drawn_on):
            result.notes.append(f"the contours themselves refer to {found.image.name}")
        placed = [replace(roi, acquired_slices=found.image.acquired_slices) for roi in rois]
        result.lesions.append(DrawnSet(one.number, drawn_on, found.image.space, placed))


def _check_planes(rois: list[Roi], image: PlacedImage, result: SessionAnnotations) -> None:
    """Hold the distance of contours' planes against the slices of the image they lie on."""
    grid = Grid.of(image.grid)
    try:
        planes = planes_of_rois(rois, spacing_along_axes(grid))
    except DataRefused as error:
        result.refused = result.refused or error.reason
        return
    for roi, drawn in zip(rois, planes, strict=True):
        if drawn is None:
            continue
        slice_mm = float(grid.spacing[grid.facing(drawn.axes[2]).axes[2]])
        impossible, look_at = planes_apart(f"ROI {roi.name!r}", drawn, slice_mm)
        result.refused = result.refused or impossible
        result.warnings += [str(look_at)] if look_at else []


def _orphaned(
    structure_set: StructureSet, selections: Selections, result: SessionAnnotations
) -> list[Reason]:
    """Return why contours that no ROI owns refuse the set: a lesion without contours may own them.

    Where every lesion has contours of its own they are a warning.
    """
    if not structure_set.orphans:
        return []
    numbers = " and ".join(map(str, structure_set.orphans))
    stray = f"contours of ROI number {numbers} belong to no ROI"
    if not selections.unfilled:
        result.warnings.append(f"{stray} and are left out")
        return []
    lacking = " and ".join(map(str, selections.unfilled))
    return [Reason("contours_without_roi", numbers=numbers, lacking=lacking)]


def _list_left(
    unit: UnitId,
    one: Numbered,
    reason: Reason | None,
    card: Card,
    naming: RoiNaming,
    result: SessionAnnotations,
) -> None:
    """Write rows for the ROIs of a structure set that does not count."""
    try:
        _, selections = _read(one, card, naming, result)
    except DataRefused as error:
        result.notes.append(
            f"structure set {one.number} does not count, nor can it be read: {error}"
        )
        return
    result.rows += [
        replace(row, selected=False, **rejected_columns(reason))
        for row in _rows(unit, one.number, selections, None, None)
    ]


def session_identity(session: RawSession) -> Identity:
    """Return whom any object of a session names; of an image's slices the first speaks for all."""
    return identity_in(
        dataset
        for one in session.series
        for dataset in (one.datasets[:1] if one.kind in ("MR", "CT") else one.datasets)
    )


def _read(
    one: Numbered, card: Card, naming: RoiNaming, result: SessionAnnotations
) -> tuple[StructureSet, Selections]:
    """Read a structure set and decide about its ROIs by the names that they have in it.

    The ROIs that are returned bear the names under which they are shown.
    """
    read = read_structure_set(one.raw.datasets[0])
    names = [(roi.number, roi.name) for roi in read.rois]
    result.notes += [*read.notes, *naming.note(names)]
    rois = [
        naming.roi(
            roi.number,
            roi.name,
            interpreted_type=roi.interpreted_type or "",
            n_contours=len(roi.closed_contours),
            unreadable=roi.unreadable,
        )
        for roi in read.rois
    ]
    result.names |= {(one.number, n.published): naming.redacted(n.name) for n in rois}
    published = [replace(roi, name=n.published) for roi, n in zip(read.rois, rois, strict=True)]
    return replace(read, rois=tuple(published)), select_rois(rois, card.annotations)


def _join_sets(result: SessionAnnotations) -> None:
    """Put the lesions of all structure sets together, or tell why they are not one annotation."""
    for code, values in (
        ("structure_sets_drawn_on_several", {s.number: s.drawn_on for s in result.lesions}),
        ("structure_sets_on_several_images", {s.number: s.space for s in result.lesions}),
    ):
        if len(set(values.values())) > 1:
            each = " and ".join(f"{value} (number {n})" for n, value in values.items())
            result.refused = Reason(code, each=each)
            return
    kept: list[tuple[int, Roi]] = []
    for one in result.lesions:
        for roi in one.rois:
            twin = next((n for n, r in kept if n != one.number and same_contours(r, roi)), None)
            if twin is not None:
                _reject(
                    result,
                    one.number,
                    roi,
                    Reason("contours_repeated", twin=twin),
                )
                continue
            double = next((n for n, r in kept if n != one.number and two_versions(r, roi)), None)
            if double is not None:
                result.refused = Reason(
                    "contour_versions_differ", roi=roi.name, double=double, number=one.number
                )
                return
            kept.append((one.number, roi))
    if result.lesions:
        result.drawn_on = result.lesions[0].drawn_on
        result.contours[result.lesions[0].space] = [roi for _, roi in kept]


def _reject(result: SessionAnnotations, number: int, roi: Roi, reason: Reason) -> None:
    own = (number, roi.number)
    result.rows = [
        replace(row, selected=False, **rejected_columns(reason))
        if (row.structure_set, row.roi_number) == own
        else row
        for row in result.rows
    ]


def _rows(
    unit: UnitId,
    number: int,
    selections: Selections,
    drawn_on: str | None,
    image: PlacedImage | None,
) -> list[RoiRow]:
    return [
        RoiRow(
            session=unit.session,
            structure_set=number,
            roi_number=decision.roi.number,
            source_roi=decision.roi.published,
            drawn_on=drawn_on,
            frame=image.frame if image else None,
            selected=decision.selected,
            interpreted_type=decision.roi.interpreted_type or None,
            n_contours=decision.roi.n_contours,
            selected_by=decision.rule or None,
            **rejected_columns(decision.rejected),
        )
        for decision in selections.decisions
    ]
