"""Follow up: what became of each lesion since the session before."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from cta_data.cohorts.readers import UNKNOWN_READER
from cta_data.engine import Blocked, RunOf, Selection, Step, Unit, UnitId, session_scope
from cta_data.engine.inputs import File, Files
from cta_data.engine.sessions import Upstream, make_unit, transform_files
from cta_data.pipeline.register_sessions import STEP as REGISTERED
from cta_data.pipeline.register_sessions import (
    SessionPair,
    session_pairs,
    stopped_earlier,
    transform_between,
)
from cta_data.reasons import Reason, together
from cta_data.scoring.lesion_changes import PART_SHARE
from cta_data.scoring.lesion_links import DISTANCE_MM
from cta_data.study.annotations import CURRENT, choose_annotation
from cta_data.study.configuration import AnnotationChoice
from cta_data.study.study import Study
from cta_data.study.tables import AnnotationRow, LesionChangeRow, VariantRow

VERSION = 1
STEP = "follow-up"
NEEDED = ("convert", "register", "transfer")
"""Steps that each of two sessions needs."""


@dataclass(frozen=True)
class FollowUpInputs:
    """What the changes of lesions between two sessions depend on.

    `annotations` are the names of the earlier and the later one by quality, `technique` is what
    both were delineated on, `grid` the technique on whose grids they are. `repeats_all` is false
    where later annotations hold only what is treated then. `part_share` is a fraction as text.
    Accounts say of every lesion its volume as delineated, and which were lost.
    """

    earlier: str
    ordered_by: str
    days: int | None
    reference: str
    annotations: Mapping[str, tuple[str, str]]
    technique: Mapping[str, str]
    same_reader: Mapping[str, bool | None]
    grid: Mapping[str, str]
    left_out: tuple[str, ...]
    repeats_all: bool
    growth_percent: float
    shrinkage_percent: float
    outline_sd_voxels: float
    distance_mm: float
    part_share: str
    earlier_labels: Files[str]
    later_labels: Files[str]
    earlier_account: Files[str]
    later_account: Files[str]
    earlier_transform: Files[tuple[str, str]]
    later_transform: Files[tuple[str, str]]
    between: File


@dataclass(frozen=True)
class _Compared:
    """Two annotations of one quality, and their variants on the grids of one technique."""

    annotations: tuple[AnnotationRow, AnnotationRow]
    variants: tuple[VariantRow, VariantRow]

    @property
    def same_reader(self) -> bool | None:
        """Whether one reader delineated both; None where one is unknown."""
        readers = {one.reader for one in self.annotations}
        return None if UNKNOWN_READER in readers else len(readers) == 1


def plan(study: Study, selection: Selection) -> Iterator[Unit | Blocked]:
    """List one unit a session that was registered with the one before it."""
    upstream = Upstream(study)
    for pair in session_pairs(study, upstream, selection, STEP, VERSION):
        if isinstance(pair, Blocked):
            yield pair
            continue
        unit = UnitId(STEP, pair.later)
        blocked = stopped_earlier(upstream, pair, (*NEEDED, REGISTERED), NEEDED)
        blocked = blocked or upstream.edited(pair.later) or upstream.edited(pair.earlier)
        between = transform_between(study, pair)
        if blocked or between is None:
            yield Blocked(unit, VERSION, blocked or Reason("step_not_done", step=REGISTERED))
            continue
        compared, problems = _compared(study, upstream, pair)
        if not compared:
            several = bool(problems)
            why = together(problems) if several else Reason("sessions_share_no_quality")
            yield Blocked(unit, VERSION, why, expected=not several)
            continue
        given = _inputs(study, upstream, pair, compared, problems, between.path)
        yield make_unit(study, unit, VERSION, given)


def _compared(
    study: Study, upstream: Upstream, pair: SessionPair
) -> tuple[dict[str, _Compared], list[Reason]]:
    """Return what is compared by quality, and why qualities that both sessions have are not."""
    sessions = (pair.earlier, pair.later)
    current = [
        [one for one in upstream.annotations(session) if one.status == CURRENT]
        for session in sessions
    ]
    qualities = [{one.quality for one in own if one.quality} for own in current]
    compared: dict[str, _Compared] = {}
    problems: list[Reason] = []
    for quality in sorted(qualities[0] & qualities[1]):
        choice = study.configuration.follow_up
        found = _chosen(upstream, pair, quality, choice)
        if isinstance(found, Reason):
            problems.append(found)
        else:
            compared[quality] = found
    return compared, problems


def _chosen(
    upstream: Upstream, pair: SessionPair, quality: str, choice: AnnotationChoice
) -> _Compared | Reason:
    """Return the annotations of one quality that count, or why they are not compared."""
    earlier, later = (
        choose_annotation(upstream.annotations(session), quality, choice)
        for session in (pair.earlier, pair.later)
    )
    if isinstance(later, Reason):
        return later
    if isinstance(earlier, Reason):
        return Reason("earlier_session_stopped", session=pair.earlier.session, cause=earlier)
    if earlier.drawn_on != later.drawn_on:
        techniques = (earlier.drawn_on, later.drawn_on)
        return Reason("delineated_techniques_differ", quality=quality, techniques=techniques)
    grids = [
        _by_grid(upstream.variants(session), one.annotation)
        for session, one in ((pair.earlier, earlier), (pair.later, later))
    ]
    shared = {*grids[0]} & {*grids[1]}
    if not shared:
        return Reason("annotations_share_no_grid", quality=quality)
    # On the grid that they were delineated on, nothing is lost by a transfer.
    grid = min(shared, key=lambda name: (name != later.drawn_on, name))
    return _Compared((earlier, later), (grids[0][grid], grids[1][grid]))


def _by_grid(variants: Iterable[VariantRow], annotation: str) -> dict[str, VariantRow]:
    return {row.grid: row for row in variants if row.annotation == annotation}


def _inputs(
    study: Study,
    upstream: Upstream,
    pair: SessionPair,
    compared: Mapping[str, _Compared],
    problems: Iterable[Reason],
    between: str,
) -> FollowUpInputs:
    reference = study.configuration.registration.reference
    settings = study.configuration.follow_up
    variants = {quality: one.variants for quality, one in compared.items()}
    grids = {quality: own[1].grid for quality, own in variants.items()}
    # Transforms within the sessions are of no use where all is on the reference image.
    chained = any(grid != reference for grid in grids.values())
    ways = [
        transform_files(upstream.transforms(one) if chained else ())
        for one in (pair.earlier, pair.later)
    ]
    return FollowUpInputs(
        earlier=pair.earlier.session,
        ordered_by=pair.ordered_by,
        days=pair.days,
        reference=reference,
        annotations={
            quality: (one.annotations[0].annotation, one.annotations[1].annotation)
            for quality, one in compared.items()
        },
        technique={quality: one.annotations[1].drawn_on for quality, one in compared.items()},
        same_reader={quality: one.same_reader for quality, one in compared.items()},
        grid=grids,
        left_out=tuple(map(str, problems)),
        repeats_all=study.card(pair.later.cohort).sessions.delineated == "all",
        growth_percent=settings.growth_percent,
        shrinkage_percent=settings.shrinkage_percent,
        outline_sd_voxels=settings.outline_sd_voxels,
        distance_mm=DISTANCE_MM,
        part_share=str(PART_SHARE),
        earlier_labels=Files({quality: own[0].labels_path for quality, own in variants.items()}),
        later_labels=Files({quality: own[1].labels_path for quality, own in variants.items()}),
        earlier_account=Files({quality: own[0].account_path for quality, own in variants.items()}),
        later_account=Files({quality: own[1].account_path for quality, own in variants.items()}),
        earlier_transform=ways[0],
        later_transform=ways[1],
        between=File(between),
    )


FOLLOW_UP = Step(
    STEP, plan, RunOf("cta_data.pipeline.follow_up_pair"), session_scope(LesionChangeRow)
)
"""How the lesions of a session are linked with those of the session before it."""
