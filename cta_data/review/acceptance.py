"""Acceptance: a person decides about registrations and transfers that the checks hold back."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from cta_data.engine import Selection
from cta_data.engine.acceptance import (
    ACCEPTED,
    REJECTED,
    TRANSFER,
    decision_about,
    decision_reason,
    decisions_about,
    is_held_back,
)
from cta_data.engine.records import reason_columns
from cta_data.engine.sessions import selected_cohorts, units_of
from cta_data.errors import ConfigurationError
from cta_data.pipeline.housekeeping import keep_books
from cta_data.reports.home import write_home
from cta_data.review.numbering import numbered
from cta_data.study import layout
from cta_data.study.lock import study_lock
from cta_data.study.session_id import SessionId
from cta_data.study.study import Study
from cta_data.study.tables import DecisionRow, UnitRow
from cta_data.study.unit_id import UnitId
from cta_data.versioning.datasets import require_identity
from cta_data.versioning.provenance import commit_run

JUDGED = ("register-sessions", "register", "transfer")
"""Steps whose result a person can accept or reject; where none is named, the last one counts."""


@dataclass(frozen=True)
class ReviewDecision:
    """What a person says of some sessions.

    Attributes
    ----------
    decision
        `accepted` or `rejected`.
    author, reason
        Who says so, and why.
    decided_on
        Day, YYYY-MM-DD.
    """

    decision: str
    author: str
    reason: str
    decided_on: str


@dataclass(frozen=True)
class HeldBack:
    """One result that waits for a person, or that a person has decided about."""

    unit: UnitId
    finding: str
    decision: str = ""

    @property
    def name(self) -> str:
        """Name for people."""
        return str(self.unit)

    def as_dict(self) -> dict[str, str]:
        """Return it as plain JSON content."""
        about = {"step": self.unit.step, **self.unit.session.columns()}
        return {**about, "finding": self.finding, "decision": self.decision}


def held_back(study: Study, selection: Selection) -> list[HeldBack]:
    """Return what is held back, and every decision that still holds, in the order of the steps.

    Raises
    ------
    ConfigurationError
        A cohort is not in the study.
    """
    cohorts = set(selected_cohorts(study, selection))
    found = []
    for unit, row in _judged_units(study):
        if unit.cohort not in cohorts or not selection.takes(*unit.session.patient):
            continue
        decision = decision_about(study.tables, unit, row.key)
        if decision:
            told = decision.finding or "all checks are passed"
            found.append(HeldBack(unit, told, str(decision_reason(decision))))
        elif is_held_back(row):
            found.append(HeldBack(unit, row.reason or ""))
    return found


def decide_about(
    study: Study,
    selection: Selection,
    verdict: ReviewDecision,
    command: Iterable[str],
    *,
    step: str = "",
    commit: bool = True,
) -> list[HeldBack]:
    """Write a person's decision about the selected sessions, and commit it.

    To accept is to use what the checks hold back; to reject also holds back what they passed. A
    later decision replaces an earlier one about the same result.

    Parameters
    ----------
    command
        Command line that is recorded for `datalad rerun`.
    step
        One of `JUDGED`; without it, the step that a session is held back at, and to
        reject, the last of them that is done.
    commit
        False where another process (`datalad rerun`) commits.

    Returns
    -------
    list of HeldBack
        What was decided about; empty where nothing matches.

    Raises
    ------
    ConfigurationError
        There is no author or no reason, or a cohort is not in the study.
    CtaError
        Another command works on the study, or the commit failed.
    """
    require_signed(verdict.author, verdict.reason)
    if commit:
        require_identity(study.root)
    with study_lock(study):
        chosen = _chosen(study, selection, verdict, step)
        for unit in chosen:
            _write(study, unit, verdict)
        if not chosen:
            return []
        keep_books(study)
        study.tables.flush()
        write_home(study)
        if commit:
            named = f"{chosen[0].cohort} sub-{chosen[0].subject}"
            more = f" and {len(chosen) - 1} more" if chosen[1:] else ""
            cohorts = (study.cohort_path(unit.cohort) for unit in chosen)
            paths = sorted({layout.HOME, layout.MANIFESTS, *cohorts})
            told = f"cta-data accept: {named}{more} {verdict.decision} by {verdict.author}"
            commit_run(study.root, list(command), told, paths, 0)
    about = set(chosen)
    return [one for one in held_back(study, selection) if one.unit in about]


def require_signed(author: str, reason: str) -> None:
    """Refuse what a person decides without saying who decides, and why.

    Raises
    ------
    ConfigurationError
        There is no author or no reason.
    """
    for name, text in (("author", author), ("reason", reason)):
        if not text.strip():
            raise ConfigurationError("decision_incomplete", name=name)


def _chosen(study: Study, selection: Selection, verdict: ReviewDecision, step: str) -> list[UnitId]:
    """Return the units that a verdict is about: one a session."""
    cohorts = set(selected_cohorts(study, selection))
    chosen: dict[SessionId, UnitId] = {}
    for unit, row in _judged_units(study):
        if unit.cohort not in cohorts or not selection.takes(*unit.session.patient):
            continue
        wanted = is_held_back(row) or decision_about(study.tables, unit, row.key) is not None
        wanted |= verdict.decision == REJECTED and row.status == "ok"
        if wanted and step in ("", unit.step):
            # The later step replaces the earlier: it is what the session waits for now.
            chosen[unit.session] = unit
    return list(chosen.values())


def _write(study: Study, unit: UnitId, verdict: ReviewDecision) -> None:
    row = study.tables.by_key(UnitRow)[unit.key]
    decide_unit(
        study,
        DecisionRow(
            kind=TRANSFER,
            step=unit.step,
            session=unit.session,
            reader=verdict.author,
            verdict=verdict.decision,
            reason=verdict.reason,
            decided_on=verdict.decided_on,
            content_key=row.key,
        ),
    )


def decide_unit(study: Study, decision: DecisionRow) -> None:
    """Write a decision about a registration or transfer, and what it makes of the unit's status.

    A decision about an earlier result changes nothing but its own row.
    """
    unit = UnitId(decision.step, decision.session)
    row = study.tables.by_key(UnitRow).get(unit.key)
    if row is None or row.key != decision.content_key:
        study.tables.upsert([numbered(study.tables, decision)])
        return
    finding = _finding(study, unit, row)
    decision = replace(decision, finding=finding.reason, finding_code=finding.reason_code)
    study.tables.upsert([numbered(study.tables, decision)])
    counts = decision_about(study.tables, unit, row.key)
    if counts is None:
        status, why = ("impossible" if finding.reason else "ok"), finding
        study.tables.upsert([replace(row, status=status, **vars(why))])
        return
    status = "ok" if counts.verdict == ACCEPTED else "impossible"
    study.tables.upsert([replace(row, status=status, **reason_columns(decision_reason(counts)))])


@dataclass(frozen=True)
class _Finding:
    """What the checks found of a result, as the columns of `units` have it; empty if it passed."""

    reason: str | None = None
    reason_code: str | None = None
    stopped_by: str | None = None


def _finding(study: Study, unit: UnitId, row: UnitRow) -> _Finding:
    """Return what the checks found, whether or not somebody has decided about it since."""
    known = [one for one in decisions_about(study.tables, unit) if one.content_key == row.key]
    if any(one.verdict in (ACCEPTED, REJECTED) for one in known):
        first = min(known, key=lambda one: one.number)
        return _Finding(first.finding, first.finding_code)
    return _Finding(row.reason, row.reason_code) if is_held_back(row) else _Finding()


def _judged_units(study: Study) -> list[tuple[UnitId, UnitRow]]:
    """Return the units that a person can decide about: by session, the earlier step first."""
    units = [(row.id, row) for row in units_of(study, *JUDGED)]
    return sorted(units, key=lambda one: one[0].session)
