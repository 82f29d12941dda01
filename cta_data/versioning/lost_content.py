"""Content that git-annex lists and that nobody has: asked once of every dataset."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from cta_data.versioning.git_settings import run_git


def lost_content(dataset: Path) -> list[str]:
    """Return the files of a dataset, from its top, whose content is not here nor known elsewhere.

    That the list of places names this copy does not count: it is what is not true any more.
    """
    if not (dataset / ".git" / "annex").is_dir():
        return []
    # It ends with an error where a file has no place at all: that is what is looked for.
    told = run_git(dataset, "annex", "whereis", "--json", "--not", "--in=here").stdout
    return sorted(_without_place(told.splitlines()))


def _without_place(lines: list[str]) -> Iterator[str]:
    for line in lines:
        entry = json.loads(line) if line.startswith("{") else {}
        places = [*entry.get("whereis", ()), *entry.get("untrusted", ())]
        if entry.get("file") and not any(not place["here"] for place in places):
            yield entry["file"]
