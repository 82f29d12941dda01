"""Evaluate in a study: what is written is committed, with a record of the command."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from cta_data.engine.datasets import is_modified, require_identity, save
from cta_data.engine.driver import study_lock
from cta_data.engine.provenance import commit_run
from cta_data.engine.records import EXIT_FAILED, EXIT_OK
from cta_data.evaluation.scoring import Convention
from cta_data.steps.evaluate import Evaluation, evaluate
from cta_data.steps.illustrate import illustrator
from cta_data.study import Study

FOLDER = "evaluation"


def evaluate_study(
    study: Study,
    convention: Convention,
    *,
    references: Path | None = None,
    predictions: Path | None = None,
    jobs: int = 1,
    note: Callable[[str], None] = lambda text: None,
    commit: bool = True,
) -> Evaluation:
    """Score all predictions and write and commit what `evaluate` makes of them.

    Where the masks lie in the study, the commit carries a record that `datalad rerun` repeats.
    Masks of elsewhere are no part of the study, so that nothing could be repeated: then the commit
    has no record.

    Parameters
    ----------
    references, predictions
        Folders; without them, `evaluation/references` and `evaluation/predictions`.
    commit
        False where another process (`datalad rerun`) commits.

    Raises
    ------
    ConfigurationError
        A folder is not there.
    CtaError
        Another command works on the study, or the commit failed.
    """
    if commit:
        require_identity(study.root)
    out = study.root / FOLDER
    folders = references or out / "references", predictions or out / "predictions"
    with study_lock(study.root):
        illustrate = illustrator(study, convention, note)
        done = evaluate(*folders, out, convention, jobs=jobs, note=note, illustrate=illustrate)
        written = out / convention.name
        if not commit or not done.sets or not is_modified(written):
            return done
        cases = sum(count for _, count in done.sets)
        told = (
            f"cta-data evaluate: {convention.name}: {cases} cases, {len(done.missing)} not scored"
        )
        command = _command(study.root, convention, references, predictions)
        if command:
            code = EXIT_FAILED if done.missing else EXIT_OK
            commit_run(study.root, command, told, [f"{FOLDER}/{convention.name}"], code)
        else:
            save(study.root, told, [written])
    return done


def _command(
    root: Path, convention: Convention, references: Path | None, predictions: Path | None
) -> list[str]:
    """Return the command line as run at the top of the study; empty where it leads out of it."""
    command = ["cta-data", "evaluate", "--convention", convention.name]
    for option, folder in (("--references", references), ("--predictions", predictions)):
        if folder is None:
            continue
        inside = folder.resolve()
        if not inside.is_relative_to(root.resolve()):
            return []
        command += [option, inside.relative_to(root.resolve()).as_posix()]
    return command
