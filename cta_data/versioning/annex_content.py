"""Annexed content here and in siblings: what is there, and how it is dropped for good.

A withdrawn consent is the one reason to drop content that nobody else has: git-annex refuses
that otherwise, so that it is told to (`--force`).
"""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from cta_data.versioning.git_settings import run_git
from cta_data.versioning.key_uses import git_bytes

_SIZE = re.compile(r"-s(\d+)")
_UNFINISHED = ("tmp", "bad", "othertmp", "transfer")
"""Folders of git-annex with content that is no object: half copied, or damaged."""


@dataclass(frozen=True)
class Dropped:
    """Content that was there and is dropped.

    Attributes
    ----------
    place
        Name of the sibling; empty for this copy.
    keys
        Keys whose content was there.
    failed
        Why content could not be dropped, or the place not be asked; empty where all is well.
    """

    place: str
    keys: frozenset[str]
    failed: str = ""


def size_of(key: str) -> int:
    """Return the bytes that a key's content has; 0 where the key does not tell."""
    found = _SIZE.search(key.partition("--")[0])
    return int(found[1]) if found else 0


def keys_here(dataset: Path) -> set[str]:
    """Return the keys of all content that the annex of a dataset holds here."""
    objects = git_folder(dataset) / "annex" / "objects"
    return (
        {path.name for path in objects.rglob("*") if path.is_file()} if objects.is_dir() else set()
    )


def git_folder(dataset: Path) -> Path:
    """Return where git keeps what belongs to a dataset."""
    return Path(run_git(dataset, "rev-parse", "--absolute-git-dir", check=True).stdout.strip())


def drop_here(dataset: Path, keys: Collection[str]) -> Dropped:
    """Drop content from this copy, half copied and damaged content too."""
    there = frozenset(keys_here(dataset) & set(keys))
    failed = ""
    if there:
        failed = _failure(_drop(dataset, ("dropkey", "--force", "--batch"), there))
    annex = git_folder(dataset) / "annex"
    for name in _UNFINISHED:
        for path in (annex / name).rglob("*") if (annex / name).is_dir() else ():
            if path.is_file() and any(key in path.name for key in keys):
                path.chmod(0o600)
                path.unlink()
    return Dropped("", there - keys_here(dataset), failed)


def siblings_of(dataset: Path) -> list[str]:
    """Return the siblings of a dataset that may hold annexed content."""
    names = sorted(run_git(dataset, "remote", check=True).stdout.split())
    ignored = (run_git(dataset, "config", f"remote.{name}.annex-ignore").stdout for name in names)
    return [name for name, no in zip(names, ignored, strict=True) if no.strip() != "true"]


def drop_from(dataset: Path, sibling: str, keys: Collection[str]) -> Dropped:
    """Drop content from a sibling, whether or not git-annex knows that it is there.

    A sibling that a guard has closed (`annex-readonly`) is opened for this alone.
    """
    if not keys:
        return Dropped(sibling, frozenset())
    opened = ("-c", f"remote.{sibling}.annex-readonly=false")
    ordered = sorted(keys)
    there = git_bytes(
        dataset, *opened, "annex", "checkpresentkey", "--batch", sibling,
        given=_lines(ordered), check=False,
    )  # fmt: skip
    present = {key for key, told in zip(ordered, there.split(), strict=False) if told == b"1"}
    words = ("drop", "--force", "--from", sibling, "--batch-keys", "--json-error-messages")
    results = _drop(dataset, words, ordered, opened)
    done = {str(one.get("key")) for one in results if one.get("success")}
    return Dropped(sibling, frozenset(present & done), _failure(results) if results else _SILENT)


_SILENT = "git-annex did not answer"


def places_of(dataset: Path, keys: Collection[str]) -> Counter[str]:
    """Return how many keys git-annex believes to be where, this copy and dead ones left out."""
    found: Counter[str] = Counter()
    if not keys:
        return found
    printed = git_bytes(
        dataset,
        "annex",
        "whereis",
        "--batch-keys",
        "--json",
        given=_lines(sorted(keys)),
        check=False,
    )
    for entry in _entries(printed):
        for place in (*entry.get("whereis", ()), *entry.get("untrusted", ())):
            if not place["here"]:
                found[place["description"] or place["uuid"]] += 1
    return found


def _drop(
    dataset: Path, words: tuple[str, ...], keys: Collection[str], before: tuple[str, ...] = ()
) -> list[dict]:
    printed = git_bytes(
        dataset, *before, "annex", *words, "--json", given=_lines(sorted(keys)), check=False
    )
    return list(_entries(printed))


def _entries(printed: bytes) -> Iterator[dict]:
    for line in printed.decode(errors="replace").splitlines():
        if line.startswith("{"):
            yield json.loads(line)


def _failure(results: Collection[dict]) -> str:
    failed = [one for one in results if not one.get("success")]
    texts = [text for one in failed for text in one.get("error-messages", ())]
    return "" if not failed else (texts or ["git-annex failed"])[0].strip().splitlines()[0]


def _lines(keys: Collection[str]) -> bytes:
    return os.fsencode("".join(f"{key}\n" for key in keys))
