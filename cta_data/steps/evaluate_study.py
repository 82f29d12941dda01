"""Evaluate in a study: what is written is committed, with a record of the command."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from cta_data.engine.datasets import fetch, is_modified, require_identity, save
from cta_data.engine.driver import study_lock
from cta_data.engine.provenance import commit_run
from cta_data.engine.records import EXIT_FAILED, EXIT_OK
from cta_data.evaluation.scoring import Convention
from cta_data.evaluation.scoring.mask_files import ENDINGS
from cta_data.steps.evaluate import Evaluation, evaluate
from cta_data.steps.illustrate import illustrator
from cta_data.study import EVALUATION, Study


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

    Masks of the study whose content is elsewhere are fetched first.

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
    out = study.root / EVALUATION
    folders = references or out / "references", predictions or out / "predictions"
    with study_lock(study.root):
        fetch_masks(study.root, *folders, note=note)
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
            commit_run(study.root, command, told, [f"{EVALUATION}/{convention.name}"], code)
        else:
            save(study.root, told, [written])
    return done


def fetch_masks(
    root: Path,
    references: Path,
    predictions: Path,
    *,
    note: Callable[[str], None] = lambda text: None,
) -> None:
    """Fetch the masks that lie in a study and whose content is elsewhere, of predicted test sets.

    What cannot be fetched is told with the reason; its cases are then not scored.

    Parameters
    ----------
    references, predictions
        Folders; one that lies outside the study is passed over.
    """
    predicted = [path for path in predictions.glob("*/*") if path.is_dir()]
    folders = predicted + [references / name for name in sorted({path.name for path in predicted})]
    fetched = fetch(root, [path for folder in folders for path in _masks_inside(folder, root)])
    if fetched.paths:
        note(f"fetched the content of {len(fetched.paths)} files")
    for path, reason in fetched.failed.items():
        note(
            f"not fetched: {path}: {reason}. `git annex whereis` tells where it should be; "
            "add that place as a sibling"
        )


def _masks_inside(folder: Path, root: Path) -> list[str]:
    """Paths of the masks of a folder from the top of the study; none where it lies outside."""
    inside, top = folder.resolve(), root.resolve()
    if not inside.is_dir() or not inside.is_relative_to(top):
        return []
    return [
        _kept_at(path, top)
        for path in sorted(inside.iterdir())
        if path.name.endswith(ENDINGS) and not path.name.startswith(".") and not path.is_dir()
    ]


def _kept_at(path: Path, top: Path) -> str:
    """Return where a dataset of the study keeps a file, which a link of ours may point to."""
    if path.is_symlink() and ".git" not in Path(os.readlink(path)).parts:
        path = Path(os.path.normpath(path.parent / os.readlink(path)))
    return path.relative_to(top).as_posix()


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
