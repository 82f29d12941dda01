"""Transfer: each annotation becomes a variant on every grid, lesion by lesion."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict

from cta_data.engine import (
    Blocked,
    RunOf,
    Selection,
    Step,
    Unit,
    UnitId,
    session_scope,
)
from cta_data.engine.sessions import Upstream, make_unit, transform_inputs
from cta_data.imaging.lesions.transfer_limits import limits_of
from cta_data.study.study import Study
from cta_data.study.tables import SessionRow, TransferCheckRow, VariantRow

VERSION = 4
NO_ANNOTATION = "no annotation was delivered"


def plan(study: Study, selection: Selection) -> Iterator[Unit | Blocked]:
    """List one unit a registered session with selected contours."""
    upstream = Upstream(study)
    grids = study.configuration.transfer.grids
    limits = asdict(limits_of(study.configuration.transfer.limits))
    subjects = study.tables.by_key(SessionRow)
    for session in upstream.sessions(selection):
        unit = UnitId("transfer", session)
        blocked = upstream.blocked_by(session, "convert", "register")
        annotations = upstream.annotations(session)
        person = subjects.get(session.key)
        quality = person.quality if person else None
        if not blocked and not annotations:
            yield Blocked(unit, VERSION, NO_ANNOTATION, expected=True)
            continue
        if not blocked and not quality:
            blocked = "transfer: no group of the card has annotations of its technique (groups)"
        images, spaces = upstream.images(session), upstream.spaces(session)
        present = [grid for grid in grids if grid in images]
        if not blocked and not present:
            blocked = f"transfer: no image of {' or '.join(grids)} to carry the annotation to"
        if blocked:
            yield Blocked(unit, VERSION, blocked)
            continue
        paths: dict[str, str] = {}
        for one in annotations:
            if one.names_path:
                paths |= {f"drawn:{one.space}": one.path, f"names:{one.space}": one.names_path}
            else:
                paths[f"contours:{one.space}"] = one.path
            paths[f"drawn_on:{one.space}"] = spaces[one.space].path
        paths |= {f"grid:{grid}": images[grid].path for grid in present}
        paths |= transform_inputs(upstream.transforms(session))
        parameters = {
            "quality": quality,
            "grids": present,
            "spacing_mm": {one.space: spaces[one.space].spacing_mm for one in annotations},
            "limits": limits,
        }
        yield make_unit(study, unit, VERSION, paths, parameters)


TRANSFER = Step(
    "transfer",
    plan,
    RunOf("cta_data.pipeline.transfer_session"),
    session_scope(VariantRow, TransferCheckRow),
)
