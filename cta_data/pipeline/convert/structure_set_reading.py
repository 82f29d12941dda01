"""One structure set of a session: what its ROIs are, who delineated them, and on which image."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from cta_data.cohorts.readers import reader_of
from cta_data.cohorts.roi_selection import (
    Selections,
    select_rois,
    technique_drawn_on,
)
from cta_data.engine import UnitId
from cta_data.errors import DataRefused
from cta_data.formats.dicom.rtstruct import read_structure_set
from cta_data.formats.dicom.time import Moment
from cta_data.imaging.geometry.grid import Grid
from cta_data.imaging.lesions.plausibility import planes_apart
from cta_data.imaging.rasterization.contour_planes import planes_of_rois
from cta_data.imaging.rasterization.contours import Roi, StructureSet
from cta_data.imaging.rasterization.rasterize import spacing_along_axes
from cta_data.pipeline.convert.annotation_choice import Numbered, made_at
from cta_data.pipeline.convert.annotation_rows import rejected_columns
from cta_data.pipeline.convert.contour_images import ContourImage, image_of_contours
from cta_data.pipeline.convert.image_rows import PlacedImage
from cta_data.pipeline.convert.session_annotations import ObjectReader
from cta_data.reasons import Reason, together
from cta_data.study.tables import RoiRow

MADE = ("StructureSetDate", "StructureSetTime")


@dataclass(frozen=True)
class DelineatedSet:
    """The lesions that one reader delineated in one structure set, and the space they lie in."""

    number: int
    made: Moment | None
    reader: str
    drawn_on: str
    space: str
    rois: list[Roi]

    def holds(self, row: RoiRow) -> bool:
        """Return whether a row is about one of its lesions."""
        numbers = {roi.number for roi in self.rois}
        return row.structure_set == self.number and row.roi_number in numbers


@dataclass
class SetReading:
    """What one structure set gave; `problem` is what keeps it from being used."""

    one: Numbered
    rows: list[RoiRow] = field(default_factory=list)
    sets: list[DelineatedSet] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    problem: Reason | None = None

    @property
    def made(self) -> Moment | None:
        """When the structure set was made."""
        return made_at(self.one.raw.datasets[0], MADE)


def read_set(reader: ObjectReader, one: Numbered) -> SetReading:
    """Read one structure set, decide about its ROIs and collect those that are lesions."""
    reading = SetReading(one)
    try:
        structure_set, selections = read_rois(reader, one, reading.notes)
    except DataRefused as error:
        reading.problem = error.reason
        return reading
    _decide(reader, reading, structure_set, selections)
    return reading


def _decide(
    reader: ObjectReader, reading: SetReading, structure_set: StructureSet, selections: Selections
) -> None:
    one, section = reading.one, reader.card.annotations
    reading.warnings += [
        f"{roi} is no lesion: {Reason('roi_without_closed_contour')}" for roi in selections.unfilled
    ]
    chosen = {s.roi.number for s in selections.decisions if s.selected}
    rois = [roi for roi in structure_set.rois if roi.number in chosen]
    stated, _ = technique_drawn_on(section, one.raw.header, None, reader.listed)
    found = ContourImage()
    if rois:
        found = image_of_contours(structure_set, rois, reader.images.placed, stated)
    drawn_on, how = technique_drawn_on(section, one.raw.header, found.technique, reader.listed)
    reading.rows += roi_rows(reader.unit, one.number, selections, drawn_on, found.image)
    problems = [*selections.problems, *_orphaned(structure_set, selections, reading)]
    if rois:
        problems += [found.problem] if found.problem else [] if drawn_on else [how]
    if problems:
        reading.problem = Reason("annotation_rules_not_met", cause=together(problems))
    elif found.image and drawn_on:
        reading.problem = _check_planes(rois, found.image, reading)
    if found.image and drawn_on and not reading.problem:
        reading.notes += [f"drawn on {drawn_on}: {how}", *found.notes]
        if found.technique not in (None, drawn_on):
            reading.notes.append(f"the contours themselves refer to {found.image.name}")
        placed = [replace(roi, acquired_slices=found.image.acquired_slices) for roi in rois]
        _divide_by_reader(reader, reading, selections, drawn_on, found.image.space, placed)


def _divide_by_reader(
    reader: ObjectReader,
    reading: SetReading,
    selections: Selections,
    drawn_on: str,
    space: str,
    rois: Iterable[Roi],
) -> None:
    """Divide the lesions of a structure set by who delineated them."""
    names = {s.roi.number: s.roi.name for s in selections.decisions}
    by_reader: dict[str, list[Roi]] = {}
    try:
        for roi in rois:
            header = reading.one.raw.header
            code = reader_of(reader.card.annotations, header, names[roi.number])
            by_reader.setdefault(code, []).append(roi)
    except DataRefused as error:
        reading.problem = error.reason
        return
    reading.sets += [
        DelineatedSet(reading.one.number, reading.made, code, drawn_on, space, own)
        for code, own in by_reader.items()
    ]


def _check_planes(rois: list[Roi], image: PlacedImage, reading: SetReading) -> Reason | None:
    """Hold the distance of contours' planes against the slices of the image they lie on."""
    grid = Grid.of(image.grid)
    try:
        planes = planes_of_rois(rois, spacing_along_axes(grid))
    except DataRefused as error:
        return error.reason
    for roi, drawn in zip(rois, planes, strict=True):
        if drawn is None:
            continue
        slice_mm = float(grid.spacing[grid.facing(drawn.axes[2]).axes[2]])
        impossible, look_at = planes_apart(f"ROI {roi.name!r}", drawn, slice_mm)
        if impossible:
            return impossible
        reading.warnings += [str(look_at)] if look_at else []
    return None


def _orphaned(
    structure_set: StructureSet, selections: Selections, reading: SetReading
) -> list[Reason]:
    """Return why contours that no ROI owns refuse the set: a lesion without contours may own them.

    Where every lesion has contours of its own they are a warning.
    """
    if not structure_set.orphans:
        return []
    numbers = " and ".join(map(str, structure_set.orphans))
    stray = f"contours of ROI number {numbers} belong to no ROI"
    if not selections.unfilled:
        reading.warnings.append(f"{stray} and are left out")
        return []
    lacking = " and ".join(map(str, selections.unfilled))
    return [Reason("contours_without_roi", numbers=numbers, lacking=lacking)]


def read_rois(
    reader: ObjectReader, one: Numbered, notes: list[str]
) -> tuple[StructureSet, Selections]:
    """Read a structure set and decide about its ROIs by the names that they have in it.

    The ROIs that are returned bear the names under which they are shown.
    """
    naming = reader.naming
    read = read_structure_set(one.raw.datasets[0])
    names = [(roi.number, roi.name) for roi in read.rois]
    notes += [*read.notes, *naming.note(names)]
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
    found = {(one.number, n.published): naming.redacted(n.name) for n in rois}
    reader.result.names |= found
    published = [replace(roi, name=n.published) for roi, n in zip(read.rois, rois, strict=True)]
    return replace(read, rois=tuple(published)), select_rois(rois, reader.card.annotations)


def roi_rows(
    unit: UnitId,
    number: int,
    selections: Selections,
    drawn_on: str | None,
    image: PlacedImage | None,
) -> list[RoiRow]:
    """Return a row for every ROI of a structure set."""
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
