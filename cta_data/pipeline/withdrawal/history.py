"""The history that names withdrawn subjects: every dataset of the study begins anew."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cta_data.errors import CtaError
from cta_data.pipeline.withdrawal.checks import logged_keys
from cta_data.pipeline.withdrawal.command import key_digest
from cta_data.pipeline.withdrawal.journal import JOURNAL
from cta_data.study.lock import study_lock
from cta_data.study.study import Study
from cta_data.study.tables import WithdrawalRow, WithdrawnContentRow
from cta_data.versioning.annex_content import places_of, siblings_of
from cta_data.versioning.committed import datasets_of
from cta_data.versioning.datasets import require_identity
from cta_data.versioning.git_settings import run_git
from cta_data.versioning.new_history import begin_history, stage_datasets

AT_SIBLING = (
    "git for-each-ref --format='delete %(refname)' refs/annex refs/remotes refs/heads/synced"
    " | git update-ref --stdin"
    '; rm -rf "$(git rev-parse --git-dir)"/annex/index* "$(git rev-parse --git-dir)"/annex/keysdb*'
    ' "$(git rev-parse --git-dir)"/ORIG_HEAD'
    "; git reflog expire --expire=now --all; git gc --quiet --prune=now"
)
"""Run in a git sibling after the forced push: nothing leads to the history any more."""
MESSAGE = "The state after consent was withdrawn; the history before was removed"


@dataclass(frozen=True)
class Forgotten:
    """What was forgotten of a dataset.

    Attributes
    ----------
    dataset
        Path from the top of the study; empty for the study itself.
    commits
        Commits that are gone.
    references
        Other branches and tags, which are gone as well.
    commands
        What is left to do for each sibling, as a shell takes it.
    """

    dataset: str
    commits: int
    references: tuple[str, ...]
    commands: tuple[str, ...]


def history_to_forget(study: Study) -> dict[str, set[str]]:
    """Return all datasets, the inner ones first, with the keys of withdrawn subjects in their logs.

    The record of a command is the message of its commits in all datasets, and names files of all
    cohorts: so no dataset is left out. Without a withdrawn subject there is none.
    """
    withdrawn = {
        row.withdrawal for row in study.tables.rows(WithdrawalRow) if not row.consent_again_on
    }
    digests: dict[str, set[str]] = {}
    for row in study.tables.rows(WithdrawnContentRow):
        if row.withdrawal in withdrawn:
            digests.setdefault(row.dataset, set()).add(row.key_sha256)
    found: dict[str, set[str]] = {}
    for dataset in reversed(list(datasets_of(study.root)) if withdrawn else []):
        path = "" if dataset == study.root else dataset.relative_to(study.root).as_posix()
        mine = digests.get(path, set())
        found[path] = {key for key in logged_keys(dataset) if key_digest(key) in mine}
    return found


def forget_history(study: Study) -> list[Forgotten]:
    """Begin the history of every dataset of a study anew.

    Raises
    ------
    CtaError
        A withdrawal is not finished, content is still elsewhere, something is not committed, or
        another command works on the study.
    """
    require_identity(study.root)
    done = []
    with study_lock(study):
        if (study.root / JOURNAL).exists():
            raise CtaError("withdrawal_interrupted", where=JOURNAL)
        wanted = history_to_forget(study)
        for path, keys in wanted.items():
            places = places_of(study.root / path, keys)
            if places:
                raise CtaError(
                    "withdrawn_content_elsewhere",
                    where=path or study.root.name,
                    places=tuple(sorted(places)),
                    n_keys=max(places.values()),
                )
        for path, keys in wanted.items():
            dataset = study.root / path
            inside = [
                (study.root / one).relative_to(dataset).as_posix()
                for one in wanted
                if one and one != path and _parent(study.root / one) == dataset
            ]
            stage_datasets(dataset, inside)
            begun = begin_history(dataset, MESSAGE, keys)
            done.append(Forgotten(path, begun.commits, begun.references, _commands(dataset, path)))
    return done


def _parent(dataset: Path) -> Path:
    """Return the dataset that a dataset is registered in."""
    return next(folder for folder in dataset.parents if (folder / ".git").exists())


def _commands(dataset: Path, path: str) -> tuple[str, ...]:
    """Return the commands by which git siblings forget, too: content is not in question there."""
    head = run_git(dataset, "symbolic-ref", "--short", "HEAD", check=True).stdout.strip()
    commands = []
    for name in siblings_of(dataset):
        url = run_git(dataset, "config", f"remote.{name}.url").stdout.strip()
        if url:  # special remotes of git-annex hold no git
            where = f"git -C {path or '.'}"
            commands.append(f"{where} push --force {name} {head} git-annex")
    return tuple(commands)
