"""One `datalad run` record a command, so that `datalad rerun` reproduces it."""

from __future__ import annotations

import glob
import shlex
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import Any

from cta_data.errors import CtaError
from cta_data.versioning.committed import datasets_of, require_committed
from cta_data.versioning.datasets import datalad_errors, quiet_datalad, require_space
from cta_data.versioning.git_settings import run_git
from cta_data.versioning.software import software_versions

REPLAY = "--replay"
"""Option of the recorded command: recompute all, and leave the commit to who runs it."""
OURS = "cta_data"
"""Name of our own part of a record: the versions that made it, and the commit before it."""
MOST_IN_MESSAGE = 100
"""Files that a commit's message names; the record of more lies in .datalad/runinfo."""


def command_words(name: str, *arguments: object, **options: object) -> tuple[str, ...]:
    """Return the words of a command, as a record keeps them.

    Parameters
    ----------
    arguments, options
        Those that say nothing (None, an empty text or list, zero, False) are left out. True names
        an option without a value; a list names it once for each value.
    """
    words = ["cta-data", name, *(str(one) for one in arguments if one)]
    for option, value in options.items():
        word = f"--{option.replace('_', '-')}"
        if value is True:
            words.append(word)
        elif value:
            entries = value if isinstance(value, list | tuple) else [value]
            words += [part for entry in entries for part in (word, str(entry))]
    return tuple(words)


def commit_run(
    root: Path,
    command: Sequence[str],
    message: str,
    paths: Iterable[str],
    exit_code: int,
    *,
    inputs: Iterable[str] = (),
) -> None:
    """Commit what a command made, with the record of the command.

    The record is the one `datalad run` writes. The command has already run, in this process, so
    that nothing is recorded when nothing had to be done. The record names the files that were read,
    which a rerun installs and fetches before anything else, and those that changed.

    Parameters
    ----------
    command
        The command line to record, word by word, as `command_words` returns it.
    paths
        Files and folders of the study that the command may have changed.
    exit_code
        What the command returns; a rerun expects the same.
    inputs
        Files that the command read, from the top of the study. What it made itself is no input.

    Raises
    ------
    CtaError
        DataLad could not commit, or git left something out of the commit.
    """
    require_space(root)
    quiet_datalad(root)
    from datalad.core.local.run import run_command
    from datalad.distribution.dataset import Dataset

    chosen = sorted(set(paths))
    places = [str(root / path) for path in chosen]
    record = _record(root, exit_code, set(inputs), changed_files(root, chosen))
    files = len(record["inputs"]) + len(record["outputs"])
    with datalad_errors("commit_failed"):
        results = list(
            run_command(
                _without_placeholders(shlex.join([*command, REPLAY])),
                dataset=Dataset(str(root)),
                outputs=places,
                explicit=True,
                message=message,
                inject=True,
                sidecar=files > MOST_IN_MESSAGE,
                extra_info=record,
            )
        )
    failed = [result for result in results if result["status"] in ("error", "impossible")]
    if failed:
        where = str(failed[0].get("path", root))
        raise CtaError("commit_failed", where=where, message=_text(failed[0]))
    require_committed(root, map(Path, places))


def _without_placeholders(command: str) -> str:
    """Return a command in which braces stand for themselves: DataLad fills in what is in them."""
    return command.replace("{", "{{").replace("}", "}}")


def _record(root: Path, exit_code: int, inputs: set[str], made: list[str]) -> dict[str, Any]:
    """Return what the record holds beside the command; what was made is no input."""
    return {
        "exit": exit_code,
        "inputs": [_literal(path) for path in sorted(inputs - set(made))],
        "outputs": [_literal(path) for path in made],
        "pwd": ".",
        OURS: {"after": _git(root, "rev-parse", "HEAD"), "software": software_versions()},
    }


def commit_of(root: Path, paths: Iterable[str]) -> str:
    """Return the commit that last changed what a result is made of, the same however often.

    Empty where some of it is not committed, or none of it is in the history.

    Parameters
    ----------
    root
        The study.
    paths
        Files, folders and datasets from its top.
    """
    chosen = sorted(paths)
    if _git(root, "status", "--porcelain", "--", *chosen):
        return ""
    return _git(root, "log", "-1", "--format=%H", "--", *chosen)


def commit_date(root: Path, commit: str) -> str:
    """Return the day of a commit, YYYY-MM-DD."""
    return _git(root, "show", "-s", "--format=%cs", commit)


def changed_files(root: Path, paths: Collection[str]) -> list[str]:
    """Return the files under some paths that are new or changed, in all datasets of a study.

    Parameters
    ----------
    root
        The study, from the top of which all paths are.
    """
    found = []
    for dataset in datasets_of(root):
        top = dataset.relative_to(root)
        listed = _git(
            dataset, "status", "--porcelain", "-z", "--untracked-files=all", "--no-renames",
            "--ignore-submodules=all",
        )  # fmt: skip
        for entry in filter(None, listed.split("\0")):
            path = top / entry[3:]
            below = any(path.is_relative_to(parent) for parent in paths)
            if below and "D" not in entry[:2] and not (root / path / ".git").exists():
                found.append(path.as_posix())
    return sorted(found)


def _literal(path: str) -> str:
    """Return a path as a record names it: DataLad takes it for a pattern, and formats it."""
    return glob.escape(path).replace("{", "{{").replace("}", "}}")


def _git(dataset: Path, *arguments: str) -> str:
    return run_git(dataset, *arguments, check=True).stdout.rstrip("\n")


def _text(result: dict[str, Any]) -> str:
    message = result.get("message") or result.get("error_message") or ""
    if isinstance(message, tuple):
        message = message[0] % message[1:]
    return str(message)
