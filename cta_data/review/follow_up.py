"""Subjects over time: what became of their lesions, and the volume of each in every session."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from cta_data.engine import Selection
from cta_data.engine.sessions import Upstream
from cta_data.pipeline.follow_up import STEP
from cta_data.study.session_id import Patient
from cta_data.study.study import Study
from cta_data.study.tables import LesionChangeRow

_Node = tuple[str, int]
"""A session and a lesion in it."""


@dataclass(frozen=True)
class Visit:
    """A session of a subject; `days` since the first of those shown, None where not known."""

    session: str
    days: int | None


@dataclass(frozen=True)
class TrackPoint:
    """Volume of a lesion, with all its parts, in one session: its place among the visits."""

    visit: int
    volume_mm3: float
    sd_mm3: float


@dataclass(frozen=True)
class LesionTrack:
    """A lesion over all sessions, with all lesions that it merged with or split into."""

    name: str
    quality: str
    points: tuple[TrackPoint, ...]


@dataclass(frozen=True)
class FollowedSubject:
    """A subject with several sessions: its changes in the order of time."""

    cohort: str
    subject: str
    visits: tuple[Visit, ...]
    changes: tuple[LesionChangeRow, ...]

    @property
    def title(self) -> str:
        """What it is called."""
        return f"{self.cohort} sub-{self.subject}"

    @property
    def tracks(self) -> tuple[LesionTrack, ...]:
        """Its lesions over time, by quality."""
        qualities = sorted({row.quality for row in self.changes})
        return tuple(one for quality in qualities for one in self._tracks(quality))

    def _tracks(self, quality: str) -> list[LesionTrack]:
        own = [row for row in self.changes if row.quality == quality]
        place = {visit.session: number for number, visit in enumerate(self.visits)}
        tracks = sorted(_connected(own), key=lambda rows: _first(rows, place))
        return [
            LesionTrack(str(number), quality, _points(rows, place))
            for number, rows in enumerate(tracks, start=1)
        ]


def followed_subjects(study: Study, selection: Selection | None = None) -> list[FollowedSubject]:
    """Return the subjects whose lesions were followed, in order.

    A session whose last follow-up did not succeed is left out, with what it once had.
    """
    upstream = Upstream(study)
    chosen = selection or Selection()
    rows: dict[Patient, list[LesionChangeRow]] = {}
    for row in study.tables.rows(LesionChangeRow):
        unit = upstream.unit(STEP, row.session)
        if unit and unit.status == "ok" and chosen.takes(*row.session.patient):
            rows.setdefault(row.session.patient, []).append(row)
    return [_subject(patient, own) for patient, own in sorted(rows.items())]


def _subject(patient: Patient, rows: Sequence[LesionChangeRow]) -> FollowedSubject:
    pairs = {(row.earlier_session, row.session.session): row.days_between for row in rows}
    order = _in_order(pairs)
    days: dict[str, int | None] = {order[0]: 0}
    for earlier, later in pairwise(order):
        before, between = days[earlier], pairs.get((earlier, later))
        days[later] = None if before is None or between is None else before + between
    known = None not in days.values()
    visits = tuple(Visit(one, days[one] if known else None) for one in order)
    place = {session: number for number, session in enumerate(order)}
    ordered = sorted(rows, key=lambda row: (place[row.session.session], row.quality, row.change))
    return FollowedSubject(*patient, visits, tuple(ordered))


def _in_order(pairs: Iterable[tuple[str, str]]) -> list[str]:
    """Return sessions in the order of time, from pairs of successive ones."""
    after = dict(sorted(pairs))
    later = set(after.values())
    order: list[str] = []
    for start in (one for one in after if one not in later):
        order.append(start)
        while order[-1] in after:
            order.append(after[order[-1]])
    return order


def _nodes(row: LesionChangeRow) -> tuple[list[_Node], list[_Node]]:
    """Return the lesions of both sessions of a change."""
    before = [(row.earlier_session, number) for number in row.earlier_lesions]
    return before, [(row.session.session, number) for number in row.later_lesions]


def _connected(rows: Iterable[LesionChangeRow]) -> list[list[LesionChangeRow]]:
    """Return the changes that share a lesion, group by group."""
    group_of: dict[_Node, list[LesionChangeRow]] = {}
    groups: dict[int, list[LesionChangeRow]] = {}
    for row in rows:
        merged = [row]
        nodes = {node for side in _nodes(row) for node in side}
        for old in {id(group_of[node]): group_of[node] for node in nodes if node in group_of}:
            merged = groups.pop(old) + merged
        groups[id(merged)] = merged
        for one in merged:
            for side in _nodes(one):
                group_of |= dict.fromkeys(side, merged)
    return list(groups.values())


def _first(rows: Iterable[LesionChangeRow], place: dict[str, int]) -> tuple[int, int]:
    return min((place[session], n) for row in rows for side in _nodes(row) for session, n in side)


def _points(rows: Iterable[LesionChangeRow], place: dict[str, int]) -> tuple[TrackPoint, ...]:
    """Return the volume in each session: from the change that ends there, or begins there."""
    found: dict[tuple[str, bool], list[tuple[float, float]]] = {}
    for row in rows:
        sides = (
            (row.session.session, False, row.volume_after_mm3, row.volume_after_sd_mm3),
            (row.earlier_session, True, row.volume_before_mm3, row.volume_before_sd_mm3),
        )
        for session, is_before, volume, spread in sides:
            if volume is not None:
                found.setdefault((session, is_before), []).append((volume, spread or 0.0))
    chosen: dict[str, list[tuple[float, float]]] = {}
    for (session, _), volumes in sorted(found.items(), key=lambda one: one[0][1]):
        chosen.setdefault(session, volumes)
    points = (
        TrackPoint(place[session], sum(v for v, _ in own), math.hypot(*(sd for _, sd in own)))
        for session, own in chosen.items()
    )
    return tuple(sorted(points, key=lambda point: point.visit))
