"""Where a study stands, as values: `cta-data status` prints them, or gives them as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from cta_data.engine.log import Timing
from cta_data.engine.sessions import STEP_NAMES
from cta_data.study.session_id import SessionId

NOT_AVAILABLE = "not available here"


@dataclass(frozen=True, slots=True)
class SessionStatus:
    """How far a subject-session came.

    `steps` has the status of every step, `-` where it never ran. `reason` says why the session
    stopped, or why it is not used. `timing` is there where it was asked for and anything was
    measured.
    """

    session: SessionId
    steps: Mapping[str, str]
    quality: str | None
    partition: str | None
    reason: str | None
    reason_code: str | None
    warnings: tuple[str, ...] = ()
    timing: Mapping[str, Timing] | None = None

    @property
    def first_without_result(self) -> str:
        """Name of the first step that did not end well; empty where all did."""
        return next((step for step in STEP_NAMES if self.steps[step] != "ok"), "")

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON content."""
        content: dict[str, Any] = {
            **self.session.columns(),
            "steps": self.steps,
            "quality": self.quality,
            "partition": self.partition,
            "reason": self.reason,
            "reason_code": self.reason_code,
            "warnings": self.warnings,
        }
        if self.timing is not None:
            content["timing"] = {step: asdict(own) for step, own in self.timing.items()}
        return content


@dataclass(frozen=True, slots=True)
class BuildStatus:
    """State of a training set: that of its unit, `outdated`, or `not available here`."""

    build: str
    status: str
    reason: str | None = None
    reason_code: str | None = None
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class WorkStatus:
    """State of one fold or prediction of a model; `work` says which, such as `train fold 0`."""

    model: str
    work: str
    status: str
    reason: str | None = None
    reason_code: str | None = None


@dataclass(frozen=True)
class StudyStatus:
    """Where a study stands.

    `withdrawals` are notes about builds and models that held patients who withdrew consent.
    `not_available` has the cohorts whose datasets cannot be installed here, and why: what is told
    of their sessions is what the tables know.
    """

    study: str
    sessions: tuple[SessionStatus, ...]
    builds: tuple[BuildStatus, ...] = ()
    models: tuple[WorkStatus, ...] = ()
    withdrawals: tuple[str, ...] = ()
    not_available: Mapping[str, str] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON content."""
        return {
            "study": self.study,
            "sessions": [one.as_dict() for one in self.sessions],
            "builds": [asdict(one) for one in self.builds],
            "models": [asdict(one) for one in self.models],
            "withdrawals": self.withdrawals,
            "not_available": self.not_available,
        }
