"""Register: every technique of a session is brought to the hub technique."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import SimpleITK as sitk

from cta_data.bids.names import parse_name, transform_name
from cta_data.engine import (
    Blocked,
    Outcome,
    Selection,
    Step,
    Unit,
    UnitId,
    Workspace,
    session_scope,
)
from cta_data.errors import DataRefused
from cta_data.formats.nifti import read_grid, read_image, same_grid
from cta_data.imaging.inverse import inverse_of
from cta_data.imaging.registration import RegistrationSettings, register_images
from cta_data.imaging.registration_quality import (
    assess_transform,
    limits_from,
    reasons_against,
)
from cta_data.steps.registration_objects import registration_path
from cta_data.steps.sessions import Upstream, held_back, make_unit
from cta_data.study import Study

VERSION = 5
NO_HEAD = "Of a cohort of another part of the body, set geometry.shows_head = false in its card"
_log = logging.getLogger(__name__)


def plan(study: Study, selection: Selection) -> Iterator[Unit | Blocked]:
    """List one unit a converted session with all techniques that have to meet."""
    upstream = Upstream(study, "register")
    settings = study.configuration.registration
    for unit in upstream.sessions(selection):
        blocked = upstream.blocked_by(unit, "convert")
        images, spaces = upstream.images(unit), upstream.spaces(unit)
        if not blocked and settings.hub not in images:
            found = ", ".join(sorted(images)) or "none"
            blocked = (
                f"there is no image of the hub technique {settings.hub} (found: {found}); "
                "registration.hub in study.toml names it"
            )
        if blocked:
            yield Blocked(unit, VERSION, blocked)
            continue
        made = set(upstream.outputs("convert", unit))
        moving = _needed(study, images, spaces, made)
        geometry = study.card(unit.cohort).geometry
        stated = geometry.coregistered
        paths = {f"image:{name}": spaces[name]["path"] for name in (settings.hub, *moving)}
        frames = {name: spaces[name]["frame"] for name in (settings.hub, *moving)}
        if settings.use_dicom_registration and not stated:
            paths |= _registration_objects(unit, settings.hub, frames, made)
        parameters = {
            "settings": settings.model_dump(),
            "hub": settings.hub,
            "techniques": moving,
            "frames": frames,
            "coregistered": stated,
            "checked": geometry.shows_head,
        }
        yield make_unit(study, unit, VERSION, paths, parameters)


def _registration_objects(
    unit: UnitId, hub: str, frames: Mapping[str, int], made: set[str]
) -> dict[str, str]:
    """Return what DICOM objects say, as inputs: from the hub, or else towards it."""
    inputs = {}
    for name, frame in frames.items():
        from_hub = registration_path(unit, frames[hub], frame)
        to_hub = registration_path(unit, frame, frames[hub])
        if frame == frames[hub]:
            continue
        if from_hub in made:
            inputs[f"dicom:{name}"] = from_hub
        elif to_hub in made:
            inputs[f"dicom_inverse:{name}"] = to_hub
    return inputs


def _needed(
    study: Study, images: Mapping[str, Any], all_spaces: Mapping[str, Any], made: set[str]
) -> list[str]:
    """Return the spaces that have to meet the hub.

    Those are the grids that annotations are carried to, what annotations were drawn on or lie on
    (an earlier phase of a technique is an image of its own), and every planning CT. A FLAIR image
    that nothing is carried to is left where it is.
    """
    settings = study.configuration
    spaces = {parse_name(path.split("/")[-1]).entities.get("space", "") for path in made}
    wanted = {*settings.transfer.grids, *spaces}
    wanted |= {name for name, row in images.items() if row["modality"] == "CT"}
    return sorted((wanted & set(all_spaces)) - {settings.registration.hub})


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
            row["parameters"] = _json({"stated_by": "geometry.coregistered in the card"})
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
        row["parameters"] = _json(result.parameters)
        return row, result.transform, result.notes
    if not unit.parameters["checked"]:
        row = _row(unit, technique, source, kind, None, ())
        row["parameters"] = _json({"not_checked": "geometry.shows_head in the card is false"})
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
        return sitk.ReadTransform(str(workspace.read(forward)))
    if backward:
        return inverse_of(sitk.ReadTransform(str(workspace.read(backward))))
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
        "quality_values": _json(vars(quality)) if quality is not None else None,
        "accepted": not reasons,
        "rejection_reason": "; ".join(reasons) or None,
    }


def _kind(transform: sitk.Transform) -> str:
    return "affine" if transform.IsLinear() else "displacement"


def _json(content: Mapping[str, Any]) -> str:
    return json.dumps(content, sort_keys=True, default=float)


REGISTER = Step("register", plan, run, session_scope("transforms"))
