"""Where every subject-session stands, folded from the tables."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from cta_data.engine import RunOptions, plan_steps
from cta_data.engine.decisions import kept_reason, stop_reason
from cta_data.engine.log import Timing, read_timings
from cta_data.engine.sessions import STEP_NAMES, session_stages, source_sessions, units_of
from cta_data.errors import NotAvailable
from cta_data.pipeline.build import build_step
from cta_data.pipeline.status import (
    NOT_AVAILABLE,
    BuildStatus,
    SessionStatus,
    StudyStatus,
    WorkStatus,
)
from cta_data.reasons import Reason
from cta_data.study.annotations import CURRENT, DELIVERED, joined, settled
from cta_data.study.session_id import SessionId
from cta_data.study.study import Study
from cta_data.study.tables import AnnotationRow, SessionRow, UnitRow, VariantRow
from cta_data.study.unit_id import UnitId
from cta_data.study.withdrawals import withdrawal_notes


def study_status(study: Study, *, timing: bool = False) -> StudyStatus:
    """Return the stage of every subject-session, and the state of builds, folds and predictions.

    Sessions that were added and never converted are among them, where sourcedata is here.
    """
    stages, warnings = session_stages(study), _warnings(study)
    known = (session for session, own in stages.items() if "convert" in own)
    timings = read_timings(study.root) if timing else {}
    sessions = [
        _session(study, session, stages.get(session, {}), warnings.get(session, ()), timings)
        for session in sorted({*known, *_added(study)})
    ]
    return StudyStatus(
        study=study.configuration.study.name,
        sessions=tuple(sessions),
        builds=tuple(_build(study, row) for row in _in_order(units_of(study, "build"))),
        models=tuple(_models(study)),
        withdrawals=tuple(withdrawal_notes(study)),
        not_available={cohort: error.why for cohort, error in study.not_available.items()},
    )


def _models(study: Study) -> Iterator[WorkStatus]:
    """Yield every fold and prediction that was asked for."""
    for row in _in_order(units_of(study, "crossvalidate", "predict", "train")):
        unit = row.id
        fold = "" if unit.fold is None else f"fold {unit.fold}"
        work = " ".join(filter(None, (unit.step, fold, unit.test_set)))
        yield WorkStatus(unit.model, work, row.status, row.reason, row.reason_code)


def _in_order(rows: Iterable[UnitRow]) -> list[UnitRow]:
    """Return rows of units in the order of the table."""
    return sorted(rows, key=lambda row: row.id.key)


def _build(study: Study, row: UnitRow) -> BuildStatus:
    """Return the state of a build: `outdated` where it would be made anew.

    `not available here` where a cohort that it is made of is not.
    """
    name, status = row.model, row.status
    reason = kept_reason(row) if row.reason else None
    if name in study.configuration.build.settings:
        try:
            [decision] = plan_steps(study, [build_step(study, name)], RunOptions())
        except NotAvailable as error:
            return BuildStatus(name, NOT_AVAILABLE, *_told(error.reason))
        if decision.action == "run" or (status == "ok" and decision.action == "impossible"):
            status, reason = "outdated", decision.reason
    return BuildStatus(name, status, *_told(reason), tuple(row.warnings))


def _told(reason: Reason | None) -> tuple[str | None, str | None]:
    """Return the sentence of a reason, and its code."""
    return (str(reason), reason.finding.code) if reason else (None, None)


def _warnings(study: Study) -> dict[SessionId, list[str]]:
    """Return what units of sessions warn of, in the order of the steps."""
    found: dict[SessionId, dict[str, Iterable[str]]] = {}
    names = ("step", *SessionId._fields, "warnings")
    for step, cohort, subject, label, warnings in study.tables.columns(UnitRow, *names):
        if warnings and step in STEP_NAMES:
            found.setdefault(SessionId(cohort, subject, label), {})[step] = warnings
    return {
        session: [one for step in STEP_NAMES for one in own.get(step, ())]
        for session, own in found.items()
    }


def _added(study: Study) -> list[SessionId]:
    return [
        session.id
        for cohort in study.cohorts_here
        for session in source_sessions(study, cohort) or ()
    ]


def _session(
    study: Study,
    session: SessionId,
    stages: Mapping[str, str],
    warnings: Iterable[str],
    timings: Mapping[UnitId, Timing],
) -> SessionStatus:
    person = study.tables.by_key(SessionRow).get(session)
    steps = {name: stages.get(name, "-") for name in STEP_NAMES}
    is_converted = steps["convert"] == "ok"
    stop = next((name for name, status in steps.items() if status not in ("-", "ok")), "")
    reason = _stop(study.tables.by_key(UnitRow)[UnitId(stop, session).key]) if stop else None
    told, code = _told(reason)
    if person and not reason:
        told, code = person.exclusion_reason, person.exclusion_code
    return SessionStatus(
        session=session,
        steps=steps,
        # What was refused has no annotation of a quality, though its row tells what it was read as.
        quality=joined(person.qualities) or None if is_converted and person else None,
        partition=person.partition if person else None,
        reason=told,
        reason_code=code,
        warnings=(*warnings, *_not_transferred(study, session, steps)),
        timing=_timing(session, timings) if timings else None,
    )


def _timing(session: SessionId, timings: Mapping[UnitId, Timing]) -> dict[str, Timing]:
    own = {step: timings.get(UnitId(step, session)) for step in STEP_NAMES}
    return {step: measured for step, measured in own.items() if measured}


def _not_transferred(study: Study, session: SessionId, steps: Mapping[str, str]) -> list[str]:
    """Return what is to be told of corrections and consensus that no transfer has seen yet."""
    if steps["transfer"] != "ok":
        return []
    on_grids = {row.annotation for row in study.tables.of_session(VariantRow, session)}
    return [
        str(Reason("annotation_not_transferred", annotation=row.annotation))
        for row in settled(study.tables.of_session(AnnotationRow, session))
        if row.origin != DELIVERED and row.status == CURRENT and row.annotation not in on_grids
    ]


def _stop(row: UnitRow) -> Reason:
    return kept_reason(row) if row.status == "notneeded" else stop_reason(row)
