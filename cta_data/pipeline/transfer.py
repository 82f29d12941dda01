"""Transfer: each annotation becomes a variant on every grid, lesion by lesion."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass

from cta_data.engine import (
    Blocked,
    RunOf,
    Selection,
    Step,
    Unit,
    UnitId,
    session_scope,
)
from cta_data.engine.inputs import Files
from cta_data.engine.sessions import Upstream, make_unit, transform_files
from cta_data.imaging.lesions.transfer_limits import limits_of
from cta_data.pipeline.annotation_files import AnnotationFiles
from cta_data.reasons import Reason
from cta_data.study.annotations import versions_wanted, wanted_annotations
from cta_data.study.study import Study
from cta_data.study.tables import TransferCheckRow, VariantRow

VERSION = 6


@dataclass(frozen=True)
class TransferInputs:
    """What the transfer of a session's annotations depends on; `grid` are the images of the grids.

    `quality` is by the name of the annotation.
    """

    quality: Mapping[str, str]
    grids: tuple[str, ...]
    limits: Mapping[str, float]
    annotations: AnnotationFiles
    grid: Files[str]
    transform: Files[tuple[str, str]]


def plan(study: Study, selection: Selection) -> Iterator[Unit | Blocked]:
    """List one unit a registered session with an annotation."""
    upstream = Upstream(study)
    grids = study.configuration.transfer.grids
    limits = asdict(limits_of(study.configuration.transfer.limits))
    build, evaluation = study.configuration.build, study.configuration.evaluation
    versions = versions_wanted([*build.settings.values(), evaluation])
    for session in upstream.sessions(selection):
        unit = UnitId("transfer", session)
        edited = upstream.edited(session)
        if edited:
            # To run it would overwrite the edit, to remove what it made would remove the edit.
            yield Blocked(unit, VERSION, edited, keeps_results=True)
            continue
        blocked = upstream.blocked_by(session, "convert", "register")
        annotations = wanted_annotations(upstream.annotations(session), versions)
        if not blocked and not annotations:
            yield Blocked(unit, VERSION, Reason("annotation_not_delivered"), expected=True)
            continue
        if not blocked and not all(one.quality for one in annotations):
            blocked = Reason("annotation_group_unknown")
        images = upstream.images(session)
        present = [grid for grid in grids if grid in images]
        if not blocked and not present:
            blocked = Reason("grid_images_missing", grids=tuple(grids))
        if blocked:
            yield Blocked(unit, VERSION, blocked)
            continue
        given = TransferInputs(
            quality={one.annotation: one.quality or "" for one in annotations},
            grids=tuple(present),
            limits=limits,
            annotations=AnnotationFiles.of(annotations, upstream.spaces(session)),
            grid=Files({grid: images[grid].path for grid in present}),
            transform=transform_files(upstream.transforms(session)),
        )
        yield make_unit(study, unit, VERSION, given)


TRANSFER = Step(
    "transfer",
    plan,
    RunOf("cta_data.pipeline.transfer_session"),
    session_scope(VariantRow, TransferCheckRow),
)
