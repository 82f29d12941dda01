"""Agreement of annotations over a study: which lesions readers, or qualities, share."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Literal, cast

from cta_data.engine import Selection
from cta_data.engine.sessions import Upstream
from cta_data.scoring.agreement import Agreement, LinkedCase, PairSurfaces, summarise_agreement
from cta_data.scoring.lesion_links import HowLinked, LinkedLesions
from cta_data.study.annotations import CONSENSUS, CURRENT, annotation_name
from cta_data.study.session_id import SessionId
from cta_data.study.study import Study
from cta_data.study.tables import AnnotationRow, LesionLinkRow

By = Literal["annotation", "reader", "quality"]


@dataclass(frozen=True)
class ComparedCase:
    """One session with two annotations: their names, and the links of their lesions."""

    session: SessionId
    names: tuple[str, str]
    case: LinkedCase


@dataclass(frozen=True)
class Comparison:
    """Two annotations (or readers, or qualities) against each other over all sessions."""

    first: str
    second: str
    cases: tuple[ComparedCase, ...]
    agreement: Agreement

    @property
    def title(self) -> str:
        """What is compared."""
        return f"{self.first} and {self.second}"


def compare_annotations(
    study: Study, by: By = "annotation", selection: Selection | None = None
) -> list[Comparison]:
    """Return the agreement of every pair of annotations that sessions of the study have.

    Parameters
    ----------
    by
        `annotation` compares quality and reader (all versions are one), `reader` the readers of one
        quality, `quality` the qualities whoever the readers are. A consensus is an annotation, and
        no reader.
    """
    upstream = Upstream(study)
    rows = study.tables.index(LesionLinkRow, SessionId._fields)
    found: dict[tuple[str, str], list[ComparedCase]] = {}
    for session in upstream.sessions(selection or Selection()):
        unit = upstream.unit("link", session)
        if unit is None or unit.status != "ok":
            continue
        links = _by_pair(rows.get(tuple(session), []))
        there = {row.annotation for row in upstream.variants(session)}
        current = _current(upstream.annotations(session))
        for pair in combinations([one for one in current if one.annotation in there], 2):
            names = _names(pair, by)
            if names[0] != names[1]:
                exchanged = names[0] > names[1]
                key = names[::-1] if exchanged else names
                case = _case(session, pair, links, exchanged=exchanged)
                found.setdefault(key, []).append(case)
    return [
        Comparison(first, second, tuple(cases), summarise_agreement([c.case for c in cases]))
        for (first, second), cases in sorted(found.items())
    ]


def not_transferred(study: Study, selection: Selection | None = None) -> list[str]:
    """Return the current annotations that are on no grid yet, and so are not compared."""
    upstream = Upstream(study)
    return [
        f"{one.annotation} of {session}"
        for session in upstream.sessions(selection or Selection())
        for there in [{row.annotation for row in upstream.variants(session)}]
        for one in _current(upstream.annotations(session))
        if one.annotation not in there
    ]


def _current(annotations: Iterable[AnnotationRow]) -> list[AnnotationRow]:
    found = [one for one in annotations if one.status == CURRENT]
    return sorted(found, key=lambda one: one.annotation)


def _names(pair: tuple[AnnotationRow, AnnotationRow], by: By) -> tuple[str, str]:
    """Return what two annotations are called in a comparison; equal names are not compared.

    A consensus is compared with the readers it was made from only where it is named itself.
    """
    first, second = pair
    if by != "annotation" and CONSENSUS in (first.origin, second.origin):
        return "", ""
    if by == "quality":
        return first.quality or "", second.quality or ""
    if by == "reader":
        return (first.reader, second.reader) if first.quality == second.quality else ("", "")
    return _label(first), _label(second)


def _label(one: AnnotationRow) -> str:
    if one.origin == CONSENSUS:
        return one.annotation
    return annotation_name(one.quality or one.drawn_on, one.reader, 1)


def _by_pair(rows: Iterable[LesionLinkRow]) -> dict[tuple[str, str], list[LesionLinkRow]]:
    found: dict[tuple[str, str], list[LesionLinkRow]] = {}
    for row in rows:
        found.setdefault((row.first_annotation, row.second_annotation), []).append(row)
    return found


def _case(
    session: SessionId,
    pair: tuple[AnnotationRow, AnnotationRow],
    links: Mapping[tuple[str, str], list[LesionLinkRow]],
    *,
    exchanged: bool,
) -> ComparedCase:
    """Return one session of a comparison, with its annotations in the comparison's order."""
    names = (pair[0].annotation, pair[1].annotation)
    rows = tuple(links.get(names, ()))
    linked = tuple(map(_linked, rows))
    if exchanged:
        linked = tuple(link.exchanged() for link in linked)
    patient = f"{session.cohort} {session.subject}"
    case = LinkedCase(patient, linked, tuple(map(_surfaces, rows)), None, session.case)
    return ComparedCase(session, names[::-1] if exchanged else names, case)


def _linked(row: LesionLinkRow) -> LinkedLesions:
    return LinkedLesions(
        row.first_lesion,
        row.second_lesion,
        cast(HowLinked, row.how),
        _number(row.dice),
        _number(row.centroid_distance_mm),
        _number(row.first_volume_mm3),
        _number(row.second_volume_mm3),
    )


def _surfaces(row: LesionLinkRow) -> PairSurfaces | None:
    values = (row.mean_surface_mm, row.hausdorff95_mm, row.surface_dice_0_5mm, row.surface_dice_1mm)
    return None if values[0] is None else PairSurfaces(*map(_number, values))


def _number(value: float | None) -> float:
    return math.nan if value is None else value
