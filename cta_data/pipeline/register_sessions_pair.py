"""How two sessions of a subject are registered: by one technique, checked."""

from __future__ import annotations

from dataclasses import replace

import SimpleITK as sitk

from cta_data.engine import Outcome, Unit, Workspace
from cta_data.engine.sessions import on_hold
from cta_data.formats.nifti.image import read_image
from cta_data.imaging.geometry.grid import same_grid
from cta_data.imaging.registration.limits import limits_from
from cta_data.imaging.registration.register import RegistrationSettings
from cta_data.pipeline.register_session import Found, checked, computed, transform_row
from cta_data.pipeline.register_sessions import BETWEEN, RegisterSessionsInputs
from cta_data.reasons import Reason
from cta_data.study import layout

STATED = {"stated_by": "geometry.sessions_coregistered in the card"}


def run(unit: Unit[RegisterSessionsInputs], workspace: Workspace) -> Outcome:
    """Find the transform from points of the later image to points of the earlier one."""
    given, session = unit.given, unit.session
    fixed = read_image(workspace.read(given.later_image))
    moving = read_image(workspace.read(given.earlier_image))
    found = _found(unit, fixed, moving)
    path = layout.session_transform(session, given.technique, given.earlier)
    sitk.WriteTransform(found.transform, str(workspace.write(path)))
    row = transform_row(session, given.technique, given.technique, path, found)
    outcome = Outcome(rows=[replace(row, moving_session=given.earlier, between=BETWEEN)])
    outcome.notes += found.notes
    if found.reasons:
        names = {"moving": f"session {given.earlier}", "fixed": f"session {session.session}"}
        outcome.refused = on_hold(
            [Reason("registration_rejected", findings=found.reasons, **names)]
        )
    return outcome


def _found(unit: Unit[RegisterSessionsInputs], fixed: sitk.Image, moving: sitk.Image) -> Found:
    """Return what the card states of images on one grid, and else what registration finds."""
    given, chosen = unit.given, unit.given.settings
    limits = limits_from(chosen["limits"])
    if given.coregistered and same_grid(fixed, moving):
        identity = sitk.TranslationTransform(3)
        found = Found("identity", "identity", identity, parameters=STATED)
        return checked(found, fixed, moving, limits, is_checkable=given.checked)
    settings = RegistrationSettings(kind="rigid", seed=chosen["seed"], limits=limits)
    return computed(fixed, moving, settings, f"{unit.id}: to session {given.earlier}")
