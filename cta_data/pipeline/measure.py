"""Measure: one row a lesion of every variant, those that were lost included."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from cta_data.engine import Blocked, RunOf, Selection, Step, Unit, UnitId, session_scope
from cta_data.engine.inputs import Files
from cta_data.engine.sessions import Upstream, make_unit
from cta_data.study.study import Study
from cta_data.study.tables import MeasuredLesionRow

VERSION = 4


@dataclass(frozen=True)
class MeasureInputs:
    """What the measurement of a session's lesions depends on.

    `labels` and `transfer`, the accounts of the transfers, are by annotation and grid; `image` and
    `mask`, the brain mask where there is one, by grid; `quality` by annotation.
    """

    quality: Mapping[str, str]
    labels: Files[tuple[str, str]]
    transfer: Files[tuple[str, str]]
    image: Files[str]
    mask: Files[str]


def plan(study: Study, selection: Selection) -> Iterator[Unit | Blocked]:
    """List one unit a session whose annotation was transferred and whose brain was extracted."""
    upstream = Upstream(study)
    for session in upstream.sessions(selection):
        unit = UnitId("measure", session)
        blocked = upstream.blocked_by(session, "convert", "register", "transfer", "strip")
        blocked = blocked or upstream.edited(session)
        excused = upstream.excused(session, "transfer")
        if stop := blocked or excused:
            yield Blocked(unit, VERSION, stop, expected=not blocked)
            continue
        images, brains = upstream.images(session), upstream.images(session, "brain")
        variants = upstream.variants(session)
        masks = {v.grid: brains[v.grid].mask_path for v in variants if v.grid in brains}
        given = MeasureInputs(
            quality={variant.annotation: variant.quality for variant in variants},
            labels=Files({(v.annotation, v.grid): v.labels_path for v in variants}),
            transfer=Files({(v.annotation, v.grid): v.account_path for v in variants}),
            image=Files({variant.grid: images[variant.grid].path for variant in variants}),
            mask=Files({grid: path for grid, path in masks.items() if path}),
        )
        yield make_unit(study, unit, VERSION, given)


MEASURE = Step(
    "measure", plan, RunOf("cta_data.pipeline.measure_session"), session_scope(MeasuredLesionRow)
)
