"""The steps in their order, run as one command with one record."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from cta_data.engine import Observer, Report, RunOptions, plan_steps, run_steps
from cta_data.engine.driver import UNCOMMITTED, mark_uncommitted
from cta_data.engine.records import count_by_step
from cta_data.engine.units import Step
from cta_data.errors import ConfigurationError
from cta_data.pipeline.consensus import CONSENSUS
from cta_data.pipeline.convert.step import CONVERT
from cta_data.pipeline.extract_brain import NEED_MORE, STRIP, backend_options
from cta_data.pipeline.housekeeping import keep_books, tidy
from cta_data.pipeline.measure import MEASURE
from cta_data.pipeline.recorded import remove_emptied_outputs, require_recorded
from cta_data.pipeline.register import REGISTER
from cta_data.pipeline.transfer import TRANSFER
from cta_data.study.distribution import restrict_cohort
from cta_data.study.layout import (
    AGREEMENT,
    BUILDS,
    FOLLOW_UP,
    HOME,
    MANIFESTS,
    MODELS,
    PATCHES,
    PREDICTIONS,
    REFERENCES,
)
from cta_data.study.study import CONFIGURATION, Study
from cta_data.versioning.datasets import is_modified, require_identity, save
from cta_data.versioning.provenance import commit_run

SUBJECT_STEPS: tuple[Step, ...] = (CONVERT, CONSENSUS, REGISTER, TRANSFER, STRIP, MEASURE)


def steps_of_command(name: str) -> list[Step]:
    """Return what the command of a step runs: what conversion changes, a consensus follows."""
    steps = [step for step in SUBJECT_STEPS if step.name == name]
    return [*steps, CONSENSUS] if name == CONVERT.name else steps


def execute(
    study: Study,
    steps: Sequence[Step],
    options: RunOptions,
    observer: Observer | None = None,
    *,
    prepare: Callable[[], None] = lambda: None,
    finish: Callable[[], bool] = lambda: False,
    commit: bool = True,
) -> Report:
    """Run steps on subjects and builds, keep the books of all sessions and commit once.

    Parameters
    ----------
    prepare
        Called before anything is planned, while the study is locked.
    finish
        Called after the books are kept; tells whether it wrote anything that is to be committed.
    commit
        False where another process (`datalad rerun`) commits.

    Raises
    ------
    CtaError
        The study is in use, content cannot be fetched, or the commit failed.
    """
    watcher = observer or Observer()
    _check_back_end(study, steps, options)

    def tidy_and_prepare() -> None:
        tidy(study, watcher.noted)
        prepare()

    def book_and_finish() -> bool:
        keep_books(study)
        return finish()

    return run_and_commit(
        study,
        steps,
        options,
        watcher,
        prepare=tidy_and_prepare,
        finish=book_and_finish,
        commit=commit,
    )


def run_and_commit(
    study: Study,
    steps: Sequence[Step],
    options: RunOptions,
    observer: Observer | None = None,
    *,
    prepare: Callable[[], None] = lambda: None,
    finish: Callable[[], bool] = lambda: False,
    commit: bool = True,
) -> Report:
    """Run steps and commit once what they made, and what a command that died has left.

    Parameters
    ----------
    prepare, finish
        Called before the first step and after the last, while the study is locked; `finish` tells
        whether it wrote anything that is to be committed.
    commit
        False where another process (`datalad rerun`) commits.

    Raises
    ------
    CtaError
        The study is in use, content cannot be fetched, or the commit failed.
    """
    watcher = observer or Observer()
    if commit:
        require_identity(study.root)
    was_uncommitted = (study.root / UNCOMMITTED).exists()

    def begin() -> None:
        if commit:
            _commit_configuration(study)
        emptied = remove_emptied_outputs(study)
        if emptied:
            watcher.noted(f"{len(emptied)} outputs had lost their content and are made again")
        prepare()

    def end(report: Report) -> None:
        if finish() or study.tables.changed():
            mark_uncommitted(study.root)
        study.tables.flush()
        if commit and (study.root / UNCOMMITTED).exists():
            _commit(study, report, options)
        elif not commit and not was_uncommitted:
            # Whoever replays a record commits what it made.
            (study.root / UNCOMMITTED).unlink(missing_ok=True)

    return run_steps(study, steps, options, watcher, finish=end, prepare=begin)


def _check_back_end(study: Study, steps: Sequence[Step], options: RunOptions) -> None:
    """Check that brain extraction has all it needs, before earlier steps take their hours.

    Raises
    ------
    ConfigurationError
        A session's brain has to be extracted, and the back end lacks a package or its weights.
    """
    settings = study.configuration.brain_extraction
    if settings.backend not in NEED_MORE:
        return
    from cta_data.imaging.brain import require_backend

    try:
        require_backend(settings.backend, backend_options(settings.model_dump()))
    except ConfigurationError:
        decisions = plan_steps(study, steps, options)
        if any(d.unit.id.step == STRIP.name and d.action == "run" for d in decisions):
            raise


def _commit_configuration(study: Study) -> None:
    """Commit what the user changed in study.toml and in cards, apart from what follows from it.

    A record can only be run again from a state that holds the configuration it was made with.
    """
    files = [study.root / CONFIGURATION]
    files += [study.root / study.cohort_path(cohort) / "card.toml" for cohort in study.cohorts_here]
    changed = [path for path in files if path.is_file() and is_modified(path)]
    if changed:
        for cohort in study.cohorts_here:
            study.card(cohort)  # what does not validate is not committed
        save(study.root, "Configuration", changed)


def _commit(study: Study, report: Report, options: RunOptions) -> None:
    paths = [HOME, MANIFESTS, BUILDS, MODELS, PREDICTIONS, REFERENCES]
    paths += [AGREEMENT, FOLLOW_UP, PATCHES]
    paths += [study.cohort_path(c) for c in study.cohorts_here]
    installed = [path for path in paths if Path(study.root / path).exists()]
    command = list(options.command)
    commit_run(
        study.root,
        command,
        _message(report, command),
        installed,
        report.exit_code(),
        inputs=report.inputs,
    )
    for cohort in study.cohorts_here:
        restrict_cohort(study, cohort)
    require_recorded(study, report.records)
    (study.root / UNCOMMITTED).unlink()


def _message(report: Report, command: list[str]) -> str:
    counts = [
        f"{step} {', '.join(f'{n} {status}' for status, n in sorted(by_status.items()))}"
        for step, by_status in count_by_step(report.records).items()
    ]
    return f"{' '.join(command[:2])}: {'; '.join(counts)}"
