"""Link: which lesions of two annotations of a session are the same lesion."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

from cta_data.engine import Blocked, RunOf, Selection, Step, Unit, UnitId, session_scope
from cta_data.engine.inputs import Files
from cta_data.engine.sessions import Upstream, make_unit
from cta_data.reasons import Reason
from cta_data.scoring.lesion_links import DISTANCE_MM, PART_SHARE
from cta_data.study.annotations import CURRENT
from cta_data.study.study import Study
from cta_data.study.tables import LesionLinkRow, VariantRow

VERSION = 1


@dataclass(frozen=True)
class LinkInputs:
    """What the links of a session depend on: pairs of annotations, and their labels on a grid.

    `distance_mm` and `part_share` (as text) are the limits of `scoring.lesion_links`.
    """

    grid: str
    pairs: tuple[tuple[str, str], ...]
    distance_mm: float
    part_share: str
    labels: Files[str]


def plan(study: Study, selection: Selection) -> Iterator[Unit | Blocked]:
    """List one unit a session whose annotations share a grid; none where it has but one."""
    upstream = Upstream(study)
    reference = study.configuration.registration.reference
    linked = {row.session for row in study.tables.rows(LesionLinkRow)}
    for session in upstream.sessions(selection):
        unit = UnitId("link", session)
        current = {a.annotation for a in upstream.annotations(session) if a.status == CURRENT}
        if len(current) < 2 and session not in linked:
            continue
        blocked = upstream.blocked_by(session, "convert", "register", "transfer")
        blocked = blocked or upstream.edited(session)
        if blocked:
            yield Blocked(unit, VERSION, blocked)
            continue
        variants = [row for row in upstream.variants(session) if row.annotation in current]
        grid, labels = _on_one_grid(variants, reference)
        if len(labels) < 2:
            yield Blocked(unit, VERSION, Reason("annotations_not_comparable"), expected=True)
            continue
        given = LinkInputs(
            grid=grid,
            pairs=tuple(combinations(sorted(labels), 2)),
            distance_mm=DISTANCE_MM,
            part_share=str(PART_SHARE),
            labels=Files(labels),
        )
        yield make_unit(study, unit, VERSION, given)


def _on_one_grid(variants: Sequence[VariantRow], reference: str) -> tuple[str, dict[str, str]]:
    """Return a grid that most annotations are on, the reference if it is one, and their labels."""
    by_grid: dict[str, dict[str, str]] = {}
    for row in variants:
        by_grid.setdefault(row.grid, {})[row.annotation] = row.labels_path
    order = sorted(by_grid, key=lambda grid: (-len(by_grid[grid]), grid != reference, grid))
    return (order[0], by_grid[order[0]]) if order else (reference, {})


LINK = Step("link", plan, RunOf("cta_data.pipeline.link_session"), session_scope(LesionLinkRow))
