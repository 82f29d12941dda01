"""The records that commands left in a study's history, read back without any content."""

from __future__ import annotations

import json
import lzma
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cta_data.versioning.git_settings import run_git
from cta_data.versioning.provenance import OURS, REPLAY

_RECORD = re.compile(
    r"=== Do not change lines below ===\n(.*)\n\^\^\^ Do not change lines above \^\^\^", re.DOTALL
)
_LITERAL = re.compile(r"\[([*?[])\]")
RUN_INFO = ".datalad/runinfo"


@dataclass(frozen=True)
class RunRecord:
    """One command as a commit records it.

    Attributes
    ----------
    command
        Command line, run at the top of the study.
    inputs, outputs
        Files from the top of the study.
    software
        Versions that it ran with; empty where an earlier version of the package wrote the record.
    """

    commit: str
    command: str
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    software: dict[str, str] = field(default_factory=dict)


def run_records(root: Path) -> Iterator[RunRecord]:
    """Yield the records of a study's history, the newest first."""
    chosen = ("--format=%H%n%B%x00", "--fixed-strings", "--grep=[DATALAD RUNCMD]")
    done = run_git(root, "log", *chosen, check=True)
    for entry in done.stdout.split("\0"):
        commit, _, message = entry.strip().partition("\n")
        found = _RECORD.search(message)
        content = _content(root, found[1]) if found else {}
        if "cmd" in content:
            ours = content.get(OURS) or {}
            yield RunRecord(
                commit,
                str(content["cmd"]).removesuffix(f" {REPLAY}"),
                tuple(map(_path, content.get("inputs") or ())),
                tuple(map(_path, content.get("outputs") or ())),
                dict(ours.get("software") or {}),
            )


def _content(root: Path, text: str) -> dict[str, Any]:
    """Return a record's content, which stands in the message or in a file of that name."""
    content = json.loads(text)
    if isinstance(content, dict):
        return content
    path = root / RUN_INFO / str(content)
    if not path.is_file():
        return {}

    with lzma.open(path, "rt", encoding="utf-8") as stream:
        return dict(json.loads(stream.readline()))


def _path(pattern: str) -> str:
    """Return the path that a record's pattern stands for; see `commit_run`."""
    return _LITERAL.sub(r"\1", pattern.replace("{{", "{").replace("}}", "}"))
