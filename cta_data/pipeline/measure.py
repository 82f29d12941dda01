"""Measure: one row a lesion of every variant, those that were lost included."""

from __future__ import annotations

from collections.abc import Iterator

from cta_data.engine import Blocked, RunOf, Selection, Step, Unit, UnitId, session_scope
from cta_data.engine.sessions import Upstream, make_unit
from cta_data.study import layout
from cta_data.study.study import Study
from cta_data.study.tables import MeasuredLesionRow

VERSION = 2


def plan(study: Study, selection: Selection) -> Iterator[Unit | Blocked]:
    """List one unit a session whose annotation was transferred and whose brain was extracted."""
    upstream = Upstream(study)
    for session in upstream.sessions(selection):
        unit = UnitId("measure", session)
        blocked = upstream.blocked_by(session, "convert", "register", "transfer", "strip")
        excused = upstream.excused(session, "transfer")
        if blocked or excused:
            yield Blocked(unit, VERSION, blocked or excused, expected=not blocked)
            continue
        images, brains = upstream.images(session), upstream.images(session, "brain")
        paths: dict[str, str] = {}
        for variant in upstream.variants(session):
            grid = variant.grid
            paths[f"labels:{grid}"] = variant.labels_path
            paths[f"transfer:{grid}"] = layout.transfer_account(session, grid, variant.quality)
            paths[f"image:{grid}"] = images[grid].path
            if mask := brains[grid].mask_path if grid in brains else None:
                paths[f"mask:{grid}"] = mask
        qualities = sorted({variant.quality for variant in upstream.variants(session)})
        if len(qualities) != 1:
            found = " and ".join(qualities) or "none"
            why = f"a session holds one annotation, but its variants' qualities are {found}"
            yield Blocked(unit, VERSION, f"{why}: run `cta-data transfer` again")
            continue
        yield make_unit(study, unit, VERSION, paths, {"quality": qualities[0]})


MEASURE = Step(
    "measure", plan, RunOf("cta_data.pipeline.measure_session"), session_scope(MeasuredLesionRow)
)
