"""Which command comes next: one function for each command, from where the study stands."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from cta_data.engine.sessions import STEP_NAMES, units_of
from cta_data.study.study import EVALUATION, Study

PAGE = "report.html"
FIRST_SETTING = "B"
"""The setting that is named where none was built: the paper's."""


@dataclass(frozen=True)
class Standing:
    """How far a study has come.

    Attributes
    ----------
    added
        Cohorts with raw files, where nothing was converted yet.
    done
        Sessions that finished each step.
    on_hold
        Sessions that wait for review.
    stopped
        Sessions that stopped, and do not wait for review.
    settings
        Settings of study.toml.
    built
        Those with a training set.
    untrained
        Folds that are not trained, by model with at least one that is.
    predicted
        Models that predicted a test set.
    pages
        Pages of evaluations, from the top of the study.
    """

    cohorts: tuple[str, ...] = ()
    added: tuple[str, ...] = ()
    done: Mapping[str, int] = field(default_factory=dict)
    on_hold: int = 0
    stopped: int = 0
    settings: tuple[str, ...] = (FIRST_SETTING,)
    built: tuple[str, ...] = ()
    untrained: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    predicted: tuple[str, ...] = ()
    pages: tuple[str, ...] = ()


@dataclass(frozen=True)
class Suggestion:
    """A command to run next, and what for."""

    command: str
    purpose: str

    def __str__(self) -> str:
        return f"{self.command}  # {self.purpose}"


def standing_of(study: Study) -> Standing:
    """Return how far a study has come, from its tables."""
    rows = units_of(study, *STEP_NAMES)
    waiting = {row.id.session for row in rows if row.reason_code == "on_hold"}
    not_done = {row.id.session for row in rows if row.status in ("impossible", "error")}
    folds = range(study.configuration.build.folds)
    trained: dict[str, set[int | None]] = {}
    for row in units_of(study, "train"):
        if row.status == "ok":
            trained.setdefault(row.id.model, set()).add(row.id.fold)
    return Standing(
        cohorts=tuple(study.cohorts),
        # Looked at where nothing was converted yet: in a clone it may have to be installed first.
        added=() if rows else tuple(filter(partial(_has_files, study), study.cohorts_here)),
        done=Counter(row.step for row in rows if row.status == "ok"),
        on_hold=len(waiting),
        stopped=len(not_done - waiting),
        settings=tuple(study.configuration.build.settings),
        built=tuple(sorted(r.id.model for r in units_of(study, "build") if r.status == "ok")),
        untrained={m: tuple(f for f in folds if f not in own) for m, own in trained.items()},
        predicted=tuple(
            sorted({r.id.model for r in units_of(study, "predict") if r.status == "ok"})
        ),
        pages=tuple(sorted(_pages(study.root))),
    )


def _has_files(study: Study, cohort: str) -> bool:
    inventory = study.inventory(cohort)
    return inventory is not None and bool(inventory.series)


def _pages(root: Path) -> list[str]:
    found = (root / EVALUATION).glob(f"*/{PAGE}")
    return [path.relative_to(root).as_posix() for path in found]


def after_init(standing: Standing) -> Suggestion:
    """Files of the first cohort are to be added."""
    first = standing.cohorts[0] if standing.cohorts else "COHORT"
    return Suggestion(f"cta-data add {first} FOLDER", "take raw files in")


def after_add(standing: Standing, cohort: str) -> Suggestion:
    """What was added is converted."""
    return Suggestion(f"cta-data convert {cohort}", "to BIDS images and contours")


def after_step(standing: Standing, step: str) -> Suggestion:
    """The next step runs; the last one ends in a training set."""
    if not standing.done.get(step):
        return _WHY
    if step != STEP_NAMES[-1]:
        following = STEP_NAMES[STEP_NAMES.index(step) + 1]
        return Suggestion(f"cta-data {following}", "the next step")
    return _REVIEW if standing.on_hold else _build(standing)


def after_consensus(standing: Standing) -> Suggestion:
    """A consensus is transferred like any annotation, and can be compared then."""
    return Suggestion("cta-data transfer", "to every grid, for measure, agreement and build")


def after_build(standing: Standing, settings: Sequence[str]) -> Suggestion:
    """What was built is trained."""
    built = [setting for setting in settings if setting in standing.built]
    return _train(built) if built else _WHY


def after_train(
    standing: Standing, models: Mapping[str, str], options: Sequence[str] = ()
) -> Suggestion:
    """Folds that are not trained come first, then the test sets.

    Parameters
    ----------
    models
        Names of the models by their settings.
    options
        Of the command, that hold for the next one as well.
    """
    trained = [setting for setting, model in models.items() if model in standing.untrained]
    if not trained:
        return _WHY
    left = sorted({fold for setting in trained for fold in standing.untrained[models[setting]]})
    if left:
        words = [_options(trained), "--fold", ",".join(map(str, left)), *options]
        command = f"cta-data train {' '.join(words)}"
        return Suggestion(command, "the other folds; or predict with those that are trained")
    return _predict(trained, options)


def after_predict(standing: Standing) -> Suggestion:
    """Predictions are scored."""
    return _EVALUATE if standing.predicted else _WHY


def after_evaluate(standing: Standing) -> Suggestion:
    """The page is looked at, then findings are."""
    return _FINDINGS if standing.pages else _WHY


def after_pictures(standing: Standing) -> Suggestion:
    """What is on hold is decided."""
    return _REVIEW if standing.on_hold else after_status(standing)


def after_accept(standing: Standing) -> Suggestion:
    """What depends on the decisions is made, once nothing waits."""
    return _REVIEW if standing.on_hold else _build(standing)


def after_status(standing: Standing) -> Suggestion:
    """Return the first command of the order of work that is not done."""
    if not standing.done:
        return after_add(standing, standing.added[0]) if standing.added else after_init(standing)
    if standing.on_hold:
        return _REVIEW
    if not standing.built:
        return _build(standing)
    if not standing.untrained:
        return _train(standing.built)
    if not standing.predicted:
        return _predict([name for name in standing.untrained if name in standing.settings])
    return after_evaluate(standing) if standing.pages else _EVALUATE


_WHY = Suggestion("cta-data status", "why sessions stopped")
_REVIEW = Suggestion(
    "cta-data review --of transfers --reader CODE", "look at what is on hold, and decide"
)
_FINDINGS = Suggestion("cta-data review --of findings --reader CODE", "read what models found")
_EVALUATE = Suggestion("cta-data evaluate", "scores, tables and figures")


def _build(standing: Standing) -> Suggestion:
    first = FIRST_SETTING if FIRST_SETTING in standing.settings else standing.settings[0]
    return Suggestion(f"cta-data build {_options(standing.built or [first])}", "training sets")


def _train(settings: Sequence[str]) -> Suggestion:
    return Suggestion(f"cta-data train {_options(settings)}", "nnU-Net, all folds")


def _predict(settings: Sequence[str], options: Sequence[str] = ()) -> Suggestion:
    command = ["cta-data predict", _options(settings or ["NAME"]), *options]
    return Suggestion(" ".join(command), "test sets")


def _options(settings: Sequence[str]) -> str:
    return " ".join(f"--setting {setting}" for setting in settings)
