"""Register sessions: each session with annotations is registered with the one before it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from cta_data.engine import Blocked, RunOf, Selection, Step, Unit, UnitId, session_scope
from cta_data.engine.inputs import File
from cta_data.engine.sessions import Upstream, make_unit
from cta_data.reasons import Reason
from cta_data.study.annotations import CURRENT
from cta_data.study.session_id import Patient, SessionId
from cta_data.study.session_order import OrderedBy, in_time_order
from cta_data.study.study import Study
from cta_data.study.tables import SessionRow, TransformRow

VERSION = 1
STEP = "register-sessions"
BETWEEN = "sessions"
"""What these transforms are between, in the table `transforms`."""


@dataclass(frozen=True)
class RegisterSessionsInputs:
    """What the registration of a session with the one before it depends on.

    `settings` are the seed and the limits of the registrations within sessions. It is rigid,
    whatever those are: nothing between two sessions may hide that a lesion grew.
    """

    earlier: str
    technique: str
    settings: Mapping[str, Any]
    coregistered: bool
    checked: bool
    later_image: File
    earlier_image: File


@dataclass(frozen=True)
class SessionPair:
    """Two successive sessions of a subject, and what tells their order."""

    earlier: SessionId
    later: SessionId
    ordered_by: OrderedBy
    days: int | None


def session_pairs(
    study: Study, upstream: Upstream, selection: Selection, step: str, version: int
) -> Iterator[SessionPair | Blocked]:
    """Yield the pairs of successive sessions with annotations, of every subject with several.

    Sessions without an annotation are passed over, those that could not be converted included: the
    column `earlier_session` says which one is compared. A session that a step knows and that has no
    session before it (any more) is blocked, so that what the step made of it goes.
    """
    subjects: dict[Patient, list[SessionId]] = {}
    for session in upstream.sessions(selection):
        subjects.setdefault(session.patient, []).append(session)
    rows = study.tables.by_key(SessionRow)
    for sessions in subjects.values():
        annotated = [one for one in sessions if _is_annotated(upstream, one)]
        paired: set[SessionId] = set()
        if len(annotated) > 1:
            days = {one: row.days_after_first for one in annotated if (row := rows.get(one))}
            order = in_time_order(annotated, days)
            if isinstance(order, Reason):
                paired = {*annotated}
                yield from (Blocked(UnitId(step, one), version, order) for one in annotated)
            else:
                paired = {*order.sessions[1:]}
                for earlier, later in pairwise(order.sessions):
                    between = order.days_between(earlier, later)
                    yield SessionPair(earlier, later, order.ordered_by, between)
        for session in sessions:
            if session not in paired and upstream.unit(step, session):
                reason = Reason("earlier_session_missing")
                yield Blocked(UnitId(step, session), version, reason, expected=True)


def _is_annotated(upstream: Upstream, session: SessionId) -> bool:
    """Tell whether a session has an annotation that counts."""
    return any(one.status == CURRENT for one in upstream.annotations(session))


def stopped_earlier(
    upstream: Upstream, pair: SessionPair, later: Iterable[str], earlier: Iterable[str]
) -> Reason | None:
    """Return why a pair waits, by the steps that have to be done of each session, or None."""
    blocked = upstream.blocked_by(pair.later, *later)
    if blocked:
        return blocked
    cause = upstream.blocked_by(pair.earlier, *earlier)
    if cause is None:
        return None
    return Reason("earlier_session_stopped", session=pair.earlier.session, cause=cause)


def plan(study: Study, selection: Selection) -> Iterator[Unit | Blocked]:
    """List one unit a session that has one before it: their images of the reference technique."""
    upstream = Upstream(study)
    settings = study.configuration.registration
    for pair in session_pairs(study, upstream, selection, STEP, VERSION):
        if isinstance(pair, Blocked):
            yield pair
            continue
        unit = UnitId(STEP, pair.later)
        images = upstream.images(pair.earlier), upstream.images(pair.later)
        blocked = stopped_earlier(upstream, pair, ("convert",), ("convert",))
        if not blocked and not all(settings.reference in own for own in images):
            found = ", ".join(sorted({*images[0]} & {*images[1]})) or "none in both sessions"
            blocked = Reason("reference_image_missing", reference=settings.reference, found=found)
        if blocked:
            yield Blocked(unit, VERSION, blocked)
            continue
        geometry = study.card(pair.later.cohort).geometry
        given = RegisterSessionsInputs(
            earlier=pair.earlier.session,
            technique=settings.reference,
            settings=settings.model_dump(include={"seed", "limits"}),
            coregistered=geometry.sessions_coregistered,
            checked=geometry.shows_head,
            later_image=File(images[1][settings.reference].path),
            earlier_image=File(images[0][settings.reference].path),
        )
        yield make_unit(study, unit, VERSION, given)


def transform_between(study: Study, pair: SessionPair) -> TransformRow | None:
    """Return the registration of a pair, or None where there is none."""
    rows = study.tables.of_session(TransformRow, pair.later)
    return next((row for row in rows if row.moving_session == pair.earlier.session), None)


REGISTER_SESSIONS = Step(
    STEP,
    plan,
    RunOf("cta_data.pipeline.register_sessions_pair"),
    session_scope(TransformRow, between=BETWEEN),
)
"""How the image of a session is registered with that of the session before it, and checked."""
