"""A dataset's history begun anew: one commit with the files as they are, and nothing before.

What a person's data went into are tables and pages of every commit since, many of them compressed:
no filter finds all of it. So no earlier commit is kept. Datasets are nested by commit, so that the
inner ones come first.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from cta_data.errors import CtaError
from cta_data.versioning.annex_content import git_folder
from cta_data.versioning.git_settings import run_git
from cta_data.versioning.key_uses import git_bytes

_ANNEX_BRANCH = "refs/heads/git-annex"
_CACHES = (
    "annex/index",
    "annex/index.lck",
    "annex/keysdb",
    "annex/keysdb.lck",
    "annex/keysdbcache",
)
"""What git-annex makes again from its branch and the files; an old index would bring logs back."""
_OWN = ("refs/heads/", "refs/tags/", "refs/stash")
_OLD_HEADS = ("ORIG_HEAD", "FETCH_HEAD", "MERGE_HEAD", "COMMIT_EDITMSG")


@dataclass(frozen=True)
class Begun:
    """What was forgotten of a dataset: commits before, and names of own branches and tags."""

    commits: int
    references: tuple[str, ...]


def begin_history(dataset: Path, message: str, forgotten: Collection[str]) -> Begun:
    """Make the files of a dataset its first commit, and forget all others.

    Parameters
    ----------
    forgotten
        Annex keys of which git-annex's logs are removed.

    Raises
    ------
    CtaError
        Something is not committed, or git failed.
    """
    _require_clean(dataset)
    commits = len(git_bytes(dataset, "rev-list", "--all").split())
    head = _git(dataset, "symbolic-ref", "HEAD")
    tree = _git(dataset, "write-tree")
    _git(dataset, "update-ref", head, _commit(dataset, tree, message))
    kept = [head]
    if not run_git(dataset, "rev-parse", "--verify", "--quiet", _ANNEX_BRANCH).returncode:
        _rewrite_annex_branch(dataset, forgotten)
        kept.append(_ANNEX_BRANCH)
    listed = _git(dataset, "for-each-ref", "--format=%(refname)").splitlines()
    gone = tuple(name for name in listed if name not in kept)
    for name in gone:
        _git(dataset, "update-ref", "-d", name)
    _remove_unreachable(dataset)
    return Begun(commits, tuple(name for name in gone if name.startswith(_OWN)))


def _require_clean(dataset: Path) -> None:
    changed = _git(
        dataset, "status", "--porcelain", "--untracked-files=no", "--ignore-submodules=all"
    )
    if changed:
        raise CtaError("dataset_has_changes", where=dataset, changed=changed.splitlines()[0][3:])


def stage_datasets(dataset: Path, inside: Collection[str]) -> None:
    """Have a dataset name the present commits of those inside it."""
    if inside:
        _git(dataset, "add", "--", *inside)


def _commit(dataset: Path, tree: str, message: str) -> str:
    return _git(dataset, "commit-tree", tree, "-m", message)


def _rewrite_annex_branch(dataset: Path, forgotten: Collection[str]) -> None:
    """Keep what git-annex knows now, without the logs of some keys."""
    gone = set(forgotten)
    kept = [
        entry
        for entry in git_bytes(dataset, "ls-tree", "-r", "-z", _ANNEX_BRANCH).split(b"\0")
        if entry and _key_of_log(os.fsdecode(entry.partition(b"\t")[2])) not in gone
    ]
    index = git_folder(dataset) / "cta-annex-index"
    index.unlink(missing_ok=True)
    try:
        tree = _tree_of(dataset, index, kept)
    finally:
        index.unlink(missing_ok=True)
    _git(dataset, "update-ref", _ANNEX_BRANCH, _commit(dataset, tree, "update"))


def _tree_of(dataset: Path, index: Path, entries: Collection[bytes]) -> str:
    """Return the tree of entries as `git ls-tree` lists them."""
    os.environ["GIT_INDEX_FILE"] = str(index)
    try:
        git_bytes(dataset, "update-index", "-z", "--index-info", given=b"\0".join([*entries, b""]))
        return _git(dataset, "write-tree")
    finally:
        del os.environ["GIT_INDEX_FILE"]


def _key_of_log(path: str) -> str:
    """Return the key that a log of git-annex is about; those of keys lie two folders deep."""
    name = path.rpartition("/")[2]
    return name.partition(".log")[0] if path.count("/") == 2 else ""


def _remove_unreachable(dataset: Path) -> None:
    folder = git_folder(dataset)
    for name in (*_CACHES, *_OLD_HEADS):
        path = folder / name
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    _git(dataset, "reflog", "expire", "--expire=now", "--expire-unreachable=now", "--all")
    _git(dataset, "-c", "gc.worktreePruneExpire=now", "gc", "--quiet", "--prune=now")


def _git(dataset: Path, *arguments: str) -> str:
    return run_git(dataset, *arguments, check=True).stdout.strip()
