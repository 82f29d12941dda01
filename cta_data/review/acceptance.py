"""Acceptance: a person decides about registrations and transfers that the checks hold back."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from cta_data.engine import Selection
from cta_data.engine.acceptance import ACCEPTED, REJECTED, in_words, is_held_back
from cta_data.engine.sessions import selected_cohorts
from cta_data.errors import ConfigurationError
from cta_data.pipeline.accounting import account, write_participant_tables
from cta_data.study.lock import study_lock
from cta_data.study.study import Study
from cta_data.study.tables import StoredRow
from cta_data.versioning.datasets import require_identity
from cta_data.versioning.provenance import commit_run

JUDGED = ("register", "transfer")
"""Steps whose result a person can accept or reject."""
Key = tuple[str, str, str, str]


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

    step: str
    cohort: str
    subject: str
    session: str
    finding: str
    decision: str = ""

    @property
    def key(self) -> Key:
        """Key of the unit."""
        return (self.step, self.cohort, self.subject, self.session)

    @property
    def name(self) -> str:
        """Name for people."""
        return f"{self.step} {self.cohort} sub-{self.subject} ses-{self.session}"


def held_back(study: Study, selection: Selection) -> list[HeldBack]:
    """Return what is held back, and every decision that still holds, in the order of the steps.

    Raises
    ------
    ConfigurationError
        A cohort is not in the study.
    """
    cohorts = set(selected_cohorts(study, selection))
    decisions = study.tables.by_key("acceptances")
    found = []
    for key, row in sorted(study.tables.by_key("units").items(), key=_by_session):
        step, cohort, subject, session = key
        if step not in JUDGED or cohort not in cohorts or not selection.takes(cohort, subject):
            continue
        decision = decisions.get(key)
        if decision and decision["unit_key"] == row["key"]:
            told = decision["finding"] or "all checks are passed"
            found.append(HeldBack(step, cohort, subject, session, told, in_words(decision)))
        elif is_held_back(row):
            found.append(HeldBack(step, cohort, subject, session, row["reason"]))
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
        `register` or `transfer`; without it, the step that a session is held back at, and to
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
    for name in ("author", "reason"):
        if not getattr(verdict, name).strip():
            raise ConfigurationError(f"a decision needs its {name}", next_step=f"Give --{name}")
    if commit:
        require_identity(study.root)
    with study_lock(study):
        chosen = _chosen(study, selection, verdict, step)
        for key in chosen:
            _write(study, key, verdict)
        if not chosen:
            return []
        account(study)
        write_participant_tables(study)
        study.tables.flush()
        if commit:
            named = f"{chosen[0][1]} sub-{chosen[0][2]}"
            more = f" and {len(chosen) - 1} more" if chosen[1:] else ""
            paths = ["manifests", *(study.cohort_path(key[1]) for key in chosen)]
            told = f"cta-data accept: {named}{more} {verdict.decision} by {verdict.author}"
            commit_run(study.root, list(command), told, sorted(set(paths)), 0)
    about = set(chosen)
    return [one for one in held_back(study, selection) if one.key in about]


def _chosen(study: Study, selection: Selection, verdict: ReviewDecision, step: str) -> list[Key]:
    """Return the keys of the units that a verdict is about: one a session."""
    cohorts = set(selected_cohorts(study, selection))
    decisions = study.tables.by_key("acceptances")
    chosen: dict[tuple[str, str, str], Key] = {}
    for key, row in sorted(study.tables.by_key("units").items(), key=_by_session):
        if key[1] not in cohorts or not selection.takes(key[1], key[2]) or key[0] not in JUDGED:
            continue
        decision = decisions.get(key)
        stands = decision is not None and decision["unit_key"] == row["key"]
        wanted = is_held_back(row) or stands
        wanted |= verdict.decision == REJECTED and row["status"] == "ok"
        if wanted and step in ("", key[0]):
            # The later step replaces the earlier: it is what the session waits for now.
            chosen[key[1:]] = key
    return list(chosen.values())


def _write(study: Study, key: Key, verdict: ReviewDecision) -> None:
    row = study.tables.by_key("units")[key]
    before = study.tables.by_key("acceptances").get(key)
    known = before is not None and before["unit_key"] == row["key"]
    finding = before["finding"] if before and known else None
    if not known and is_held_back(row):
        finding = row["reason"]
    decision: dict[str, Any] = {
        "step": key[0],
        "cohort": key[1],
        "subject": key[2],
        "session": key[3],
        "decision": verdict.decision,
        "author": verdict.author,
        "reason": verdict.reason,
        "decided_on": verdict.decided_on,
        "unit_key": row["key"],
        "finding": finding,
    }
    study.tables.upsert("acceptances", [decision])
    status = "ok" if verdict.decision == ACCEPTED else "impossible"
    study.tables.upsert("units", [{**row, "status": status, "reason": in_words(decision)}])


def _by_session(entry: tuple[tuple, StoredRow]) -> tuple[Any, ...]:
    step, *session = entry[0]
    return (*session, JUDGED.index(step) if step in JUDGED else -1)
