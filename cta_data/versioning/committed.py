"""Whether what was written is in the last commit: asked of git after every commit, and by doctor.

git leaves out without a word what a rule ignores. The rules that a dataset holds itself, in its
`.gitignore` files, are the only ones that are respected here.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from cta_data.errors import CtaError
from cta_data.files import Stamp, file_stamp
from cta_data.versioning.git_settings import run_git


def require_committed(root: Path, paths: Iterable[Path]) -> None:
    """Check that a study's datasets have committed all that is under these paths.

    Raises
    ------
    CtaError
        Something there is not in the last commit of its dataset.
    """
    left = sorted(set(_left_out(root, [path for path in paths if os.path.lexists(path)])))
    if left:
        raise _not_committed(root, left)


def require_tracked(root: Path, files: Iterable[str]) -> None:
    """Check that files, by their paths from the top of the study, are in git at all.

    Raises
    ------
    CtaError
        Some are not: a `.gitignore` of the study leaves them out.
    """
    left = untracked(root, files)
    if left:
        raise _not_committed(root, left)


def untracked(root: Path, files: Iterable[str]) -> list[str]:
    """Return those of the files, by their paths from the top of the study, that git has not."""
    wanted = set(files)
    for dataset in datasets_of(root):
        prefix = "" if dataset == root else f"{dataset.relative_to(root).as_posix()}/"
        if any(path.startswith(prefix) for path in wanted):
            wanted -= {prefix + name for name in _listed(dataset, "ls-files", "-z")}
    return sorted(wanted)


def datasets_of(root: Path) -> Iterator[Path]:
    """Yield a dataset and those inside it that are installed, each before its own."""
    yield root
    for path in sorted(registered_datasets(root)):
        inside = root / path
        if (inside / ".git").exists():
            yield from datasets_of(inside)


def registered_datasets(dataset: Path) -> frozenset[str]:
    """Return the paths of the datasets that are registered in one, installed or not."""
    modules = dataset / ".gitmodules"
    stamp = file_stamp(modules)
    if modules not in _registered or _registered[modules][0] != stamp:
        text = modules.read_text("utf-8") if stamp else ""
        found = frozenset(re.findall(r"^\s*path = (.+?)\s*$", text, re.MULTILINE))
        _registered[modules] = stamp, found
    return _registered[modules][1]


_registered: dict[Path, tuple[Stamp, frozenset[str]]] = {}
"""What each file told when it was last read: a command asks of every path that it looks at."""


def _left_out(root: Path, paths: list[Path]) -> Iterator[str]:
    for dataset in datasets_of(root):
        inside = {_seen_from(dataset, path) for path in paths if path.is_relative_to(dataset)}
        if any(dataset.is_relative_to(path) for path in paths):
            inside = {dataset}
        if not inside:
            continue
        specs = ["--", *(f":(literal){os.path.relpath(path, dataset)}" for path in inside)]
        status = ("status", "-z", "--porcelain", "--untracked-files=no", "--no-renames")
        changed = _listed(dataset, *status, "--ignore-submodules=dirty", *specs)
        others = ("ls-files", "-z", "--others", "--exclude-per-directory=.gitignore")
        found = [entry[3:] for entry in changed] + _listed(dataset, *others, *specs)
        yield from (os.path.relpath(dataset / name, root) for name in found)


def _seen_from(dataset: Path, path: Path) -> Path:
    """Return what a dataset knows of a path inside it: of a nested dataset, that dataset alone."""
    parts = path.relative_to(dataset).parts
    above = (dataset.joinpath(*parts[:depth]) for depth in range(1, len(parts) + 1))
    return next((folder for folder in above if (folder / ".git").exists()), path)


def _listed(folder: Path, *arguments: str) -> list[str]:
    return [entry for entry in run_git(folder, *arguments, check=True).stdout.split("\0") if entry]


def _not_committed(root: Path, left: list[str]) -> CtaError:
    return CtaError(
        "files_not_committed",
        where=root,
        n_left=len(left),
        left=left[0],
        folder=root / Path(left[0]).parent,
        file=Path(left[0]).name,
    )
