"""Where every subject-session stands, folded from the tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from cta_data.engine import RunOptions, plan_steps
from cta_data.engine.log import read_timings
from cta_data.engine.sessions import STEP_NAMES, source_sessions
from cta_data.errors import NotAvailable
from cta_data.pipeline.build import build_step
from cta_data.study.study import Study
from cta_data.study.tables import StoredRow

NOT_AVAILABLE = "not available here"


def study_status(study: Study, *, timing: bool = False) -> dict[str, Any]:
    """Return the stage of every subject-session, and the state of builds, folds and predictions.

    `not_available` holds the cohorts whose datasets cannot be installed here, and why: what is told
    of their sessions is what the tables know. Sessions that were added and never converted are
    listed too, where sourcedata is here.
    """
    units = study.tables.by_key("units")
    timings = read_timings(study.root) if timing else {}
    subjects = study.tables.by_key("subjects")
    keys = sorted({*_known(study), *_added(study)})
    builds = [
        _build(study, step.removeprefix("build_"), row)
        for (step, *_), row in sorted(units.items())
        if step.startswith("build_")
    ]
    return {
        "study": study.configuration.study.name,
        "sessions": [_session(key, units, subjects.get(key) or {}, timings) for key in keys],
        "builds": builds,
        "models": _models(units),
        "not_available": {cohort: error.why for cohort, error in study.not_available.items()},
    }


def _models(units: Mapping[tuple[str, ...], Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return every fold and prediction that was asked for: what it is of, its status and why."""
    found = []
    for (step, *_), row in sorted(units.items()):
        verb, _, rest = step.partition("_")
        if verb in ("train", "crossvalidate", "predict"):
            model, _, part = rest.partition("_")
            found.append(
                {
                    "model": model,
                    "work": f"{verb} {part.replace('_', ' ')}".strip(),
                    "status": row["status"],
                    "reason": row["reason"],
                }
            )
    return found


def _build(study: Study, name: str, row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the state of a build: `outdated` where it would be made anew.

    `not available here` where a cohort that it is made of is not.
    """
    status, reason = row["status"], row["reason"]
    if name in study.configuration.build.settings:
        try:
            [decision] = plan_steps(study, [build_step(study, name)], RunOptions())
        except NotAvailable as error:
            return _build_row(name, NOT_AVAILABLE, str(error))
        if decision.action == "run" or (status == "ok" and decision.action == "impossible"):
            status, reason = "outdated", decision.reason
    return _build_row(name, status, reason, row["warnings"] or ())


def _build_row(
    name: str, status: str, reason: str | None, warnings: Iterable[str] = ()
) -> dict[str, Any]:
    return {"build": name, "status": status, "reason": reason, "warnings": list(warnings)}


def _known(study: Study) -> list[tuple[str, str, str]]:
    return [key[1:] for key in study.tables.by_key("units") if key[0] == "convert"]


def _added(study: Study) -> list[tuple[str, str, str]]:
    found = []
    for cohort in study.cohorts_here:
        for session in source_sessions(study, cohort) or []:
            found.append((cohort, session.subject, session.session))
    return found


def _session(
    key: tuple[str, str, str],
    units: Mapping[tuple, StoredRow],
    person: StoredRow,
    timings: dict[tuple[str, str, str, str], dict[str, float]],
) -> dict[str, Any]:
    cohort, subject, session = key
    steps = {}
    stopped = ""
    warnings: list[str] = []
    for name in STEP_NAMES:
        row = units.get((name, *key))
        steps[name] = row["status"] if row else "-"
        warnings += (row["warnings"] or ()) if row else ()
        if row and row["status"] != "ok" and not stopped:
            excused = row["status"] == "notneeded"
            stopped = f"{name}: {row['reason']}" if row["reason"] and not excused else ""
            stopped = stopped or row["reason"] or name
    content = {
        "cohort": cohort,
        "subject": subject,
        "session": session,
        "steps": steps,
        # What was refused has no annotation of a quality, though its row tells what it was read as.
        "quality": person.get("quality") if steps["convert"] == "ok" else None,
        "partition": person.get("partition"),
        "reason": stopped or person.get("exclusion_reason"),
        "warnings": warnings,
    }
    if timings:
        content["timing"] = {n: timings[(n, *key)] for n in STEP_NAMES if (n, *key) in timings}
    return content
