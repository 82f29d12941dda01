"""The structure sets of one session: ROIs to rows, selected contours to a file without identity."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

import SimpleITK as sitk

from cta_data.bids.names import BidsName
from cta_data.cohorts.card import AnnotationSection, Card
from cta_data.cohorts.roi_selection import RoiName, Selections, select_rois, technique_drawn_on
from cta_data.engine import UnitId, Workspace
from cta_data.errors import DataRefused
from cta_data.formats.contours_json import write_contours
from cta_data.formats.rtstruct import read_structure_set
from cta_data.formats.spatial_registration import read_spatial_registration
from cta_data.imaging.contour_reference import match_reference
from cta_data.imaging.contours import ImageIdentity, Roi, StructureSet
from cta_data.steps.annotation_rows import annotation_row
from cta_data.steps.image_rows import PlacedImage, RawSeries, RawSession, SessionImages
from cta_data.steps.redaction import without_identity

MATCH_ORDER = ("sop_instance", "series", "frame_of_reference")
MOST_TOLD = 3
NEXT_STEP = "Change the rules under [annotations] in the cohort's card, or correct the raw files"


@dataclass
class SessionAnnotations:
    """What the structure sets of a session gave."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    drawn_on: str | None = None
    contours: dict[str, list[Roi]] = field(default_factory=dict)
    refused: str = ""


def contours_path(unit: UnitId, technique: str) -> str:
    """Return where the selected contours go; `technique` is that of the image they lie on."""
    entities = {"sub": unit.subject, "ses": unit.session, "space": technique}
    name = BidsName(entities, "contours", ".json")
    return f"datasets/{unit.cohort}/derivatives/cta/{name.path}"


