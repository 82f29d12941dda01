"""Extract the brain: one mask on the reference image, carried to every technique of the grids."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from cta_data.engine import (
    Blocked,
    RunOf,
    Selection,
    Step,
    Unit,
    UnitId,
    session_scope,
)
from cta_data.engine.inputs import File, Files
from cta_data.engine.sessions import Upstream, make_unit, transform_files
from cta_data.study.configuration import BrainExtractionSection
from cta_data.study.session_id import SessionId
from cta_data.study.study import Study
from cta_data.study.tables import ImageRow
from cta_data.study.tables.table_row import fields_of

VERSION = 3
NEED_MORE = ("hd-bet",)
"""Back ends that need more than this package: it is looked for before any step begins."""
_ITS_OWN = (
    *("session", "path", "annex_key", "voxels_sha256", "slice_digests", "description"),
    *("skull_stripped", "geometry_source", "notes"),
)
INHERITED = tuple(name for name in fields_of(ImageRow) if name not in _ITS_OWN)
"""Columns that a brain image has from the image it was made of."""


@dataclass(frozen=True)
class StripInputs:
    """What the brain images of a session depend on.

    `rows` and `phases` are the columns that brain images inherit from the images of techniques and
    of further phases; `labels` are lesions to protect, by grid and annotation; `provided` is a mask
    of the user's.
    """

    settings: Mapping[str, Any]
    stripped: Mapping[str, bool | None]
    reference: str
    techniques: tuple[str, ...]
    rows: Mapping[str, Mapping[str, Any]]
    phases: tuple[Mapping[str, Any], ...]
    image: Files[str]
    phase: Files[tuple[str, str]]
    transform: Files[tuple[str, str]]
    labels: Files[tuple[str, str]]
    provided: File


def plan(study: Study, selection: Selection) -> Iterator[Unit | Blocked]:
    """List one unit a registered session; with protected lesions, a transferred one."""
    upstream = Upstream(study)
    settings = study.configuration.brain_extraction
    chosen = settings.model_dump()
    reference = study.configuration.registration.reference
    needs = ("convert", "register") + (("transfer",) if settings.protect_lesions else ())
    for session in upstream.sessions(selection):
        unit = UnitId("strip", session)
        blocked = upstream.blocked_by(session, *needs)
        if blocked:
            yield Blocked(unit, VERSION, blocked)
            continue
        images = upstream.images(session)
        grids = [g for g in study.configuration.transfer.grids if g in images]
        wanted = [reference, *(grid for grid in grids if grid != reference)]
        more = _other_phases(study, upstream.phases(session), images, wanted)
        needed = [row for row in upstream.transforms(session) if row.moving in wanted]
        protected = upstream.variants(session) if settings.protect_lesions else []
        supplied = _provided(settings, session) if settings.backend == "provided" else ""
        given = StripInputs(
            settings=chosen,
            stripped={name: images[name].skull_stripped for name in wanted},
            reference=reference,
            techniques=tuple(wanted),
            rows={name: _inherited(images[name]) for name in wanted},
            phases=tuple(_inherited(row) for row in more),
            image=Files({name: images[name].path for name in wanted}),
            phase=Files({(row.technique, row.contrast_phase): row.path for row in more}),
            transform=transform_files(needed),
            labels=Files({(v.grid, v.annotation): v.labels_path for v in protected}),
            provided=File(supplied),
        )
        yield make_unit(study, unit, VERSION, given)


def _other_phases(
    study: Study,
    rows: list[ImageRow],
    images: Mapping[str, ImageRow],
    wanted: list[str],
) -> list[ImageRow]:
    """Return images of further contrast phases that a setting trains on.

    They take the mask of their technique's image, and so must share its frame of reference.
    """
    settings = study.configuration.build.settings.values()
    named = {(s.technique, s.contrast_phase) for s in settings if s.contrast_phase}
    return [
        row
        for row in rows
        if (row.technique, row.contrast_phase) in named
        and row.technique in wanted
        and row.path != images[row.technique].path
        and row.frame == images[row.technique].frame
    ]


def _provided(settings: BrainExtractionSection, session: SessionId) -> str:
    return settings.provided.format(**session.columns())


def _inherited(row: ImageRow) -> dict[str, Any]:
    return row.session.columns() | row.values(INHERITED)


def backend_options(settings: Mapping[str, Any]) -> dict[str, object]:
    """Return what the study's back end takes, apart from the mask of `provided`."""
    if settings["backend"] != "hd-bet":
        return {}
    folder = settings["weights_folder"]
    return {"device": settings["device"]} | ({"weights_folder": folder} if folder else {})


STRIP = Step(
    "strip",
    plan,
    RunOf("cta_data.pipeline.strip_session"),
    session_scope(ImageRow, description="brain"),
)
