"""What repositories of a folder hold: files, git objects, and content in annexes."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path


def repositories(root: Path) -> list[Path]:
    """Return all git repositories with a working tree in a folder."""
    return sorted(path.parent for path in root.rglob(".git"))


def objects_with(root: Path, words: set[str]) -> list[str]:
    """Return the repositories in a folder with a git object, reachable or not, that has a word."""
    return [
        str(repository.relative_to(root))
        for repository in repositories(root)
        if any(word.encode() in _objects(repository) for word in words)
    ]


def _objects(repository: Path) -> bytes:
    words = ("git", "cat-file", "--batch-all-objects", "--batch", "--unordered")
    return subprocess.run(words, cwd=repository, capture_output=True, check=True).stdout


def files_with(root: Path, words: set[str]) -> list[str]:
    """Return the files in a folder, git's own left out, whose name, link or content has a word."""
    found = []
    for path in sorted(root.rglob("*")):
        name = path.relative_to(root).as_posix()
        if ".git" in path.parts or path.is_dir():
            continue
        content = os.fsencode(os.readlink(path)) if path.is_symlink() else path.read_bytes()
        if any(word in name or word.encode() in content for word in words):
            found.append(name)
    return found


def content_of(root: Path, keys: set[str]) -> list[str]:
    """Return the files with annexed content of some keys, in annexes and in directory remotes."""
    return sorted(
        path.relative_to(root).as_posix()
        for path in root.rglob("*")
        if path.name in keys and path.is_file() and not path.is_symlink()
    )
