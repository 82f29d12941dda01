"""Register: every technique of a session is brought to the reference technique."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cta_data.bids.names import TRANSFORM_EXTENSION
from cta_data.engine import (
    Blocked,
    RunOf,
    Selection,
    Step,
    Unit,
    UnitId,
    session_scope,
)
from cta_data.engine.inputs import Files
from cta_data.engine.sessions import Upstream, make_unit
from cta_data.reasons import Reason
from cta_data.study import layout
from cta_data.study.session_id import SessionId
from cta_data.study.study import Study
from cta_data.study.tables import ImageRow, TransformRow

VERSION = 5


@dataclass(frozen=True)
class RegisterInputs:
    """What the registration of a session depends on.

    `dicom` are transforms from the reference image that DICOM objects state, `dicom_inverse` those
    towards it.
    """

    reference: str
    techniques: tuple[str, ...]
    settings: Mapping[str, Any]
    frames: Mapping[str, int | None]
    coregistered: bool
    checked: bool
    image: Files[str]
    dicom: Files[str]
    dicom_inverse: Files[str]


def plan(study: Study, selection: Selection) -> Iterator[Unit | Blocked]:
    """List one unit a converted session with all techniques that have to meet."""
    upstream = Upstream(study)
    settings = study.configuration.registration
    chosen = settings.model_dump()
    for session in upstream.sessions(selection):
        unit = UnitId("register", session)
        blocked = upstream.blocked_by(session, "convert")
        images, spaces = upstream.images(session), upstream.spaces(session)
        if not blocked and settings.reference not in images:
            found = ", ".join(sorted(images)) or "none"
            blocked = Reason("reference_image_missing", reference=settings.reference, found=found)
        if blocked:
            yield Blocked(unit, VERSION, blocked)
            continue
        drawn_in = {row.space for row in upstream.annotations(session)}
        moving = _needed(study, images, spaces, drawn_in)
        geometry = study.card(session.cohort).geometry
        stated = geometry.coregistered
        frames = {name: spaces[name].frame for name in (settings.reference, *moving)}
        asked = settings.use_dicom_registration and not stated
        made = upstream.outputs("convert", session) if asked else []
        objects = _registration_objects(session, settings.reference, frames, made)
        given = RegisterInputs(
            reference=settings.reference,
            techniques=tuple(moving),
            settings=chosen,
            frames=frames,
            coregistered=stated,
            checked=geometry.shows_head,
            image=Files({name: spaces[name].path for name in (settings.reference, *moving)}),
            dicom=Files(objects[0]),
            dicom_inverse=Files(objects[1]),
        )
        yield make_unit(study, unit, VERSION, given)


def _registration_objects(
    session: SessionId, reference: str, frames: Mapping[str, int | None], made: Sequence[str]
) -> tuple[dict[str, str], dict[str, str]]:
    """Return what DICOM objects say: transforms from the reference, or else those towards it."""
    forward: dict[str, str] = {}
    backward: dict[str, str] = {}
    own = frames[reference]
    if not any(path.endswith(TRANSFORM_EXTENSION) for path in made):
        return forward, backward  # as in nearly every session: no name has to be made
    for name, frame in frames.items():
        if own is None or frame is None or frame == own:
            continue
        from_hub = layout.stated_transform(session, own, frame)
        to_hub = layout.stated_transform(session, frame, own)
        if from_hub in made:
            forward[name] = from_hub
        elif to_hub in made:
            backward[name] = to_hub
    return forward, backward


def _needed(
    study: Study,
    images: Mapping[str, ImageRow],
    all_spaces: Mapping[str, ImageRow],
    drawn_in: set[str],
) -> list[str]:
    """Return the spaces that have to meet the reference image.

    Those are the grids that annotations are carried to, what annotations were drawn on or lie on
    (an earlier phase of a technique is an image of its own), and every planning CT. A FLAIR image
    that nothing is carried to is left where it is.
    """
    settings = study.configuration
    wanted = {*settings.transfer.grids, *drawn_in}
    wanted |= {name for name, row in images.items() if row.modality == "CT"}
    return sorted((wanted & set(all_spaces)) - {settings.registration.reference})


REGISTER = Step(
    "register",
    plan,
    RunOf("cta_data.pipeline.register_session"),
    session_scope(TransformRow, between="techniques"),
)
