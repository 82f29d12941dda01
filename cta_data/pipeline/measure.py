"""Measure: one row a lesion of every variant, those that were lost included."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from cta_data.engine import Blocked, RunOf, Selection, Step, Unit, UnitId, session_scope
from cta_data.engine.inputs import Files
from cta_data.engine.sessions import Upstream, make_unit
from cta_data.reasons import Reason
from cta_data.study import layout
from cta_data.study.study import Study
from cta_data.study.tables import MeasuredLesionRow

VERSION = 2


@dataclass(frozen=True)
class MeasureInputs:
    """What the measurement of a session's lesions depends on; files by grid.

    `transfer` are the accounts of the transfers, `mask` the brain masks where there are any.
    """

    quality: str
    labels: Files[str]
    transfer: Files[str]
    image: Files[str]
    mask: Files[str]


def plan(study: Study, selection: Selection) -> Iterator[Unit | Blocked]:
    """List one unit a session whose annotation was transferred and whose brain was extracted."""
    upstream = Upstream(study)
    for session in upstream.sessions(selection):
        unit = UnitId("measure", session)
        blocked = upstream.blocked_by(session, "convert", "register", "transfer", "strip")
        excused = upstream.excused(session, "transfer")
        if stop := blocked or excused:
            yield Blocked(unit, VERSION, stop, expected=not blocked)
            continue
        images, brains = upstream.images(session), upstream.images(session, "brain")
        variants = upstream.variants(session)
        masks = {v.grid: brains[v.grid].mask_path for v in variants if v.grid in brains}
        qualities = sorted({variant.quality for variant in variants})
        if len(qualities) != 1:
            found = " and ".join(qualities) or "none"
            yield Blocked(unit, VERSION, Reason("variant_qualities_differ", found=found))
            continue
        given = MeasureInputs(
            quality=qualities[0],
            labels=Files({variant.grid: variant.labels_path for variant in variants}),
            transfer=Files(
                {
                    variant.grid: layout.transfer_account(session, variant.grid, variant.quality)
                    for variant in variants
                }
            ),
            image=Files({variant.grid: images[variant.grid].path for variant in variants}),
            mask=Files({grid: path for grid, path in masks.items() if path}),
        )
        yield make_unit(study, unit, VERSION, given)


MEASURE = Step(
    "measure", plan, RunOf("cta_data.pipeline.measure_session"), session_scope(MeasuredLesionRow)
)
