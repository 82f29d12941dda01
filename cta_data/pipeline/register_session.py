"""How one session is registered: every technique to the hub technique, judged."""

from __future__ import annotations

import logging
from functools import partial
from typing import Any

import SimpleITK as sitk

from cta_data.bids.names import transform_name
from cta_data.engine import (
    Outcome,
    Unit,
    Workspace,
)
from cta_data.engine.sessions import held_back
from cta_data.errors import DataRefused
from cta_data.files import json_line
from cta_data.formats.nifti.image import read_grid, read_image
from cta_data.formats.transforms import read_transform
from cta_data.imaging.geometry.grid import same_grid
from cta_data.imaging.geometry.inverse import inverse_of
from cta_data.imaging.registration.limits import limits_from, reasons_against
from cta_data.imaging.registration.quality import assess_transform
from cta_data.imaging.registration.register import RegistrationSettings, register_images

NO_HEAD = "Of a cohort of another part of the body, set geometry.shows_head = false in its card"
_log = logging.getLogger(__name__)


def run(unit: Unit, workspace: Workspace) -> Outcome:
    """Find a transform for every technique, from the best source there is, and judge it.

    What the cohort's card states (one space for all) comes first, then a DICOM registration
    object, then equal frames of reference, then registration.
    """
    hub = unit.parameters["hub"]
    outcome = Outcome(tables={"transforms": []})
    rejected = []
    techniques = list(unit.parameters["techniques"])
    if unit.parameters["coregistered"]:
        shared = [t for t in techniques if _on_one_grid(unit, hub, t, workspace)]
        for technique in shared:
            row = _row(unit, technique, "identity", "identity", None, ())
            row["parameters"] = json_line({"stated_by": "geometry.coregistered in the card"})
            _keep(unit, technique, row, sitk.TranslationTransform(3), outcome, workspace)
        # What is stated is believed of images on one grid; another grid is reason to look.
        techniques = [t for t in techniques if t not in shared]
    if not techniques:
        return outcome
    fixed = read_image(workspace.read(unit.path(f"image:{hub}")))
    for technique in techniques:
        moving = read_image(workspace.read(unit.path(f"image:{technique}")))
        row, transform, notes = _bring_together(unit, technique, fixed, moving, workspace)
        outcome.notes += [f"{technique} to {hub}: {note}" for note in notes]
        _keep(unit, technique, row, transform, outcome, workspace)
        if not row["accepted"]:
            rejected.append(f"{technique} to {hub} is not accepted: {row['rejection_reason']}")
    outcome.refused = held_back(rejected)
    return outcome


def _on_one_grid(unit: Unit, hub: str, technique: str, workspace: Workspace) -> bool:
    paths = (workspace.read(unit.path(f"image:{name}")) for name in (hub, technique))
    first, second = (read_grid(path) for path in paths)
    return same_grid(first, second)


def _keep(
    unit: Unit,
    technique: str,
    row: dict[str, Any],
    transform: sitk.Transform,
    outcome: Outcome,
    workspace: Workspace,
) -> None:
    hub = unit.parameters["hub"]
    name = transform_name(unit.id.subject, unit.id.session, moving=technique, fixed=hub)
    row["path"] = f"datasets/{unit.id.cohort}/derivatives/cta/{name.path}"
    sitk.WriteTransform(transform, str(workspace.write(row["path"])))
    outcome.tables["transforms"].append(row)


def _bring_together(
    unit: Unit, technique: str, fixed: sitk.Image, moving: sitk.Image, workspace: Workspace
) -> tuple[dict[str, Any], sitk.Transform, tuple[str, ...]]:
    """Return the row, the transform and the notes of one pair."""
    settings = unit.parameters["settings"]
    frames, hub = unit.parameters["frames"], unit.parameters["hub"]
    limits = limits_from(settings["limits"])
    stated = _from_registration_object(unit, technique, workspace)
    if stated is not None:
        transform, source, kind = stated, "dicom_reg", _kind(stated)
    elif _stated_or_same(unit, frames[hub] == frames[technique]):
        transform, source, kind = sitk.TranslationTransform(3), "identity", "identity"
    else:
        result = register_images(
            fixed,
            moving,
            RegistrationSettings(kind=settings["kind"], seed=settings["seed"], limits=limits),
            # A worker has no screen of its own: what takes minutes is said on the error stream.
            partial(_log.warning, "%s: %s to %s: %s", unit.id, technique, hub),
        )
        row = _row(unit, technique, "computed", result.kind, result.quality, result.reasons)
        row["metric"] = result.metric_value
        row["parameters"] = json_line(result.parameters)
        return row, result.transform, result.notes
    if not unit.parameters["checked"]:
        row = _row(unit, technique, source, kind, None, ())
        row["parameters"] = json_line({"not_checked": "geometry.shows_head in the card is false"})
        return row, transform, ()
    try:
        quality = assess_transform(fixed, moving, transform)
    except DataRefused as error:
        # The transform is there: a person can look at it, and accept it.
        why = f"it cannot be checked: {error.what} ({error.why})"
        return _row(unit, technique, source, kind, None, (f"{why}. {NO_HEAD}",)), transform, ()
    reasons = reasons_against(quality, limits)
    return _row(unit, technique, source, kind, quality, reasons), transform, ()


def _from_registration_object(
    unit: Unit, technique: str, workspace: Workspace
) -> sitk.Transform | None:
    """Return the transform from the hub's points to the technique's that an object gives."""
    forward = unit.paths("dicom:").get(technique)
    backward = unit.paths("dicom_inverse:").get(technique)
    if forward:
        return read_transform(workspace.read(forward))
    if backward:
        return inverse_of(read_transform(workspace.read(backward)))
    return None


def _stated_or_same(unit: Unit, same_frame: bool) -> bool:
    trusted = unit.parameters["settings"]["same_frame"] == "identity"
    return bool(unit.parameters["coregistered"]) or (same_frame and trusted)


def _row(
    unit: Unit, technique: str, source: str, kind: str, quality: Any, reasons: tuple[str, ...]
) -> dict[str, Any]:
    return {
        "cohort": unit.id.cohort,
        "subject": unit.id.subject,
        "session": unit.id.session,
        "fixed": unit.parameters["hub"],
        "moving": technique,
        "kind": kind,
        "source": source,
        "metric": None,
        "parameters": None,
        "quality_values": json_line(vars(quality)) if quality is not None else None,
        "accepted": not reasons,
        "rejection_reason": "; ".join(reasons) or None,
    }


def _kind(transform: sitk.Transform) -> str:
    return "affine" if transform.IsLinear() else "displacement"