def convert_annotations(
    unit: UnitId,
    session: RawSession,
    images: SessionImages,
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
    candidates = _candidates(session.of_kind("RTSTRUCT"), section, result)
    for number, raw in enumerate(candidates, start=1):
        _convert_one(unit, number, raw, images, section, listed, result)
    if len(result.contours) > 1 and not result.refused:
        found = " and ".join(sorted(result.contours))
        result.refused = f"its structure sets lie on several images ({found})"
    if not result.refused:
        for technique, rois in result.contours.items():
            write_contours(rois, workspace.write(contours_path(unit, technique)))
    if not candidates and section.required and not result.refused:
        result.refused = "the session has no structure set"
    selected = any(row["selected"] for row in result.rows)
    if candidates and not selected and section.required and not result.refused:
        result.refused = f"no ROI was selected as a lesion. {NEXT_STEP}"
    return result


def convert_registrations(
    unit: UnitId, session: RawSession, images: SessionImages, workspace: Workspace
) -> None:
    """Write what Spatial Registration objects say of the session's frames of reference.

    A file named from-frame2_to-frame1 maps points of frame 1 to points of frame 2 (LPS, mm). Of a
    pair, the direction that begins at the lower number is written; of a deformation the one that
    the object holds.

    Raises
    ------
    DataRefused
        A registration object is damaged or contradicts itself.
    """
    frames = images.frame_uids()
    for raw in session.of_kind("REG"):
        registration = read_spatial_registration(raw.datasets[0])
        for pair in combinations(sorted(frames), 2):
            for fixed, moving in (pair, pair[::-1]):
                if registration.connects(frames[fixed], frames[moving]):
                    transform = registration.transform(frames[fixed], frames[moving])
                    path = registration_path(unit, fixed, moving)
                    sitk.WriteTransform(transform, str(workspace.write(path)))
                    break


def registration_path(unit: UnitId, fixed: int, moving: int) -> str:
    """Return where the transform between two frames, taken from a DICOM object, is kept."""
    entities = {
        "sub": unit.subject,
        "ses": unit.session,
        "from": f"frame{moving}",
        "to": f"frame{fixed}",
        "mode": "image",
        "desc": "dicom",
    }
    name = BidsName(entities, "xfm", ".tfm")
    return f"datasets/{unit.cohort}/derivatives/cta/{name.path}"


def _candidates(
    series: list[RawSeries], section: AnnotationSection, result: SessionAnnotations
) -> list[RawSeries]:
    """Return the structure sets to read, by the card's policy for several of them."""
    single = [RawSeries(s.kind, s.identifier, [d], s.header) for s in series for d in s.datasets]
    ordered = sorted(single, key=_drawn_at)
    if len(ordered) <= 1 or section.structure_sets == "all":
        return ordered
    if section.structure_sets == "refuse":
        result.refused = (
            f"the session has {len(ordered)} structure sets and the card does not say which to "
            "take (annotations.structure_sets)"
        )
        return []
    result.notes.append(f"the latest of {len(ordered)} structure sets was taken")
    return ordered[-1:]


def _drawn_at(raw: RawSeries) -> tuple[str, str]:
    dataset = raw.datasets[0]
    stamp = f"{dataset.get('StructureSetDate', '')}{dataset.get('StructureSetTime', '')}"
    return stamp, str(dataset.get("SOPInstanceUID", ""))


def _convert_one(
    unit: UnitId,
    number: int,
    raw: RawSeries,
    images: SessionImages,
    section: AnnotationSection,
    listed: str | None,
    result: SessionAnnotations,
) -> None:
    """Read one structure set, decide about its ROIs and collect those that are lesions."""
    structure_set = without_identity(read_structure_set(raw.datasets[0]), raw.datasets[0])
    result.notes += structure_set.notes
    names = [
        RoiName(r.number, r.name, r.interpreted_type or "", len(r.closed_contours))
        for r in structure_set.rois
    ]
    selections = select_rois(names, section)
    chosen = {s.roi.number for s in selections.decisions if s.selected}
    rois = [roi for roi in structure_set.rois if roi.number in chosen]
    image, problem = _image_of(structure_set, rois, images)
    referred = _technique_referred_to(image)
    drawn_on, how = technique_drawn_on(section, raw.header, referred, listed)
    result.rows += _rows(unit, number, selections, drawn_on, image)
    problems = list(selections.problems)
    if rois:
        problems += [problem] if problem else []
        problems += [] if drawn_on else [how]
    if problems:
        more = f"; and {len(problems) - MOST_TOLD} more" if len(problems) > MOST_TOLD else ""
        result.refused = f"{'; '.join(problems[:MOST_TOLD])}{more}. {NEXT_STEP}"
        return
    if rois and image:
        result.drawn_on = drawn_on
        result.notes.append(f"drawn on {drawn_on}: {how}")
        result.contours.setdefault(image.technique, []).extend(rois)


def _image_of(
    structure_set: StructureSet, rois: list[Roi], images: SessionImages
) -> tuple[PlacedImage | None, str]:
    """Find the image that the contours lie on; the text says why there is none."""
    if not rois:
        return None, ""
    found: dict[str, PlacedImage] = {}
    problem = "the session has no image"
    for image in images.placed:
        identity = ImageIdentity(image.series_uid, image.frame_uid, image.sop_uids)
        try:
            match = match_reference(structure_set, rois, identity)
        except DataRefused as error:
            problem = f"{error.what}: none of the session's images is the one it was drawn on"
            continue
        found.setdefault(match.kind, image)
    best = next((found[kind] for kind in MATCH_ORDER if kind in found), None)
    return best, "" if best else problem


def _technique_referred_to(image: PlacedImage | None) -> str | None:
    """Return the MR technique that the contours lie on; planning CT tells nothing."""
    return image.technique if image and image.technique != "CT" else None


def _rows(
    unit: UnitId,
    number: int,
    selections: Selections,
    drawn_on: str | None,
    image: PlacedImage | None,
) -> list[dict[str, Any]]:
    return [
        annotation_row(
            unit,
            decision.roi.number,
            decision.roi.name,
            structure_set=number,
            drawn_on=drawn_on,
            frame=image.frame if image else None,
            selected=decision.selected,
            interpreted_type=decision.roi.interpreted_type or None,
            n_contours=decision.roi.n_contours,
            selected_by=decision.rule or None,
            rejected_reason=decision.rejected_reason or None,
        )
        for decision in selections.decisions
    ]
