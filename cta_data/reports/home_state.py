"""Where a study stands, folded from its tables and the records of its training sets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from cta_data.engine.acceptance import ACCEPTED, FINDING, decision_about, is_held_back
from cta_data.engine.sessions import STEP_NAMES, units_of
from cta_data.files import read_json_object
from cta_data.pipeline import (
    build,
    consensus,
    extract_brain,
    follow_up,
    link,
    measure,
    register,
    register_sessions,
    transfer,
)
from cta_data.pipeline.convert import step as convert
from cta_data.study import layout
from cta_data.study.annotations import CURRENT
from cta_data.study.session_id import SessionId
from cta_data.study.study import Study
from cta_data.study.tables import (
    AnnotationRow,
    CaseScoreRow,
    DecisionRow,
    LesionScoreRow,
    ModelFoldRow,
    PredictionRow,
    SessionRow,
    UnitRow,
)

VERSIONS = {
    "convert": convert.VERSION,
    "consensus": consensus.VERSION,
    "register": register.VERSION,
    "transfer": transfer.VERSION,
    "strip": extract_brain.VERSION,
    "measure": measure.VERSION,
    "link": link.VERSION,
    "register-sessions": register_sessions.VERSION,
    "follow-up": follow_up.VERSION,
    "build": build.VERSION,
}
"""Version of the method of each step, as this package has it."""
STEP_COUNTS = {
    "convert": "Converted",
    "register": "Registered",
    "transfer": "Transferred",
    "strip": "Stripped",
    "measure": "Measured",
}
PARTITIONS = {"train": "Training", "test": "Test", "external": "External test"}
COHORT_COUNTS = (
    "Sessions",
    *STEP_COUNTS.values(),
    "On hold",
    "Failed",
    *PARTITIONS.values(),
    "Excluded",
)


@dataclass(frozen=True)
class CohortState:
    """One cohort: its patients, and its sessions by `COHORT_COUNTS`."""

    cohort: str
    patients: int
    counts: Mapping[str, int]


@dataclass(frozen=True)
class EvaluationState:
    """One evaluation: what was scored by a convention, and its false positives."""

    convention: str
    models: tuple[str, ...]
    test_sets: tuple[str, ...]
    cases: int
    false_positives: int
    open_false_positives: int


@dataclass(frozen=True)
class StudyState:
    """All that the home page tells.

    Attributes
    ----------
    decided
        Sessions that a person accepted and rejected, by the decision.
    outdated
        Results that were made by another version of a step's method.
    builds
        Settings with a training set; those without a model are `untrained`.
    folds
        Trained folds by model.
    predictions
        Predicted cases by model.
    comparable
        Sessions with several annotations, which can be compared.
    made_by
        Versions of the package that made the training sets.
    """

    name: str
    notice: str
    cohorts: tuple[CohortState, ...]
    decided: Mapping[str, int]
    outdated: int
    builds: tuple[str, ...]
    folds: Mapping[str, tuple[ModelFoldRow, ...]]
    predictions: Mapping[str, int]
    evaluations: tuple[EvaluationState, ...]
    has_table_1: bool
    has_checklist: bool
    comparable: int
    has_agreement: bool
    has_follow_up: bool
    has_patches: bool
    made_by: tuple[str, ...]

    @property
    def on_hold(self) -> int:
        """Sessions that wait for a person."""
        return sum(one.counts["On hold"] for one in self.cohorts)

    @property
    def failed(self) -> int:
        """Sessions that a step failed on."""
        return sum(one.counts["Failed"] for one in self.cohorts)

    @property
    def untrained(self) -> tuple[str, ...]:
        """Settings that were built and not trained."""
        trained = {fold.setting for folds in self.folds.values() for fold in folds}
        return tuple(name for name in self.builds if name not in trained)


def state_of(study: Study) -> StudyState:
    """Fold the tables of a study."""
    tables = study.tables
    folds: dict[str, tuple[ModelFoldRow, ...]] = {}
    for row in sorted(tables.rows(ModelFoldRow), key=lambda one: (one.model, one.fold)):
        folds[row.model] = (*folds.get(row.model, ()), row)
    built = sorted({row.model for row in units_of(study, "build") if row.status == "ok"})
    return StudyState(
        name=study.configuration.study.name,
        notice=study.configuration.study.notice,
        cohorts=_cohorts(study),
        decided=_decided(study),
        outdated=sum(
            row.step_version is not None and row.step_version != VERSIONS[row.step]
            for row in units_of(study, *VERSIONS)
        ),
        builds=tuple(built),
        folds=folds,
        predictions=Counter(row.model for row in tables.rows(PredictionRow)),
        evaluations=_evaluations(study),
        has_table_1=(study.root / layout.TABLE_1_PAGE).exists(),
        has_checklist=(study.root / layout.CHECKLIST_PAGE).exists(),
        comparable=_comparable(study),
        has_agreement=(study.root / layout.AGREEMENT_PAGE).exists(),
        has_follow_up=(study.root / layout.FOLLOW_UP_PAGE).exists(),
        has_patches=(study.root / layout.PATCHES_PAGE).exists(),
        made_by=_made_by(study),
    )


def _cohorts(study: Study) -> tuple[CohortState, ...]:
    by_cohort: dict[str, Counter[str]] = {}
    patients: dict[str, set[str]] = {}
    people = study.tables.by_key(SessionRow)
    for session, rows in _units_of_sessions(study).items():
        counts = by_cohort.setdefault(session.cohort, Counter())
        patients.setdefault(session.cohort, set()).add(session.subject)
        counts["Sessions"] += 1
        done = {row.step for row in rows if row.status == "ok"}
        counts.update(name for step, name in STEP_COUNTS.items() if step in done)
        counts["On hold"] += any(_waits(study, row) for row in rows)
        counts["Failed"] += any(_failed(row) for row in rows)
        person = people.get(session)
        partition = person.partition if person else None
        if partition in PARTITIONS:
            counts[PARTITIONS[partition]] += 1
        counts["Excluded"] += partition == "excluded"
    return tuple(
        CohortState(name, len(patients[name]), counts) for name, counts in sorted(by_cohort.items())
    )


def _units_of_sessions(study: Study) -> dict[SessionId, list[UnitRow]]:
    found: dict[SessionId, list[UnitRow]] = {}
    for row in units_of(study, *STEP_NAMES):
        found.setdefault(row.id.session, []).append(row)
    return found


def _waits(study: Study, row: UnitRow) -> bool:
    """Tell whether a result waits for a person, who said nothing of it yet."""
    return is_held_back(row) and decision_about(study.tables, row.id, row.key) is None


def _failed(row: UnitRow) -> bool:
    """Tell whether a step itself failed: not on hold, and not stopped by an earlier one."""
    stopped = row.status == "impossible" and not row.stopped_by and not is_held_back(row)
    return row.status == "error" or stopped


def _comparable(study: Study) -> int:
    """Count the sessions with more than one current annotation."""
    names = (*SessionId._fields, "status")
    rows = study.tables.columns(AnnotationRow, *names)
    counts = Counter(tuple(key) for *key, status in rows if status == CURRENT)
    return sum(count > 1 for count in counts.values())


def _decided(study: Study) -> Mapping[str, int]:
    """Count decisions of people that hold: they are about the result as it is."""
    counts: Counter[str] = Counter()
    for row in units_of(study, "register", "transfer"):
        decision = decision_about(study.tables, row.id, row.key)
        if decision:
            counts["accepted" if decision.verdict == ACCEPTED else "rejected"] += 1
    return counts


def _evaluations(study: Study) -> tuple[EvaluationState, ...]:
    cases: dict[str, list[CaseScoreRow]] = {}
    for row in study.tables.rows(CaseScoreRow):
        cases.setdefault(row.convention, []).append(row)
    false = Counter[str]()
    told = {
        (row.convention, row.test_set, row.model, row.case, row.predicted_lesion)
        for row in study.tables.rows(DecisionRow)
        if row.kind == FINDING and not row.reference_lesion
    }
    waiting = Counter[str]()
    for lesion in study.tables.rows(LesionScoreRow):
        if lesion.status == "false":
            key = (lesion.test_set, lesion.model, lesion.case, lesion.predicted_lesion)
            false[lesion.convention] += 1
            waiting[lesion.convention] += (lesion.convention, *key) not in told
    return tuple(
        EvaluationState(
            convention,
            tuple(sorted({row.model for row in own})),
            tuple(sorted({row.test_set for row in own})),
            len(own),
            false[convention],
            waiting[convention],
        )
        for convention, own in sorted(cases.items())
    )


def _made_by(study: Study) -> tuple[str, ...]:
    """Return the versions of the package that the records of training sets name."""
    found = set()
    for path in sorted((study.root / layout.BUILDS).glob(f"*/{layout.BUILD_RECORD}")):
        version = read_json_object(path).get("software", {}).get("cta_data")
        found |= {str(version)} if version else set()
    return tuple(sorted(found))
