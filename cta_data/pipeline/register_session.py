"""How one session is registered: every technique to the reference technique, judged."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import SimpleITK as sitk

from cta_data.engine import (
    Outcome,
    Unit,
    Workspace,
)
from cta_data.engine.sessions import on_hold
from cta_data.errors import DataRefused
from cta_data.files import json_line
from cta_data.formats.nifti.image import read_grid, read_image
from cta_data.formats.transforms import read_transform
from cta_data.imaging.geometry.grid import same_grid
from cta_data.imaging.geometry.inverse import inverse_of
from cta_data.imaging.registration.limits import (
    QualityLimits,
    RegistrationQuality,
    limits_from,
    reasons_against,
)
from cta_data.imaging.registration.quality import assess_transform
from cta_data.imaging.registration.register import RegistrationSettings, register_images
from cta_data.pipeline.register import RegisterInputs
from cta_data.reasons import Reason
from cta_data.study import layout
from cta_data.study.session_id import SessionId
from cta_data.study.tables import TransformRow

_log = logging.getLogger(__name__)


def run(unit: Unit[RegisterInputs], workspace: Workspace) -> Outcome:
    """Find a transform for every technique, from the best source there is, and judge it.

    What the cohort's card states (one space for all) comes first, then a DICOM registration
    object, then equal frames of reference, then registration.
    """
    reference = unit.given.reference
    outcome = Outcome()
    rejected = []
    techniques = list(unit.given.techniques)
    if unit.given.coregistered:
        shared = [t for t in techniques if _on_one_grid(unit, reference, t, workspace)]
        for technique in shared:
            stated = {"stated_by": "geometry.coregistered in the card"}
            found = Found("identity", "identity", sitk.TranslationTransform(3), parameters=stated)
            outcome.rows.append(_keep(unit, technique, found, workspace))
        # What is stated is believed of images on one grid; another grid is reason to look.
        techniques = [t for t in techniques if t not in shared]
    if not techniques:
        return outcome
    fixed = read_image(workspace.read(unit.given.image[reference]))
    for technique in techniques:
        moving = read_image(workspace.read(unit.given.image[technique]))
        found = _bring_together(unit, technique, fixed, moving, workspace)
        outcome.notes += [f"{technique} to {reference}: {note}" for note in found.notes]
        row = _keep(unit, technique, found, workspace)
        outcome.rows.append(row)
        if not row.accepted:
            names = {"moving": technique, "fixed": reference}
            rejected.append(Reason("registration_rejected", findings=found.reasons, **names))
    outcome.refused = on_hold(rejected)
    return outcome


@dataclass(frozen=True, eq=False)
class Found:
    """A transform between two techniques: where it is from, how good it is, what is against it."""

    source: str
    kind: str
    transform: sitk.Transform
    quality: RegistrationQuality | None = None
    reasons: tuple[Reason, ...] = ()
    metric: float | None = None
    parameters: Mapping[str, Any] | None = None
    notes: tuple[str, ...] = ()


def _on_one_grid(
    unit: Unit[RegisterInputs], reference: str, technique: str, workspace: Workspace
) -> bool:
    paths = (workspace.read(unit.given.image[name]) for name in (reference, technique))
    first, second = (read_grid(path) for path in paths)
    return same_grid(first, second)


def _keep(
    unit: Unit[RegisterInputs], technique: str, found: Found, workspace: Workspace
) -> TransformRow:
    """Write a transform; return its row."""
    session, reference = unit.session, unit.given.reference
    row = transform_row(
        session, reference, technique, layout.transform(session, reference, technique), found
    )
    sitk.WriteTransform(found.transform, str(workspace.write(row.path)))
    return row


def transform_row(
    session: SessionId, fixed: str, moving: str, path: str, found: Found
) -> TransformRow:
    """Return what the table `transforms` says of a transform that is kept in a file."""
    return TransformRow(
        session=session,
        fixed=fixed,
        moving=moving,
        path=path,
        kind=found.kind,
        source=found.source,
        metric=found.metric,
        parameters=json_line(found.parameters) if found.parameters is not None else None,
        quality_values=json_line(vars(found.quality)) if found.quality is not None else None,
        accepted=not found.reasons,
        rejection_reason="; ".join(map(str, found.reasons)) or None,
        rejection_code=found.reasons[0].finding.code if found.reasons else None,
    )


def _bring_together(
    unit: Unit[RegisterInputs],
    technique: str,
    fixed: sitk.Image,
    moving: sitk.Image,
    workspace: Workspace,
) -> Found:
    """Return the transform of one pair from the best source there is, with what is against it."""
    settings = unit.given.settings
    frames, reference = unit.given.frames, unit.given.reference
    limits = limits_from(settings["limits"])
    stated = _from_registration_object(unit, technique, workspace)
    if stated is not None:
        found = Found("dicom_reg", _kind(stated), stated)
    elif _stated_or_same(unit, frames[reference] == frames[technique]):
        found = Found("identity", "identity", sitk.TranslationTransform(3))
    else:
        chosen = RegistrationSettings(kind=settings["kind"], seed=settings["seed"], limits=limits)
        return computed(fixed, moving, chosen, f"{unit.id}: {technique} to {reference}")
    return checked(found, fixed, moving, limits, is_checkable=unit.given.checked)


def computed(
    fixed: sitk.Image, moving: sitk.Image, settings: RegistrationSettings, name: str
) -> Found:
    """Register two images; `name` begins what is said of a registration that takes long."""
    # A worker has no screen of its own: what takes minutes is said on the error stream.
    notify = partial(_log.warning, "%s: %s", name)
    result = register_images(fixed, moving, settings, notify)
    return Found(
        "computed",
        result.kind,
        result.transform,
        quality=result.quality,
        reasons=result.reasons,
        metric=result.metric_value,
        parameters=result.parameters,
        notes=result.notes,
    )


def checked(
    found: Found,
    fixed: sitk.Image,
    moving: sitk.Image,
    limits: QualityLimits,
    *,
    is_checkable: bool,
) -> Found:
    """Return a transform that was not computed with its quality, and what is against it."""
    if not is_checkable:
        unchecked = {"not_checked": "geometry.shows_head in the card is false"}
        return replace(found, parameters=unchecked)
    try:
        quality = assess_transform(fixed, moving, found.transform)
    except DataRefused as error:
        # The transform is there: a person can look at it, and accept it.
        return replace(found, reasons=(Reason("registration_not_checked", cause=error.reason),))
    return replace(found, quality=quality, reasons=tuple(reasons_against(quality, limits)))


def _from_registration_object(
    unit: Unit[RegisterInputs], technique: str, workspace: Workspace
) -> sitk.Transform | None:
    """Return the transform from the reference's points to the technique's that an object gives."""
    forward = unit.given.dicom.get(technique)
    backward = unit.given.dicom_inverse.get(technique)
    if forward:
        return read_transform(workspace.read(forward))
    if backward:
        return inverse_of(read_transform(workspace.read(backward)))
    return None


def _stated_or_same(unit: Unit[RegisterInputs], same_frame: bool) -> bool:
    trusted = unit.given.settings["same_frame"] == "identity"
    return unit.given.coregistered or (same_frame and trusted)


def _kind(transform: sitk.Transform) -> str:
    return "affine" if transform.IsLinear() else "displacement"
