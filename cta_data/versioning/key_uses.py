"""Which annexed content a dataset ever held, and under which paths: in all commits of all branches.

Content that no file of the last commit names is still in the annex, and in siblings. Only git's
history tells whose it was.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from cta_data.errors import CtaError
from cta_data.versioning.git_settings import use_own_settings

_LINK, _GITLINK = "120000", "160000"
_POINTER = b"/annex/objects/"
_LONGEST_POINTER = 512
"""Bytes; longer texts are no pointers of git-annex, which hold a path and a line end."""
_OBJECTS = "annex/objects/"
OTHER_BRANCHES = "--exclude=refs/*git-annex"
"""git-annex's own branches hold its logs, and no file of a user."""


@dataclass(frozen=True)
class History:
    """What a dataset's commits and index hold.

    Attributes
    ----------
    uses
        Paths from the top of the dataset, by annex key.
    commits
        Commits that changed a path, by path.
    """

    uses: dict[str, set[str]] = field(default_factory=dict)
    commits: dict[str, set[str]] = field(default_factory=dict)


def read_history(dataset: Path) -> History:
    """Read all commits that a branch, a tag, a stash or the log of HEAD leads to, and the index.

    Raises
    ------
    CtaError
        git failed.
    """
    entries = [*_committed(dataset), *_staged(dataset)]
    keys = _keys_of(dataset, {(mode, blob) for mode, blob, _, _ in entries})
    found = History()
    for _, blob, path, commit in entries:
        if commit:
            found.commits.setdefault(path, set()).add(commit)
        if blob in keys:
            found.uses.setdefault(keys[blob], set()).add(path)
    return found


def _committed(dataset: Path) -> Iterator[tuple[str, str, str, str]]:
    """Yield mode, object, path and commit of every version that a commit has of a file."""
    logged = git_bytes(dataset, "reflog", "--format=%H", "HEAD", check=False).decode().split()
    options = ("--raw", "-z", "-m", "--root", "--no-abbrev", "--no-renames", "--format=%x00%H")
    printed = git_bytes(
        dataset, "log", "--stdin", OTHER_BRANCHES, "--all", *options,
        given="\n".join([*logged, ""]).encode(),
    )  # fmt: skip
    commit = ""
    words = iter(printed.split(b"\0"))
    for word in words:
        text = word.strip(b"\n")
        if text.startswith(b":"):
            before, after, old, new, _ = text[1:].decode().split(" ")
            path = os.fsdecode(next(words))
            mode, blob = (after, new) if after != "000000" else (before, old)
            if mode != _GITLINK:
                yield mode, blob, path, commit
        elif text:
            commit = text.decode()


def _staged(dataset: Path) -> Iterator[tuple[str, str, str, str]]:
    for entry in git_bytes(dataset, "ls-files", "-s", "-z").split(b"\0"):
        about, _, path = entry.partition(b"\t")
        if path:
            mode, blob, _ = about.decode().split(" ")
            yield mode, blob, os.fsdecode(path), ""


def _keys_of(dataset: Path, objects: set[tuple[str, str]]) -> dict[str, str]:
    """Return the annex key that an object stands for, of links and of pointers."""
    links = sorted({blob for mode, blob in objects if mode == _LINK})
    plain = sorted({blob for mode, blob in objects if mode not in (_LINK, _GITLINK)})
    sizes = git_bytes(
        dataset, "cat-file", "--batch-check=%(objectname) %(objectsize)", given=_lines(plain)
    )
    told = (line.split() for line in sizes.decode().splitlines())
    short = [blob for blob, size in told if size.isdigit() and int(size) <= _LONGEST_POINTER]
    keys = {}
    for blob, content in read_objects(dataset, [*links, *short]):
        first = content.partition(b"\n")[0]
        if blob in short and not first.startswith(_POINTER):
            continue
        target = os.fsdecode(first)
        if _OBJECTS in target:
            keys[blob] = target.rpartition("/")[2]
    return keys


def read_objects(dataset: Path, objects: Iterable[str]) -> Iterator[tuple[str, bytes]]:
    """Yield the content of git objects, with their names."""
    printed = git_bytes(dataset, "cat-file", "--batch", given=_lines(objects))
    at = 0
    while at < len(printed):
        end = printed.index(b"\n", at)
        words = printed[at:end].split(b" ")
        if len(words) != 3:  # missing, as in a shallow clone
            at = end + 1
            continue
        start, size = end + 1, int(words[2])
        yield words[0].decode(), printed[start : start + size]
        at = start + size + 1


def _lines(words: Iterable[str]) -> bytes:
    return "".join(f"{word}\n" for word in words).encode()


def git_bytes(dataset: Path, *arguments: str, given: bytes = b"", check: bool = True) -> bytes:
    """Run git with the study's own settings; return what it printed.

    Raises
    ------
    CtaError
        git failed, where that is to be checked.
    """
    use_own_settings(dataset)
    done = subprocess.run(
        ["git", *arguments], cwd=dataset, input=given, capture_output=True, check=False
    )
    if check and done.returncode:
        lines = done.stderr.decode(errors="replace").strip().splitlines()
        raise CtaError(
            "git_command_failed",
            where=dataset,
            arguments=tuple(arguments[:2]),
            why=lines[-1] if lines else "",
        )
    return done.stdout
