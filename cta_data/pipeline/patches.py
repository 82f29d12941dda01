"""Patches: where those of each session with a HAQ annotation are cut."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from cta_data.engine import Blocked, RunOf, Selection, Step, Unit, UnitId
from cta_data.engine.inputs import File
from cta_data.engine.sessions import Upstream, make_unit
from cta_data.intake.overlap import in_training, rejected_subjects, shared_patients
from cta_data.pipeline.accounting import (
    not_evaluated,
    partition_options,
    require_build_cohorts,
    study_partition,
)
from cta_data.pipeline.partition import Assignment
from cta_data.reasons import Reason
from cta_data.study import layout
from cta_data.study.patch_inputs import GRID, INPUTS, QUALITY, Channel
from cta_data.study.session_id import SessionId
from cta_data.study.study import Study
from cta_data.study.tables import ImageRow, VariantRow

VERSION = 1
STEP = "patches"


@dataclass(frozen=True)
class PatchGrid:
    """Size of patches: voxels along an edge, and their spacing."""

    edge: int
    spacing_mm: float


@dataclass(frozen=True)
class PatchInputs:
    """What the places of a session depend on."""

    case: str
    partition: str
    edge: int
    spacing_mm: float
    seed: int
    labels: File
    brain: File


def patch_step(study: Study, inputs: Sequence[str], grid: PatchGrid) -> Step:
    """Return the step that places the patches of every session that has all images of the inputs.

    Raises
    ------
    NotAvailable
        A cohort whose patients are partitioned is not available here.
    """
    require_build_cohorts(study)
    return Step(
        STEP,
        partial(_plan, tuple(inputs), grid),
        RunOf("cta_data.pipeline.patches_session"),
        lambda unit: {},
    )


def _plan(
    inputs: tuple[str, ...], grid: PatchGrid, study: Study, selection: Selection
) -> Iterator[Unit | Blocked]:
    upstream = Upstream(study)
    seed = partition_options(study.configuration.build).seed
    twice = _in_both(study)
    for session, assignment in assigned_sessions(study, upstream):
        unit = UnitId(STEP, session)
        label = _label(upstream, session, inputs, twice)
        if isinstance(label, Reason):
            yield Blocked(unit, VERSION, label)
            continue
        image = upstream.images(session)[GRID]
        given = PatchInputs(
            case=session.case,
            partition=assignment.partition,
            edge=grid.edge,
            spacing_mm=grid.spacing_mm,
            seed=seed,
            labels=File(label.labels_path),
            brain=File(layout.brain_mask(session, image.path)),
        )
        yield make_unit(study, unit, VERSION, given)


def _label(
    upstream: Upstream,
    session: SessionId,
    inputs: Sequence[str],
    twice: Collection[tuple[str, str]],
) -> VariantRow | Reason:
    """Return the labels whose lesions are cut, or why no patch of a session is."""
    blocked = upstream.blocked_by(session, "measure")
    if blocked:
        return blocked
    if session.patient in twice:
        return Reason("training_patients_shared", number="1 patient is", patients=session)
    choice = upstream.study.configuration.evaluation
    label = upstream.variant(session, QUALITY, GRID, choice)
    found = [channel_space(upstream, session, c) for name in inputs for c in INPUTS[name]]
    missing = (one for one in found if isinstance(one, Reason))
    return label if isinstance(label, Reason) else next(missing, label)


def assigned_sessions(study: Study, upstream: Upstream) -> Iterator[tuple[SessionId, Assignment]]:
    """Yield the sessions with a HAQ annotation of patients who train or test."""
    assignments = {
        (one.patient.cohort, one.patient.subject): one
        for one in study_partition(study)
        if one.partition != "excluded" and QUALITY in one.patient.qualities
    }
    for session in upstream.sessions(Selection()):
        assignment = assignments.get(session.patient)
        annotated = any(one.quality == QUALITY for one in upstream.annotations(session))
        if assignment and annotated and not not_evaluated(study, session):
            yield session, assignment


def _in_both(study: Study) -> set[tuple[str, str]]:
    """Return the patients who are another subject as well, unless the study accepts that."""
    if study.configuration.build.shared_patients == "accept":
        return set()
    people = {
        (one.patient.cohort, one.patient.subject)
        for one in study_partition(study)
        if one.partition == "train"
    }
    twice = in_training(shared_patients(study), people, rejected_subjects(study))
    return {labels for one in twice for labels in one.labels}


def channel_space(
    upstream: Upstream, session: SessionId, channel: Channel
) -> tuple[str, ImageRow] | Reason:
    """Return the space and the image of a channel, or why the session has none that can be placed.

    An image of another phase without a registration of its own has to share the frame of reference
    of its technique's image: then it lies where that one does.
    """
    latest = upstream.images(session).get(channel.technique)
    spaces = upstream.spaces(session)
    row = latest
    if channel.phase:
        rows = upstream.phases(session)
        row = next(
            (r for r in rows if (r.technique, r.contrast_phase) == channel),
            None,
        )
    elif latest is not None and latest.contrast_phase == "none":
        row = None
    if row is None or latest is None:
        return Reason("patch_image_missing", channel=channel.name)
    if row.path == latest.path:
        return channel.technique, row
    own = next((space for space, one in spaces.items() if one.path == row.path), "")
    registered = {name for one in upstream.transforms(session) for name in (one.fixed, one.moving)}
    if own in registered:
        return own, row
    if row.frame is None or row.frame != latest.frame:
        return Reason("patch_image_not_placed", channel=channel.name)
    return channel.technique, row
