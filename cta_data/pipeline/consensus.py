"""Consensus: annotations that are made from those of several readers, where somebody asked for it.

What was asked for stands in the table `consensus_requests`. Each consensus is made again when one
of the annotations changes that it was made from.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from cta_data.engine import Blocked, RunOf, Selection, Step, Unit, UnitId, session_scope
from cta_data.engine.sessions import Upstream, make_unit
from cta_data.errors import ConfigurationError
from cta_data.pipeline.annotation_files import AnnotationFiles
from cta_data.reasons import Reason
from cta_data.study.annotations import CONSENSUS as DERIVED
from cta_data.study.annotations import CURRENT, annotation_name
from cta_data.study.session_id import SessionId
from cta_data.study.study import Study
from cta_data.study.tables import AnnotationRow, ConsensusRequestRow

VERSION = 1
Method = tuple[str, int | None]
"""A method, and how many readers have to see a lesion; None for the default of the method."""


@dataclass(frozen=True)
class ConsensusInputs:
    """What the consensus of a session depends on.

    `quality` and `drawn_on` (the source technique) are by the name of the annotation.
    """

    methods: tuple[Method, ...]
    quality: Mapping[str, str]
    drawn_on: Mapping[str, str]
    annotations: AnnotationFiles


def request_consensus(
    study: Study, selection: Selection, method: str, min_readers: int | None
) -> list[SessionId]:
    """Ask for a consensus of the selected sessions that have several readers; return these.

    Another `min_readers` of the same method replaces the earlier one.

    Raises
    ------
    ConfigurationError
        No selected session has as many readers.
    """
    upstream = Upstream(study)
    readers = {
        session: _most_readers(comparable(upstream.annotations(session)))
        for session in upstream.sessions(selection)
    }
    sessions = [session for session, n in readers.items() if n]
    if sessions and min_readers is not None and min_readers > max(readers.values()):
        raise ConfigurationError(
            "consensus_readers_too_few", min_readers=min_readers, n_readers=max(readers.values())
        )
    study.tables.upsert(
        [
            ConsensusRequestRow(session=session, method=method, min_readers=min_readers)
            for session in sessions
        ]
    )
    return sessions


def comparable(annotations: Iterable[AnnotationRow]) -> list[AnnotationRow]:
    """Return the current annotations of qualities that several readers delineated."""
    current = [
        one
        for one in annotations
        if one.quality and one.status == CURRENT and one.origin != DERIVED
    ]
    readers = Counter(quality for quality, _ in {(one.quality, one.reader) for one in current})
    return [one for one in current if readers[one.quality] > 1]


def _most_readers(annotations: Iterable[AnnotationRow]) -> int:
    return max(Counter(one.quality for one in annotations).values(), default=0)


def plan(study: Study, selection: Selection) -> Iterator[Unit | Blocked]:
    """List one unit a session whose consensus somebody asked for."""
    requests = study.tables.index(ConsensusRequestRow, SessionId._fields)
    if not requests:
        return
    upstream = Upstream(study)
    for session in upstream.sessions(selection):
        if session not in requests:
            continue
        unit = UnitId("consensus", session)
        edited = upstream.edited(session)
        if edited:
            # As for `transfer`: the edit is neither used nor lost.
            yield Blocked(unit, VERSION, edited, keeps_results=True)
            continue
        blocked = upstream.blocked_by(session, "convert")
        if blocked:
            yield Blocked(unit, VERSION, blocked)
            continue
        annotations = upstream.annotations(session)
        readers = comparable(annotations)
        if not readers:
            yield Blocked(unit, VERSION, Reason("consensus_readers_missing"), expected=True)
            continue
        methods = tuple(sorted((row.method, row.min_readers) for row in requests[session]))
        taken = _taken(annotations, readers, methods)
        if taken:
            yield Blocked(unit, VERSION, Reason("consensus_name_taken", annotations=taken))
            continue
        given = ConsensusInputs(
            methods=methods,
            quality={one.annotation: one.quality or "" for one in readers},
            drawn_on={one.annotation: one.drawn_on for one in readers},
            annotations=AnnotationFiles.of(readers, upstream.spaces(session)),
        )
        yield make_unit(study, unit, VERSION, given)


def _taken(
    annotations: Iterable[AnnotationRow],
    readers: Iterable[AnnotationRow],
    methods: Iterable[Method],
) -> tuple[str, ...]:
    """Return names of a consensus that an annotation of a reader has already."""
    qualities = {one.quality or "" for one in readers}
    wanted = {annotation_name(quality, name, 1) for quality in qualities for name, _ in methods}
    others = {one.annotation for one in annotations if one.origin != DERIVED}
    return tuple(sorted(wanted & others))


CONSENSUS = Step(
    "consensus",
    plan,
    RunOf("cta_data.pipeline.consensus_session"),
    session_scope(AnnotationRow, origin=DERIVED),
)
"""How the annotations of several readers of one session become one."""
